"""How much can be sold: on hand, less what is promised, less the safety stock.

A unit of a bundle is whole at one place: ``min(floor(component / quantity))`` there. An untracked item is always
there; a pre-order is not before its day, even when its units are.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cache
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Date,
    Integer,
    ScalarSelect,
    Select,
    String,
    and_,
    any_,
    bindparam,
    case,
    cast,
    column,
    func,
    literal,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session, aliased

from engine.catalog.models import Variant
from engine.catalog.shop_file import StockPolicy
from engine.inventory.items import PLENTY, Part, Place, Recipe
from engine.inventory.models import BundleComponent, Location, StockLevel
from engine.kit import clock
from engine.kit.gathering import Query

SELLABLE: Final = func.greatest(0, StockLevel.on_hand - StockLevel.reserved - StockLevel.safety_stock)
"""Units of a stock level that can be sold or promised."""
_TODAY: Final = bindparam("today", type_=Date, callable_=lambda: clock.now().date(), unique=True)
"""The day as of each execution."""
_TENANT: Final = bindparam("tenant", type_=String)
_IDS: Final = bindparam("ids", type_=ARRAY(String))
_UNITS: Final = bindparam("units", type_=ARRAY(Integer))
_AT: Final = bindparam("at", type_=String)


@cache
def available_units() -> ScalarSelect[int]:
    """Sellable units over all locations, for the ``Variant`` of the enclosing query. Built once: nearly every turn of a
    conversation asks it, and it is large.
    """
    of_variant = and_(StockLevel.tenant_id == Variant.tenant_id, StockLevel.variant_id == Variant.id)
    own = select(func.coalesce(func.sum(SELLABLE), 0)).where(of_variant).correlate(Variant).scalar_subquery()
    counted = func.coalesce(_whole_bundles(), own)
    return select(_by_policy(Variant, counted)).correlate(Variant).scalar_subquery()


def is_available() -> ColumnElement[bool]:
    """Whether anything of the enclosing query's ``Variant`` can be sold; asked through the index."""
    return available_units() > 0


def shippable(session: Session, tenant_id: str, variant_ids: Sequence[str]) -> dict[str, list[Place]]:
    """Where each variant can ship from, and how many; one query."""
    rows = _SHIPPABLE.rows(session, tenant=tenant_id, ids=list(variant_ids))
    places: dict[str, list[Place]] = {variant_id: [] for variant_id in variant_ids}
    for row in rows:
        if row["available"] > 0:
            parts = _recipe(zip(row["parts"], row["per_unit"], row["tracked"], row["prices"], strict=True))
            known = zip(row["parts"], row["shelf"], row["tracked"], strict=True)
            shelf = tuple(sorted((one, there) for one, there, tracked in known if tracked))
            place = Place(row["id"], row["region"], row["position"], row["available"], parts, shelf)
            places[row["item"]].append(place)
    return places


def _shippable() -> Select[Any]:
    """Built once, as ``available_units`` is."""
    part, level = aliased(Variant), aliased(StockLevel)
    per_unit = func.coalesce(BundleComponent.quantity, 1)
    units = _units(part, level, per_unit)
    return (
        _with_parts(
            part,
            Variant.id.label("item"),
            Location.id,
            Location.region,
            Location.position,
            func.least(func.min(units), _by_policy(Variant, literal(PLENTY))).label("available"),
            func.array_agg(part.id).label("parts"),
            func.array_agg(per_unit).label("per_unit"),
            func.array_agg(part.stock_policy != StockPolicy.UNTRACKED).label("tracked"),
            func.array_agg(part.price).label("prices"),
            func.array_agg(_shelf(part, level)).label("shelf"),
        )
        .join(Location, and_(Location.tenant_id == Variant.tenant_id, Location.ships))
        .outerjoin(level, _level_at(level, part.tenant_id, part.id))
        .group_by(Variant.tenant_id, Variant.id, Location.tenant_id, Location.id)
        .having(func.min(units) > 0)
        .order_by(Location.position, Location.id)
    )


def _with_parts(part: Any, *columns: Any) -> Select[Any]:
    """Of the variants ``ids`` with the ``part`` each is made of."""
    bundle = and_(BundleComponent.tenant_id == Variant.tenant_id, BundleComponent.bundle_variant_id == Variant.id)
    part_id = func.coalesce(BundleComponent.component_variant_id, Variant.id)
    return (
        select(*columns)
        .select_from(Variant)
        .outerjoin(BundleComponent, bundle)
        .join(part, and_(part.tenant_id == Variant.tenant_id, part.id == part_id))
        .where(Variant.tenant_id == _TENANT, Variant.id == any_(_IDS))
    )


def places_of(session: Session, tenant_id: str, parts: Recipe, *, at: str | None = None) -> list[Place]:
    """Where whole units made of ``parts`` can ship from, or whether they are ``at`` one location; for a line that was
    sold as the bundle was then.
    """
    asked = {"ids": [part.variant_id for part in parts], "units": [part.per_unit for part in parts]}
    found = _PLACES.rows(session, tenant=tenant_id, at=at or "", **asked)
    return [Place(row["id"], row["region"], row["position"], row["available"], parts) for row in found]


