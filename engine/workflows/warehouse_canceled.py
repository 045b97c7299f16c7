"""warehouseCanceled: the warehouse has called off an order of which something is still wanted. A person hears of it:
nothing is sent again under a number that is used, and nobody else would notice.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final

from pydantic import BaseModel, ConfigDict
from sqlalchemy.orm import Session

from engine.fulfillment import work
from engine.fulfillment.models import FulfillmentStatus
from engine.kit import clock
from engine.sync import alerts
from engine.sync.canonical import WarehouseState
from engine.sync.errors import Rejected
from engine.sync.models import System
from engine.workflows import lineage, rows
from engine.workflows.access import Poll
from engine.workflows.definition import Workflow
from engine.workflows.models import RunMode
from engine.workflows.partner_answer import SENDS
from engine.workflows.run import Run

_FIRST: Final = timedelta(days=1)
_WAIT: Final = 300.0
_MOST_WAITS: Final = 12
_WANTED: Final = frozenset({"B", "D", "E"})


class CalledOff(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    account: str
    number: str
    """What the warehouse calls it."""
    reference: str = ""


def _body(run: Run, payload: CalledOff) -> dict[str, Any]:
    for _ in range(_MOST_WAITS):
        found = run.step("find", lambda: _find(run, payload))
        if not found["asked"]:  # a cancel of ours that waits is answered first
            break
        run.wait(_WAIT)
    if found["unlinked"]:
        raise Rejected(
            f"The warehouse called {payload.number} off, and its handing over is not over: end that, then retry."
        )
    if not found["wanted"]:
        return {"skipped": "nothing of it is wanted"}
    run.step("tell", lambda: _tell(run, payload, found["wanted"]))
    return {"wanted": found["wanted"]}


def _find(run: Run, payload: CalledOff) -> dict[str, Any]:
    """How many units are still wanted of it, and whether something is over first: a cancel of ours that waits for its
    answer, or its handing over, which did not hear yet that it is there (``unlinked``).
    """
    with run.runtime.unit_of_work(run.tenant_id) as session:
        linked = lineage.warehouse_order(
            session, run.tenant_id, system=System.DCL, account=payload.account, number=payload.number
        )
        if linked is None:
            order = payload.reference or payload.number
            given = bool(rows.unended_of(session, run.tenant_id, SENDS, [order]))
            return {"wanted": 0, "asked": given, "unlinked": given}
        if linked[0] == lineage.FULFILLMENT:
            return _of_ours(session, run.tenant_id, linked[1])
        order_id = _in_erp(run, session, linked)
    return {"wanted": _of_erp(run, order_id), "asked": False, "unlinked": False}


def _of_ours(session: Session, tenant_id: str, fulfillment_id: str) -> dict[str, Any]:
    found = work.lock_work(session, tenant_id, fulfillment_id)
    asked = found.fulfillment.status == FulfillmentStatus.CANCEL_REQUESTED
    return {"wanted": sum(found.open_units().values()), "asked": asked, "unlinked": False}


def _in_erp(run: Run, session: Session, linked: tuple[str, str]) -> str:
    kind, name = linked
    if kind == lineage.SALES_ORDER:
        return name.rpartition(":")[2]
    return lineage.sales_order_of(session, run.tenant_id, kind, name, run.erp().account) or ""


def _of_erp(run: Run, order_id: str) -> int:
    order = run.erp().sales_order(id=order_id) if order_id else None
    if order is None or order.status not in _WANTED:
        return 0
    wanted = sum(line.quantity - line.shipped for line in order.lines if line.sku and not line.closed)
    if not wanted:  # its status says otherwise
        raise Rejected(f"The ERP's order {order_id} waits to be sent, and does not say how much of it.")
    return wanted


def _tell(run: Run, payload: CalledOff, units: int) -> None:
    if run.mode != RunMode.LIVE:
        return
    facts = {"number": payload.number, "reference": payload.reference, "units": units}
    with run.runtime.unit_of_work(run.tenant_id) as session:
        alerts.put(session, run.tenant_id, alerts.WAREHOUSE_CANCELED, payload.number, facts)


def _poll(poll: Poll) -> Iterator[CalledOff]:
    """Orders that were called off there since the last look, and a little before."""
    kept = poll.cursor.get("modified_at")
    newest = datetime.fromisoformat(kept) if kept else clock.now() - _FIRST
    since = newest - timedelta(seconds=poll.settings.overlap_seconds)
    for order in poll.warehouse().orders(modified_from=since, state=WarehouseState.CANCELED, unread=poll.unread.append):
        yield CalledOff(account=order.account, number=order.order_ref, reference=order.reference)
        newest = max(newest, order.modified_at or newest)
    poll.cursor["modified_at"] = newest.isoformat()


WORKFLOW: Final = Workflow[CalledOff](
    name="warehouseCanceled",
    version="1.0.0",
    payload=CalledOff,
    key=lambda payload: f"{payload.account}:{payload.number}",
    subject=lambda payload: ("order", payload.reference or payload.number),
    systems=(System.NETSUITE, System.DCL),
    body=_body,
    poll=_poll,
    every_seconds=900,
)
