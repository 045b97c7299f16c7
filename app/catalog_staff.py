"""Products as staff see them: the same shape, with each variant's cost and where its units lie."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.catalog.models import Variant
from engine.catalog.schemas import ProductView
from engine.inventory.availability import SELLABLE
from engine.inventory.models import Location, StockLevel
from engine.kit.tenancy import Tenant


def with_staff_fields(session: Session, tenant_id: str, items: Sequence[ProductView]) -> list[dict[str, Any]]:
    """The products as JSON, each variant with ``cost`` and, by location, its counts."""
    ids = [variant.id for item in items for variant in item.variants]
    currency = session.get_one(Tenant, tenant_id).currency
    rows = session.execute(select(Variant.id, Variant.cost).where(Variant.tenant_id == tenant_id, Variant.id.in_(ids)))
    costs = {variant_id: cost for variant_id, cost in rows}  # noqa: C416 (rows are not typed as pairs)
    places = _places(session, tenant_id, ids)
    shown = [item.model_dump(mode="json") for item in items]
    for product in shown:
        for variant in product["variants"]:
            variant["cost"] = {"amount": costs[variant["id"]], "currency": currency}
            variant["locations"] = places[variant["id"]]
    return shown


def _places(session: Session, tenant_id: str, ids: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    rows = session.execute(
        select(StockLevel.variant_id, Location.code, StockLevel.on_hand, StockLevel.reserved, SELLABLE)
        .join(Location, (Location.tenant_id == StockLevel.tenant_id) & (Location.id == StockLevel.location_id))
        .where(StockLevel.tenant_id == tenant_id, StockLevel.variant_id.in_(ids))
        .order_by(Location.position, Location.code)
    )
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for variant_id, code, on_hand, reserved, sellable in rows:
        counts = {"on_hand": on_hand, "reserved": reserved, "available": on_hand - reserved, "sellable": sellable}
        found[variant_id].append({"code": code} | counts)
    return found
