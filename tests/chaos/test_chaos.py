"""The short form: two storms. All of it is ``python -m tests.chaos``.

And the oracle itself: each of its clauses fails where what it looks at is wrong.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from engine.kit.tenancy import Tenant
from engine.runtime import Runtime
from engine.sync import exceptions
from engine.sync.errors import Rejected
from engine.sync.sandbox.faults import Kind
from engine.sync.sandbox.netsuite.state import Record
from engine.workflows import registry
from engine.workflows.models import CursorRow, RunRow, RunStatus
from tests.chaos.oracle import OURS, between_systems, what_is_wrong
from tests.chaos.raging import Scene, set_scene
from tests.chaos.storms import Storm, storms

pytestmark = pytest.mark.timeout(600)  # a thousand requests each, on a machine that may do other things


def test_letters_are_lost_and_everybody_dies_and_everything_is_done_once(runtime: Runtime, tenant: Tenant) -> None:
    with set_scene(runtime, tenant, Storm(Kind.WEBHOOK_DROP, "shopify", seed=102)) as scene:
        scene.play_to_the_end()
        assert what_is_wrong(scene) == []
        assert [name for name in registry.names() if not scene.played[name]] == []
        assert [name for name in registry.names() if not scene.deaths[name]] == []
        assert scene.called_off
        assert scene.people.refunded is not None
        _every_clause_can_fail(scene)
        _what_stopped_unheard_is_seen(scene)


def test_answers_are_lost_and_everybody_dies_and_everything_is_done_once(runtime: Runtime, tenant: Tenant) -> None:
    with set_scene(runtime, tenant, Storm(Kind.TIMEOUT_AFTER_COMMIT, "netsuite", seed=101)) as scene:
        scene.play_to_the_end()
        assert what_is_wrong(scene) == []
        assert scene.hits.total() > 0


def test_every_kind_of_fault_has_its_storm() -> None:
    assert {storm.kind for storm in storms(1)} == set(Kind) - {Kind.PROCESS_KILL}
    assert len({storm.seed for seed in (1, 2) for storm in storms(seed)}) == 2 * len(list(storms(1)))


def _every_clause_can_fail(scene: Scene) -> None:
    account, shop, house = scene.merchant.account, scene.merchant.shop.state, scene.merchant.house
    sold = next(one for one in account.kind("salesOrder").values() if one.status == "G")
    sent = next(one for one in shop.orders.values() if one.fulfillments)
    bill = next(iter(account.kind("invoice").values()))
    credit = next(iter(account.kind("creditMemo").values()))
    payment = next(iter(account.kind("customerPayment").values()))
    level = next(iter(shop.variant_of_sku("TH-LONG6").levels.values()))
    bundle = next(iter(shop.variant_of_sku("KIT-TRAIL-SET").levels.values()))
    fulfilled = next(one for one in account.kind("itemFulfillment").values() if one.parent.kind == "salesOrder")
    its = next(one for one in shop.orders.values() if one.name == sold.fields["otherRefNum"])
    ours = next(one for one in account.kind("salesOrder").values() if (one.external_id or "").startswith(OURS))
    number, units = ours.external_id.removeprefix(OURS), ours.lines[0].quantity
    tracking = scene.ours.tracking()

    def more(kind: str, *records: Record) -> dict[str, dict[int, Record]]:
        """All that the ERP has, and those."""
        return account.records | {kind: account.kind(kind) | dict(enumerate(records, -len(records)))}

    planted: list[tuple[str, Any, str, Any]] = [
        (f"{its.name} is 0 sales orders, not 1", sold, "status", "H"),
        (f"{its.name} is 2 sales orders, not 1", account, "records", more("salesOrder", sold)),
        (f"{its.name} is 1 sales orders, not 0", its, "cancelled_at", its.created_at),
        ("pieces, and", sold.lines[0], "quantity", sold.lines[0].quantity - 1),
        (f"our order {number} of {units} is 0 sales orders of 0", ours, "external_id", f"{OURS}0"),
        (f"our order {number} of {units} is 1 sales orders of {units + 1}", ours.lines[0], "quantity", units + 1),
        (
            f"our order {number} of {units} is 2 sales orders of {units * 2}",
            account,
            "records",
            more("salesOrder", ours),
        ),
        ("left and is not billed", sold, "status", "F"),
        ("is there 2 times", sent.fulfillments[0], "tracking", sent.fulfillments[0].tracking * 2),
        ("parcels that never left", sent.fulfillments[0], "tracking", [{"number": "1Z0"}]),
        ("nobody was told of parcel", sent, "fulfillments", []),
        ("nobody was told of parcel", scene.ours, "tracking", Counter),
        (f"{next(iter(tracking))} is ours 2 times", scene.ours, "tracking", lambda: tracking + tracking),
        (f"{sent.name}: {sent.lines[0].quantity + 1} of", sent.lines[0], "fulfilled", sent.lines[0].quantity + 1),
        (f"sales order {sold.id}: {sold.lines[0].quantity + 1} of", sold.lines[0], "done", sold.lines[0].quantity + 1),
        ("shipments are", fulfilled, "parent", None),
        ("has payments of", payment, "sublists", {}),
        ("has payments of", bill, "status", "A"),
        ("are credited", credit, "external_id", "REF-0"),
        ("the shop has", level, "available", level.available + 1),
        ("KIT-TRAIL-SET: the shop has", bundle, "available", bundle.available + 1),
        ("receipts of the warehouse", house, "receipts", [*house.receipts, {"receipt_id": "R0"}]),
        (f"sales order {bill.parent.id} has invoices and cash sales", account, "records", more("cashSale", bill)),
        (f"cashSale {bill.external_id} is there 2 times", account, "records", more("cashSale", bill, bill)),
    ]
    for kind in ("invoice", "itemFulfillment", "itemReceipt", "customerPayment", "creditMemo"):
        one = next(iter(account.kind(kind).values()))
        planted.append((f"{kind} {one.external_id} is there 2 times", account, "records", more(kind, one)))
    for words, thing, name, value in planted:
        with _planted(thing, name, value):
            assert any(words in fault for fault in between_systems(scene)), (words, between_systems(scene))
    parcel = next(one for one in house.orders.values() if one.shipments)
    with _planted(parcel, "cancelled", True), _planted(scene, "called_off", {parcel.number}):
        assert between_systems(scene) == [f"nobody was told that the warehouse called {parcel.number} off"]
    assert between_systems(scene) == []


def _what_stopped_unheard_is_seen(scene: Scene) -> None:
    with scene.runtime.unit_of_work(scene.tenant.id) as session:
        cursor = session.get_one(CursorRow, (scene.tenant.id, "netsuitePayment"))
        cursor.failures, cursor.error = 1, "planted"
        known = {one.workflow_id for one in exceptions.listed(session, scene.tenant.id, status=None, limit=500).items}
        run = next(one for one in scene.runs() if one.id not in known)
        row = session.get_one(RunRow, (scene.tenant.id, run.id))
        row.status, row.error_code, row.error = RunStatus.FAILED, "planted", "planted"
    assert sorted(one.partition(":")[0] for one in what_is_wrong(scene)) == sorted(
        ["every run that failed is in the exception queue", "the poll of netsuitePayment fails", scene.tenant.id]
    )
    with scene.runtime.unit_of_work(scene.tenant.id) as session:
        told = {
            "workflow": row.workflow,
            "workflow_id": row.id,
            "subject": "",
            "error": Rejected("planted"),
            "payload": {},
        }
        exceptions.put(session, scene.tenant.id, **told)
    assert what_is_wrong(scene)[0] == f"{row.id} waits for a person: {Rejected.code} planted"


@contextmanager
def _planted(thing: Any, name: str, value: Any) -> Iterator[None]:
    before = getattr(thing, name)
    setattr(thing, name, value)
    try:
        yield
    finally:
        setattr(thing, name, before)
