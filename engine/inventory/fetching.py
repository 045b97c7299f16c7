"""Where orders are fetched, and on what terms."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.inventory.listing import LocationView
from engine.inventory.models import Location
from engine.kit import audit
from engine.kit.errors import InvalidInput, NotFound
from engine.shipping.pickup import Pickup


def set_terms(
    session: Session, tenant_id: str, code: str, *, terms: Pickup | None, line_one: str | None, actor: str
) -> LocationView:
    """Offer it at a location, or do so no more (``None``). Raises ``NotFound``, ``InvalidInput`` for a place whose
    address nobody would find.
    """
    mine = (Location.tenant_id == tenant_id) & (Location.code == code)
    row = session.scalars(select(Location).where(mine).with_for_update()).first()
    if row is None:
        raise NotFound("There is no such location.")
    if line_one is not None:
        row.line_one = " ".join(line_one.split())
    if terms is not None and not all((row.line_one, row.city, row.postal_code)):
        raise InvalidInput("Shoppers need the street of a place where they fetch something.", param="line_one")
    row.pickup = terms.model_dump(mode="json") if terms is not None else None
    audit.record(
        session, tenant_id, actor=actor, action="location.pickup_set", subject=row.id, facts={"pickup": row.pickup}
    )
    session.flush()
    return LocationView(**{name: getattr(row, name) for name in LocationView.model_fields})
