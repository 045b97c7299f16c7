"""Which units of an order's lines are in the hands of a warehouse or partner."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from engine.fulfillment.models import Fulfillment, FulfillmentLine, FulfillmentStatus

_OVER = (FulfillmentStatus.SHIPPED, FulfillmentStatus.CANCELED)


def in_hands(session: Session, tenant_id: str, line_ids: Sequence[str]) -> dict[str, dict[str, int]]:
    """Line → location → units released there that are neither shipped nor given back."""
    found: dict[str, dict[str, int]] = {}
    if not line_ids:
        return found
    still = FulfillmentLine.quantity - FulfillmentLine.shipped - FulfillmentLine.canceled
    rows = session.execute(
        select(FulfillmentLine.order_line_id, Fulfillment.location_id, func.sum(still))
        .join(
            Fulfillment,
            (Fulfillment.tenant_id == FulfillmentLine.tenant_id) & (Fulfillment.id == FulfillmentLine.fulfillment_id),
        )
        .where(
            FulfillmentLine.tenant_id == tenant_id,
            FulfillmentLine.order_line_id.in_(line_ids),
            Fulfillment.status.not_in(_OVER),
        )
        .group_by(FulfillmentLine.order_line_id, Fulfillment.location_id)
    )
    for line_id, location_id, units in rows:
        if units:
            found.setdefault(line_id, {})[location_id] = int(units)
    return found
