"""What routing needs to know, read from the store: who ships, how much of it, and what may not leave where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.catalog.models import Product, Variant
from engine.fulfillment.geography import Point
from engine.fulfillment.routing import Site, Stock
from engine.inventory import service as inventory
from engine.inventory.items import Place, Recipe
from engine.inventory.models import Location
from engine.inventory.shared import overlap, shelves_of

Shelf = Mapping[str, Sequence[Place]]
Units = Mapping[str, Mapping[str, int]]
"""Variant → location → units."""


def stock_for(
    session: Session,
    tenant_id: str,
    variant_ids: Sequence[str],
    *,
    own: Units | None = None,
    without: frozenset[str] = frozenset(),
) -> Stock:
    """Sellable units of the variants at every location that ships, but not at ``without``.

    ``own`` units are the asking order's: reserved for it, and to be had where they are.
    """
    found = inventory.shippable(session, tenant_id, list(variant_ids))
    parts = {v: places[0].parts for v, places in found.items() if places and places[0].parts is not None}
    units = {v: {place.location_id: place.available for place in places} for v, places in found.items()}
    for variant, places in (own or {}).items():
        for location, extra in places.items():
            units.setdefault(variant, {})[location] = units.get(variant, {}).get(location, 0) + extra
    kept = [site for site in sites(session, tenant_id) if site.location_id not in without]
    shelves = _shelves(found, parts, own or {}) if overlap(parts) else {}
    return Stock(kept, units, _restrictions(session, tenant_id, variant_ids), parts, shelves)


def _shelves(found: Shelf, parts: Mapping[str, Recipe], own: Units) -> dict[str, dict[str, int]]:
    """What lies at each place, the asking order's own units with it."""
    shelves = shelves_of(found)
    for variant, places in own.items():
        for location, extra in places.items():
            here = shelves.setdefault(location, {})
            for part in parts.get(variant, ()):
                here[part.variant_id] = here.get(part.variant_id, 0) + part.per_unit * extra
    return shelves


def sites(session: Session, tenant_id: str) -> list[Site]:
    """Every location that ships, in the shop's own order."""
    rows = session.scalars(
        select(Location).where(Location.tenant_id == tenant_id, Location.ships).order_by(Location.position, Location.id)
    )
    return [_site(row) for row in rows]


def _site(row: Location) -> Site:
    known = row.latitude is not None and row.longitude is not None
    return Site(
        row.id,
        row.code,
        row.country,
        row.region,
        row.position,
        Point(row.latitude or 0, row.longitude or 0) if known else None,
        row.handling_days,
        row.handling_cost,
        frozenset(row.cannot_ship),
    )


def _restrictions(session: Session, tenant_id: str, variant_ids: Sequence[str]) -> dict[str, frozenset[str]]:
    rows = session.execute(
        select(Variant.id, Product.restrictions)
        .join(Product, (Product.tenant_id == Variant.tenant_id) & (Product.id == Variant.product_id))
        .where(Variant.tenant_id == tenant_id, Variant.id.in_(variant_ids))
    )
    return {variant: frozenset(words) for variant, words in rows}
