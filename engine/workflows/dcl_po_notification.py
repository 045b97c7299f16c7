"""dclPoNotification: the warehouse is told of goods that are to come to it, and told again when that changed.

A purchase that is marked as told and changed since is announced anew under its number: another state is another run.
Whoever takes the mark off in the ERP has it announced once more.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict

from engine.kit.idempotency import canonical_json
from engine.sync import xref
from engine.sync.canonical import Expected
from engine.sync.connectors.netsuite.account import ANNOUNCED
from engine.sync.errors import Rejected
from engine.sync.models import System, Xref
from engine.workflows.access import Access, Poll
from engine.workflows.definition import Workflow
from engine.workflows.models import RunMode
from engine.workflows.run import Run

ANNOUNCEMENT: Final = "announcement"
"""Kind of link: what a warehouse expects, by its number there."""
GOODS: Final[dict[Literal["purchase", "transfer"], str]] = {"purchase": "purchaseOrder", "transfer": "transferOrder"}
"""Records of the ERP; internal kinds of links as well."""


class Announce(BaseModel):
    """A purchase or a transfer in one state."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["purchase", "transfer"]
    order_id: str
    number: str = ""
    changed_at: str


def internal_id(account: str, order_id: str) -> str:
    """What a purchase is called among all systems and accounts."""
    return f"{System.NETSUITE}:{account}:{order_id}"


def _body(run: Run, payload: Announce) -> dict[str, Any]:
    told = run.step("announce", lambda: _announce(run, payload))
    if "skipped" not in told:
        run.step("mark", lambda: run.erp().flag(GOODS[payload.kind], payload.order_id, {flag_of(run): True}))
    if told["number"] and run.mode == RunMode.LIVE:
        run.step("link", lambda: _link(run, payload, told))
    return dict(told)


def _announce(run: Run, payload: Announce) -> dict[str, Any]:
    """Tell the warehouse, where it was not told just this. A number that it knows is amended by it."""
    expected = run.erp().expected_one(payload.kind, payload.order_id)
    if expected is None:
        return {"skipped": "it is not there any more", "number": ""}
    if not any(line.quantity > line.received and not line.closed for line in expected.lines):
        return {"skipped": "nothing of it is to come", "number": ""}
    digest, known = digest_of(expected), _known(run, run.warehouse().account, expected.number)
    if known is not None and known.hash == digest and expected.announced:
        return {"skipped": "nothing changed that the warehouse has to know", "number": expected.number, "hash": digest}
    reference = run.warehouse().announce(expected)
    return {"number": expected.number, "reference": reference, "hash": digest, "amended": known is not None}


def digest_of(expected: Expected) -> str:
    """The same for two states that say the same to a warehouse."""
    lines = [[one.line, one.sku, one.quantity] for one in expected.lines if not one.closed]
    when = expected.expected_at.date().isoformat() if expected.expected_at else ""
    return hashlib.sha256(canonical_json([expected.number, expected.vendor, when, lines])).hexdigest()


def _known(access: Access | Run, account: str, number: str) -> Xref | None:
    with access.runtime.unit_of_work(access.tenant_id) as session:
        return xref.find(
            session,
            tenant_id=access.tenant_id,
            system=System.DCL,
            account=account,
            kind=ANNOUNCEMENT,
            external_id=number,
        )


def _link(run: Run, payload: Announce, told: dict[str, Any]) -> None:
    """What was announced, and the ERP's mark of its state since: marking it was a change as well."""
    after = run.erp().expected_one(payload.kind, payload.order_id)
    if after is not None and digest_of(after) != told["hash"]:
        after = None  # it was changed meanwhile: that is another announcement
    with run.runtime.unit_of_work(run.tenant_id) as session:
        xref.link(
            session,
            tenant_id=run.tenant_id,
            system=System.DCL,
            account=run.warehouse().account,
            kind=ANNOUNCEMENT,
            external_id=told["number"],
            internal_kind=GOODS[payload.kind],
            internal_id=internal_id(run.erp().account, payload.order_id),
            version=after.changed_at if after else payload.changed_at,
            hash=told["hash"],
        )


def flag_of(access: Access | Run) -> str:
    """The account's own name of the mark."""
    return str(access.connection(System.NETSUITE).settings.get("announced_flag") or ANNOUNCED)


def _poll(poll: Poll) -> Iterator[Announce]:
    """What is to come to the warehouse and is not marked, and what is marked and changed since it was told. What
    somebody marked by hand is left alone.
    """
    places = {one.erp for one in poll.settings.locations if one.warehouse}
    account = poll.warehouse().account
    for one in poll.erp().expected(("purchase", "transfer")):
        if places and one.location not in places:
            continue
        known = _known(poll, account, one.number) if one.announced else None
        if not one.announced or (known is not None and known.version != one.changed_at):
            yield Announce(kind=one.kind, order_id=one.source_id, number=one.number, changed_at=one.changed_at)


def find_announced(run: Run, number: str) -> tuple[Literal["purchase", "transfer"], str] | None:
    """Kind and id of what was announced under a number."""
    known = _known(run, run.warehouse().account, number)
    if known is None:
        return None
    kind = next((goods for goods, record in GOODS.items() if record == known.internal_kind), None)
    if kind is None:
        raise Rejected(f"{number[:60]} was announced and is no purchase.")
    return kind, known.internal_id.rpartition(":")[2]


WORKFLOW: Final = Workflow[Announce](
    name="dclPoNotification",
    version="1.0.0",
    payload=Announce,
    key=lambda payload: f"{payload.kind}:{payload.order_id}:{payload.changed_at}",
    subject=lambda payload: ("purchase", payload.number or payload.order_id),
    systems=(System.NETSUITE, System.DCL),
    body=_body,
    poll=_poll,
    every_seconds=600,
)
