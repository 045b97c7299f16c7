"""What happens to orders of ours begins runs, for shops whose pipeline is on: consumer ``pipeline`` of the outbox.

One that is paid goes to the ERP; one that is changed or canceled is looked at again, and its sales order changed or
closed (``shopifyToNetsuite`` reads the order anew, whatever it was told).
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy.orm import Session

from engine.kit import tracing
from engine.kit.outbox import OutboxRow
from engine.kit.tenancy import Tenant
from engine.orders.models import Order
from engine.workflows import pipeline, starting
from engine.workflows.access import OURS

CONSUMER: Final = "pipeline"
SENDS: Final = "shopifyToNetsuite"
"""The workflow that makes sales orders."""
_FIRST: Final = frozenset({"order.paid", "order.replaced"})
"""An order is new; anything else changed one."""


def hear(session: Session, row: OutboxRow) -> None:
    """Begin the run that follows, once. Where the workflow is off, nothing follows."""
    if SENDS not in pipeline.switched_on(session, row.tenant_id):
        return
    order = session.get_one(Order, (row.tenant_id, row.subject_id))
    if order.placed_at is None:  # nobody outside ever saw it
        return
    account = session.get_one(Tenant, row.tenant_id).slug
    payload = _payload(order, account, change="" if row.topic in _FIRST else f"v{order.version}")
    told = tracing.told(row.payload, row.subject_id)
    starting.begin(session, row.tenant_id, SENDS, payload, trigger=f"outbox:{row.topic}", trace_id=told)


def _payload(order: Order, account: str, *, change: str) -> dict[str, Any]:
    return {
        "connection_id": OURS,
        "account": account,
        "source_id": order.id,
        "source_ref": order.number,
        "change": change,
    }
