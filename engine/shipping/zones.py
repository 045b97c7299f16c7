"""A shop's zones, as its people keep them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from engine.kit import audit
from engine.kit.errors import NotFound
from engine.kit.identity import Identity
from engine.kit.ids import new_id
from engine.shipping.models import ShippingZone


def add(session: Session, identity: Identity, values: dict[str, Any]) -> ShippingZone:
    """A new zone, the last in the shop's order; ``values`` (name, countries, regions, rates) as its file has them."""
    mine = ShippingZone.tenant_id == identity.tenant_id
    last = session.scalar(select(func.max(ShippingZone.position)).where(mine))
    position = 0 if last is None else last + 1
    row = ShippingZone(tenant_id=identity.tenant_id, id=new_id("zone"), position=position, **values)
    session.add(row)
    return _noted(session, identity, row, "shipping_zone.added")


def change(session: Session, identity: Identity, zone_id: str, values: dict[str, Any]) -> ShippingZone:
    """A zone made anew; its place in the order stays. Raises ``NotFound``."""
    row = session.get(ShippingZone, (identity.tenant_id, zone_id), with_for_update=True)
    if row is None:
        raise NotFound("There is no such shipping zone.")
    for name, value in values.items():
        setattr(row, name, value)
    return _noted(session, identity, row, "shipping_zone.changed")


def _noted(session: Session, identity: Identity, row: ShippingZone, action: str) -> ShippingZone:
    session.flush()
    facts = {"name": row.name, "countries": list(row.countries), "ways": [rate["code"] for rate in row.rates]}
    audit.record(session, identity.tenant_id, actor=identity.id, action=action, subject=row.id, facts=facts)
    return row
