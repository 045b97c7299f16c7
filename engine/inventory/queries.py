"""Reading stock: what is available of a variant, and where it lies."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from engine.catalog.models import Product, Variant
from engine.inventory.availability import available_units
from engine.inventory.models import OPEN_INBOUNDS, BundleComponent, Inbound, InboundLine, Location, StockLevel
from engine.kit.views import View

MAX_ITEMS: Final = 20


class LocationStock(View):
    code: str
    name: str
    on_hand: int
    reserved: int
    available: int
    """On hand and not promised; ``sellable`` leaves the safety stock as well."""
    safety_stock: int
    sellable: int
    incoming: int


class ItemStock(View):
    """One variant at every location, in the shop's order of places."""

    sku: str
    variant_id: str
    title: str
    locations: list[LocationStock]
    """Empty for a bundle, which has no stock of its own."""
    available: int
    sellable: int
    incoming: int


def by_location(session: Session, tenant_id: str, query: str) -> list[ItemStock]:
    """Stock of at most 20 matching variants: by SKU, by variant or product id, or by words of the title."""
    return items_of(session, tenant_id, _matching(session, tenant_id, query.strip()))


def items_of(
    session: Session, tenant_id: str, variants: Sequence[Variant], *, location: str | None = None
) -> list[ItemStock]:
    """The variants with their stock at every location, or at the one with that code."""
    ids = [variant.id for variant in variants]
    if not ids:
        return []
    places = session.scalars(
        select(Location).where(Location.tenant_id == tenant_id).order_by(Location.position, Location.code)
    ).all()
    levels = _levels(session, tenant_id, ids)
    coming = incoming(session, tenant_id, ids)
    units = _sellable(session, tenant_id, ids)
    bundles = _bundles(session, tenant_id, ids)
    return [
        _item(
            variant,
            [
                _place(place, levels.get((variant.id, place.id)), coming.get((variant.id, place.id), 0))
                for place in places
                if variant.id not in bundles and location in {None, place.code}
            ],
            units[variant.id],
        )
        for variant in variants
    ]


def incoming(session: Session, tenant_id: str, variant_ids: Collection[str]) -> dict[tuple[str, str], int]:
    """(variant, location) → units on their way there by open purchases and transfers."""
    rows = session.execute(
        select(
            InboundLine.variant_id,
            Inbound.location_id,
            func.sum(func.greatest(0, InboundLine.expected - InboundLine.received)),
        )
        .join(Inbound, (Inbound.tenant_id == InboundLine.tenant_id) & (Inbound.id == InboundLine.inbound_id))
        .where(
            Inbound.tenant_id == tenant_id,
            Inbound.status.in_(OPEN_INBOUNDS),
            InboundLine.variant_id.in_(variant_ids),
        )
        .group_by(InboundLine.variant_id, Inbound.location_id)
    )
    return {(variant_id, location_id): int(units) for variant_id, location_id, units in rows}


def _levels(session: Session, tenant_id: str, ids: Collection[str]) -> dict[tuple[str, str], StockLevel]:
    rows = session.scalars(
        select(StockLevel)
        .where(StockLevel.tenant_id == tenant_id, StockLevel.variant_id.in_(ids))
        .execution_options(populate_existing=True)
    )
    return {(level.variant_id, level.location_id): level for level in rows}


def _sellable(session: Session, tenant_id: str, ids: Collection[str]) -> dict[str, int]:
    rows = session.execute(
        select(Variant.id, available_units()).where(Variant.tenant_id == tenant_id, Variant.id.in_(ids))
    )
    return {variant_id: int(units) for variant_id, units in rows}


def _bundles(session: Session, tenant_id: str, ids: Collection[str]) -> set[str]:
    query = select(BundleComponent.bundle_variant_id).where(
        BundleComponent.tenant_id == tenant_id, BundleComponent.bundle_variant_id.in_(ids)
    )
    return set(session.scalars(query))


def _matching(session: Session, tenant_id: str, query: str) -> list[Variant]:
    words = func.plainto_tsquery("english", query)
    titled = func.to_tsvector("english", Variant.title).op("@@")(words)
    exact = or_(Variant.id == query, Variant.product_id == query, func.lower(Variant.sku) == query.lower())
    base = (
        select(Variant)
        .join(Product, (Product.tenant_id == Variant.tenant_id) & (Product.id == Variant.product_id))
        .where(Variant.tenant_id == tenant_id)
        .order_by(Product.position, Product.id, Variant.position, Variant.id)
        .limit(MAX_ITEMS)
    )
    if not query:
        return []
    if found := session.scalars(base.where(exact)).all():
        return list(found)
    starts = Variant.sku.istartswith(query, autoescape=True)
    return list(session.scalars(base.where(or_(starts, titled))).all())


def _item(variant: Variant, locations: list[LocationStock], sellable: int) -> ItemStock:
    return ItemStock(
        sku=variant.sku,
        variant_id=variant.id,
        title=variant.title,
        locations=locations,
        available=sum(location.available for location in locations) if locations else sellable,
        sellable=sellable,
        incoming=sum(location.incoming for location in locations),
    )


def _place(place: Location, level: StockLevel | None, coming: int) -> LocationStock:
    on_hand, reserved, safety = (level.on_hand, level.reserved, level.safety_stock) if level else (0, 0, 0)
    return LocationStock(
        code=place.code,
        name=place.name,
        on_hand=on_hand,
        reserved=reserved,
        available=on_hand - reserved,
        safety_stock=safety,
        sellable=max(0, on_hand - reserved - safety),
        incoming=coming,
    )
