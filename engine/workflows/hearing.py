"""What happens to orders of ours begins runs, for shops whose pipeline is on: consumer ``pipeline`` of the outbox."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy.orm import Session

from engine.kit import tracing
from engine.kit.outbox import OutboxRow
from engine.orders.models import Order
from engine.workflows import pipeline, starting
from engine.workflows.access import OURS

CONSUMER: Final = "pipeline"
SENDS: Final = "shopifyToNetsuite"
CLOSES: Final = "closeSalesOrder"
_BEGINS: Final = {"order.paid": SENDS, "order.canceled": CLOSES}


def hear(session: Session, row: OutboxRow) -> None:
    """Begin the run that follows, once. Where the workflow is off, nothing follows."""
    name = _BEGINS.get(row.topic)
    if name is None or name not in pipeline.switched_on(session, row.tenant_id):
        return
    order = session.get_one(Order, (row.tenant_id, row.subject_id))
    told = tracing.told(row.payload, row.subject_id)
    trigger = f"outbox:{row.topic}"
    starting.begin(session, row.tenant_id, name, _payload(name, order), trigger=trigger, trace_id=told)


def _payload(name: str, order: Order) -> dict[str, Any]:
    if name == CLOSES:
        return {"order_id": order.id, "number": order.number}
    return {"connection": OURS, "source_id": order.id, "ref": order.number}
