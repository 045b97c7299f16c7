"""What the ERP has ready goes to the warehouse, once, whatever happens on the way."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from sqlalchemy import delete

from engine.sync import exceptions
from engine.sync.models import System, Xref
from engine.sync.sandbox import emitting
from engine.sync.sandbox.presets import basket, read_goods
from engine.sync.sandbox.shopify import changing
from engine.workflows import lineage, starting
from engine.workflows.access import Access, Wiring
from engine.workflows.models import RunMode, RunStatus
from engine.workflows.netsuite_to_dcl import WORKFLOW, SendOrder, default
from engine.workflows.rehearsal import Death, When
from engine.workflows.shopify_to_netsuite import WORKFLOW as TAKE
from engine.workflows.shopify_to_netsuite import payload_of
from engine.workflows.warehouse_canceled import WORKFLOW as LOST
from tests.engine.workflows.systems import Systems

TENT, OTHER = "TH-FELL1-ORG", "TH-FELL2-ORG"
STEPS = ["look", "submit", "link", "flag"]


def ready(systems: Systems, **units: int) -> SendOrder:
    systems.sales_order("SHOP-1", {name.replace("_", "-"): n for name, n in units.items()} or {TENT: 2, OTHER: 1})
    (found,) = systems.polled(WORKFLOW)
    return found


def flags(systems: Systems, order_id: str) -> tuple[object, object]:
    fields = systems.record("salesOrder", order_id).fields
    return fields.get("custbody_sent_to_3pl"), fields.get("custbody_3pl_order")


def test_an_order_goes_as_the_erp_has_it(systems: Systems) -> None:
    payload = ready(systems)
    run = systems.rehearse(WORKFLOW, payload)

    assert (run.row().status, run.result) == (RunStatus.DONE, {"order_number": payload.number})
    (sent,) = systems.at_house().values()
    assert sent.number == payload.number
    assert {name: sent.given[name] for name in ("po_number", "shipping_carrier", "shipping_service")} == {
        "po_number": "#1071",
        "shipping_carrier": "UPS",
        "shipping_service": "Ground",
    }
    address = sent.given["shipping_address"]
    assert (address["attention"], address["address1"], address["city"]) == (
        "Maya Lindqvist",
        "2719 Quivas Street",
        "Denver",
    )
    assert (address["state_province"], address["postal_code"], address["country_code"]) == ("CO", "80211", "US")
    assert [(line.item, line.quantity, line.price) for line in sent.lines] == [(TENT, 2, "20.00"), (OTHER, 1, "20.00")]
    assert flags(systems, payload.order_id) == (True, payload.number)
    assert (run.row().subject_kind, run.row().subject_ref) == ("order", "#1071")
    assert systems.polled(WORKFLOW) == []


def test_it_may_die_anywhere(systems: Systems) -> None:
    payload, deaths = ready(systems), [Death(when, step) for step in STEPS for when in When]
    run = systems.rehearse(WORKFLOW, payload, deaths=deaths)
    assert (run.row().status, run.lives, deaths) == (RunStatus.DONE, 13, [])
    assert list(systems.at_house()) == [payload.number]
    assert flags(systems, payload.order_id) == (True, payload.number)
    posts = [one for one in systems.world.ground.journal.entries(system="dcl") if one.operation == "POST batches"]
    assert len(posts) == 1


@pytest.mark.parametrize("kind", ["timeout_after_commit", "timeout_before_commit", "connection_reset", "http_500"])
def test_after_an_unknown_outcome_it_looks_first(systems: Systems, kind: str) -> None:
    payload = ready(systems)
    systems.put("dcl", kind, match={"method": "POST"})
    run = systems.rehearse(WORKFLOW, payload)
    assert run.row().status == RunStatus.DONE
    assert list(systems.at_house()) == [payload.number]
    assert run.seen.index("? submit") == run.seen.index("submit") + 1


@pytest.mark.parametrize("kind", ["http_429", "http_503", "partial_batch", "stale_read"])
def test_accidents_are_waited_out(systems: Systems, kind: str) -> None:
    payload = ready(systems)
    systems.put("dcl", kind)
    assert systems.rehearse(WORKFLOW, payload).row().status == RunStatus.DONE
    assert list(systems.at_house()) == [payload.number]


def test_what_the_warehouse_refuses_waits_for_a_person(systems: Systems) -> None:
    del systems.merchant.house.items[OTHER]
    payload = ready(systems)
    run = systems.rehearse(WORKFLOW, payload)
    assert (run.row().status, run.row().error_code) == (RunStatus.FAILED, "vendor_rejected")
    assert (systems.at_house(), flags(systems, payload.order_id)[0]) == ({}, None)
    with systems.runtime.unit_of_work(systems.tenant.id) as session:
        (case,) = exceptions.listed(session, systems.tenant.id).items
        assert case.workflow == "netsuiteToDCL"
        assert case.fields == [{"path": payload.number, "message": f"Item {OTHER} is unknown (30)"}]

    systems.merchant.house.items[OTHER] = next(iter(systems.merchant.house.items.values()))
    assert systems.rehearse(WORKFLOW, payload).row().status == RunStatus.DONE


def test_an_address_that_lacks_its_city_is_told_by_its_place(systems: Systems) -> None:
    order = systems.sales_order("SHOP-1", {TENT: 1}, shippingAddress={"addressee": "Maya", "addr1": "12 Pine"})
    (payload,) = systems.polled(WORKFLOW)
    run = systems.rehearse(WORKFLOW, payload)
    assert run.row().status == RunStatus.FAILED
    with systems.runtime.unit_of_work(systems.tenant.id) as session:
        (case,) = exceptions.listed(session, systems.tenant.id).items
        assert {fault["path"] for fault in case.fields} >= {"shipping_address.city", "shipping_address.postal_code"}
    assert (systems.at_house(), flags(systems, order)[0]) == ({}, None)


def test_an_order_whose_run_has_not_linked_it_yet_is_not_handed_over(systems: Systems) -> None:
    """It is in the ERP, and whoever put it there has not heard so: it may be taken back, and until it is known where it
    was placed nobody there would hear of its parcels.
    """
    order, erp_id = systems.sold_on_platform()
    taken = {"connection_id": "con_x", "source_id": order.source_id, "source_ref": order.source_ref}
    with systems.runtime.unit_of_work(systems.tenant.id) as session:
        session.execute(delete(Xref))
        run_id, _ = starting.begin(session, systems.tenant.id, TAKE.name, taken, trigger="test")
    assert systems.polled(WORKFLOW) == []

    with systems.runtime.unit_of_work(systems.tenant.id) as session:
        lineage.keep_sales_order(session, systems.tenant.id, order, systems.erp.account, erp_id)
    assert [one.order_id for one in systems.polled(WORKFLOW)] == [erp_id]

    with systems.runtime.unit_of_work(systems.tenant.id) as session:
        session.execute(delete(Xref))
        starting.cancel(session, systems.tenant.id, run_id, actor="test", reason="it is another's")
    assert [one.order_id for one in systems.polled(WORKFLOW)] == [erp_id]


def test_an_order_that_was_closed_meanwhile_is_not_sent(systems: Systems) -> None:
    payload = ready(systems)
    systems.erp.close_order(payload.order_id)
    assert systems.rehearse(WORKFLOW, payload).result == {"skipped": "its status is H"}
    assert systems.at_house() == {}


def test_an_order_that_was_closed_as_it_was_looked_at_and_is_open_again_is_sent(systems: Systems) -> None:
    payload = ready(systems)
    systems.record("salesOrder", payload.order_id).status = "A"  # somebody thinks it over
    systems.rehearse(WORKFLOW, payload)
    systems.record("salesOrder", payload.order_id).status = "B"
    systems.later(minutes=5)
    found = systems.polled(WORKFLOW)
    with systems.runtime.unit_of_work(systems.tenant.id) as session:
        assert starting.begin_all(session, systems.tenant.id, WORKFLOW.name, found, trigger="poll") == 1
    assert systems.rehearse(WORKFLOW, payload).result == {"order_number": payload.number}
    with systems.runtime.unit_of_work(systems.tenant.id) as session:
        assert starting.begin_all(session, systems.tenant.id, WORKFLOW.name, found, trigger="poll") == 0


def test_what_leaves_from_elsewhere_is_not_the_warehouses(systems: Systems) -> None:
    systems.sales_order("SHOP-1", {TENT: 1}, location={"externalId": "CMH"})
    (payload,) = systems.polled(WORKFLOW)
    assert systems.rehearse(WORKFLOW, payload).result == {"skipped": "nothing of it leaves from there"}
    assert systems.at_house() == {}


def test_a_shadow_sends_nothing_and_shows_what_it_would(systems: Systems) -> None:
    payload = ready(systems)
    run = systems.rehearse(WORKFLOW, payload, mode=RunMode.SHADOW)
    assert run.row().status == RunStatus.DONE
    assert (systems.at_house(), flags(systems, payload.order_id)[0]) == ({}, None)
    with systems.runtime.unit_of_work(systems.tenant.id) as session:
        found = lineage.warehouse_order(
            session, systems.tenant.id, system=System.DCL, account="20001", number=payload.number
        )
        assert found is None


def test_the_usual_mapping_fits_its_target() -> None:
    assert default() is default()


def test_an_order_of_the_erp_that_the_warehouse_calls_off_is_a_persons(systems: Systems) -> None:
    payload = ready(systems)
    systems.rehearse(WORKFLOW, payload)
    emitting.cancel_at_warehouse(systems.world, systems.merchant, payload.number)
    (found,) = systems.polled(LOST)
    assert (found.number, found.reference) == (payload.number, "#1071")
    assert systems.rehearse(LOST, found).result == {"wanted": 3}
    systems.erp.close_order(payload.order_id)
    assert systems.rehearse(LOST, found.model_copy(update={"account": "elsewhere"})).result == {
        "skipped": "nothing of it is wanted"
    }


def test_an_order_that_does_not_say_how_much_is_wanted_is_a_persons_too(systems: Systems) -> None:
    payload = ready(systems)
    systems.rehearse(WORKFLOW, payload)
    emitting.cancel_at_warehouse(systems.world, systems.merchant, payload.number)
    (found,) = systems.polled(LOST)
    systems.put("netsuite", "schema_drift", params={"op": "remove", "path": "**.quantity"}, times=1)
    run = systems.rehearse(LOST, found)
    assert (run.row().status, run.row().error_code) == ("failed", "vendor_rejected")
    assert systems.rehearse(LOST, found).result == {"wanted": 3}


@pytest.mark.parametrize("ends", [True, False])
def test_what_the_warehouse_calls_off_before_its_hand_over_is_heard_of_is_no_less_a_persons(
    systems: Systems, ends: bool
) -> None:
    payload = ready(systems)
    systems.rehearse(WORKFLOW, payload)
    with systems.runtime.unit_of_work(systems.tenant.id) as session:
        session.execute(delete(Xref))  # not heard yet
        starting.retry(session, systems.tenant.id, f"{systems.tenant.id}:{WORKFLOW.name}:{payload.order_id}", actor="t")
    emitting.cancel_at_warehouse(systems.world, systems.merchant, payload.number)
    (found,) = systems.polled(LOST)

    def waits(_: float) -> None:
        if not ends:
            return
        kind, name = lineage.began_in_erp(systems.erp.account, payload.order_id)
        with systems.runtime.unit_of_work(systems.tenant.id) as session:
            lineage.keep_warehouse_order(
                session,
                systems.tenant.id,
                system=System.DCL,
                account=found.account,
                number=payload.number,
                internal_kind=kind,
                internal_id=name,
            )

    run = systems.rehearse(LOST, found, waits=waits)
    assert (run.row().status, run.result) == (("done", {"wanted": 3}) if ends else ("failed", {}))


class Platform:
    """An order of the platform that went to the ERP by the first workflow."""

    def __init__(self, systems: Systems) -> None:
        self.systems = systems
        self.order = emitting.place_order(systems.world, systems.merchant, basket(systems.merchant, read_goods(), 1))
        self.play()

    def play(self) -> dict[str, Any]:
        """What a poll would make of it now, done."""
        systems = self.systems
        access = Access(systems.runtime, systems.tenant.id, systems.settings, Wiring(transport=systems.line))
        payload = payload_of(access, systems.ids[System.SHOPIFY], systems.front.order(str(self.order.id)))
        assert payload is not None
        run = systems.rehearse(TAKE, payload)
        assert run.row().status == RunStatus.DONE, run.row().error
        return run.result

    def send(self, **more: Any) -> str:
        (payload,) = self.systems.polled(WORKFLOW)
        run = self.systems.rehearse(WORKFLOW, payload, **more)
        assert run.row().status == RunStatus.DONE, run.row().error
        return payload.number

    def cancel(self) -> None:
        emitting.cancel_order(self.systems.world, self.systems.merchant, self.order.name)

    def take_one_off(self) -> None:
        rows = [{"lineItemId": self.order.lines[0].gid, "quantity": 1, "restockType": "CANCEL"}]
        given = {"orderId": self.order.gid, "refundLineItems": rows}
        self.systems.merchant.shop.begin_act()
        changing.refund_create(self.systems.merchant.shop, {"input": given})

    def told(self) -> list[tuple[str, str]]:
        with self.systems.runtime.unit_of_work(self.systems.tenant.id) as session:
            return [
                (one.workflow_id.partition("#")[2], one.reason)
                for one in exceptions.listed(session, self.systems.tenant.id).items
            ]


def test_what_the_platform_cancels_while_the_warehouse_has_it_is_told_to_a_person(systems: Systems) -> None:
    platform = Platform(systems)
    number = platform.send()
    platform.cancel()
    assert platform.play()["closed"] is True
    name = platform.order.name
    words = f"{name} was canceled, and the warehouse has it as {number}: have it called off there, or stop the parcel."
    assert platform.told() == [("canceled at the warehouse", words)]


def test_what_the_platform_changes_while_the_warehouse_has_it_is_told_to_a_person(systems: Systems) -> None:
    platform = Platform(systems)
    number = platform.send()
    platform.take_one_off()
    assert platform.play()["changed"] is True
    name = platform.order.name
    words = f"{name} was changed, and the warehouse has it as {number}: have it changed there, or stop the parcel."
    assert platform.told() == [("changed at the warehouse", words)]


def test_what_changes_before_the_warehouse_has_it_is_nobodys_task(systems: Systems) -> None:
    platform = Platform(systems)
    platform.take_one_off()
    platform.play()
    platform.send()
    assert platform.told() == []


@pytest.mark.parametrize("deadly", [False, True])
@pytest.mark.parametrize(("act", "became"), [("cancel", "it was called off"), ("take_one_off", "it was changed")])
def test_what_changes_as_it_is_handed_over_is_told(systems: Systems, act: str, became: str, deadly: bool) -> None:
    platform, line, done = Platform(systems), systems.line, list[bool]()

    def meanwhile(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/batches") and not done:
            done.append(True)
            getattr(platform, act)()
            platform.play()
        return line.handle_request(request)

    deaths = [Death(When.INSIDE, "link")] if deadly else []
    number = platform.send(transport=httpx.MockTransport(meanwhile), deaths=deaths)
    words = f"The order changed or was called off while the warehouse took it as {number}: tell it there."
    assert platform.told() == [("changed meanwhile", words)]
    with systems.runtime.unit_of_work(systems.tenant.id) as session:
        (case,) = exceptions.listed(session, systems.tenant.id).items
        assert case.fields == [{"path": "order", "message": became}]