def _places() -> Select[str, str, int, int]:
    part, level = aliased(Variant), aliased(StockLevel)
    names = (column("variant_id", String), column("per_unit", Integer))
    wanted = func.unnest(_IDS, _UNITS).table_valued(*names).render_derived(name="wanted")
    units = _units(part, level, wanted.c.per_unit)
    where = or_(and_(_AT == "", Location.ships), Location.id == _AT)
    return (
        select(Location.id, Location.region, Location.position, func.min(units).label("available"))
        .select_from(wanted)
        .join(part, and_(part.tenant_id == _TENANT, part.id == wanted.c.variant_id))
        .join(Location, and_(Location.tenant_id == part.tenant_id, where))
        .outerjoin(level, _level_at(level, part.tenant_id, part.id))
        .group_by(Location.tenant_id, Location.id)
        .having(func.min(units) > 0)
        .order_by(Location.position, Location.id)
    )


def recipes(session: Session, tenant_id: str, variant_ids: Collection[str]) -> dict[str, Recipe]:
    """What a unit of each variant takes from the shelf now."""
    found: dict[str, list[tuple[Any, ...]]] = {}
    for row in _RECIPES.rows(session, tenant=tenant_id, ids=list(variant_ids)):
        part = (row["part"], row["per_unit"], row["tracked"], row["price"])
        found.setdefault(row["item"], []).append(part)
    return {variant_id: _recipe(parts) for variant_id, parts in found.items()}


def _recipes() -> Select[Any]:
    part = aliased(Variant)
    return _with_parts(
        part,
        Variant.id.label("item"),
        part.id.label("part"),
        func.coalesce(BundleComponent.quantity, 1).label("per_unit"),
        (part.stock_policy != StockPolicy.UNTRACKED).label("tracked"),
        part.price,
    )


def lock_stock(session: Session, tenant_id: str, variant_ids: Collection[str]) -> dict[str, Recipe]:
    """Lock the levels of everything the variants are made of, in the order stock is locked; what they are made of.

    Whoever changes the stock of several lines in one transaction calls this first, with all of their variants.
    """
    made_of = recipes(session, tenant_id, variant_ids)
    counted = {part.variant_id for one in made_of.values() for part in one if part.tracked}
    if counted:
        session.execute(_locked_levels(), {"tenant": tenant_id, "ids": sorted(counted)})
    return made_of


def lock_sellable(
    session: Session, tenant_id: str, variant_ids: Collection[str], *, at: Collection[str] | None = None
) -> dict[str, dict[str, int]]:
    """Location that ships, or is one of ``at`` where those are named → variant → sellable units, in the shop's order of
    places. All the variants' levels are locked.
    """
    levels = session.execute(_locked_levels(), {"tenant": tenant_id, "ids": sorted(variant_ids)}).all()
    places = session.scalars(
        select(Location.id)
        .where(Location.tenant_id == tenant_id, Location.ships if at is None else Location.id.in_(at))
        .order_by(Location.position, Location.id)
    )
    pool: dict[str, dict[str, int]] = {place: {} for place in places}
    for level in levels:
        if level.location_id in pool:
            pool[level.location_id][level.variant_id] = level.units
    return pool


@cache
def _locked_levels() -> Select[str, str, int]:
    return (
        select(StockLevel.variant_id, StockLevel.location_id, SELLABLE.label("units"))
        .where(StockLevel.tenant_id == _TENANT, StockLevel.variant_id == any_(_IDS))
        .order_by(StockLevel.variant_id, StockLevel.location_id)
        .with_for_update()
    )


def _recipe(rows: Any) -> Recipe:
    return tuple(sorted(Part(*row) for row in rows))


def _whole_bundles() -> ScalarSelect[int]:
    """Whole units of the enclosing bundle over all locations; ``NULL`` for what is no bundle."""
    part, level = aliased(Variant), aliased(StockLevel)
    here = (
        select(func.min(_units(part, level, BundleComponent.quantity)).label("units"))
        .select_from(BundleComponent)
        .join(part, and_(part.tenant_id == BundleComponent.tenant_id, part.id == BundleComponent.component_variant_id))
        .join(Location, Location.tenant_id == BundleComponent.tenant_id)
        .outerjoin(level, _level_at(level, part.tenant_id, part.id))
        .where(BundleComponent.tenant_id == Variant.tenant_id, BundleComponent.bundle_variant_id == Variant.id)
        .group_by(Location.id)
        .correlate(Variant)
        .lateral()
    )
    return select(cast(func.sum(here.c.units), Integer)).select_from(here).scalar_subquery()


def _level_at(level: Any, tenant: Any, variant: Any) -> ColumnElement[bool]:
    return and_(level.tenant_id == tenant, level.variant_id == variant, level.location_id == Location.id)


def _units(part: Any, level: Any, per_unit: Any) -> ColumnElement[int]:
    """Whole units of a line that the part's stock at a location is enough for."""
    return _shelf(part, level).op("/")(per_unit)


def _shelf(part: Any, level: Any) -> ColumnElement[int]:
    """Units of the part that can be sold from a location."""
    sellable = func.greatest(0, level.on_hand - level.reserved - level.safety_stock)
    return _by_policy(part, func.coalesce(sellable, 0))


def _by_policy(variant: Any, counted: Any) -> ColumnElement[int]:
    early = and_(variant.stock_policy == StockPolicy.PREORDER, variant.available_on > _TODAY)
    return case((variant.stock_policy == StockPolicy.UNTRACKED, PLENTY), (early, 0), else_=counted)


_SHIPPABLE: Final = Query(_shippable)
_PLACES: Final = Query(_places)
_RECIPES: Final = Query(_recipes)
