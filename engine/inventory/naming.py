"""SKUs and location codes, as people name things, to ids."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.catalog.models import Variant
from engine.inventory.models import Location
from engine.kit.errors import InvalidInput, NotFound
from engine.kit.ids import echo


@dataclass(frozen=True, slots=True)
class Names:
    """SKU → variant id, location code → location id."""

    items: Mapping[str, str]
    places: Mapping[str, str]


def look_up(session: Session, tenant_id: str, *, skus: Collection[str], codes: Collection[str]) -> Names:
    """The ids of what is named. Raises ``NotFound`` for the first that is not there."""
    variants = session.execute(
        select(Variant.sku, Variant.id).where(Variant.tenant_id == tenant_id, Variant.sku.in_(skus))
    )
    places = session.execute(
        select(Location.code, Location.id).where(Location.tenant_id == tenant_id, Location.code.in_(codes))
    )
    names = Names({sku: item for sku, item in variants}, {code: place for code, place in places})  # noqa: C416 (untyped rows)
    if missing := sorted(set(skus) - set(names.items)):
        raise NotFound(f"This shop has no item {echo(missing[0], 'of that SKU')}.")
    if missing := sorted(set(codes) - set(names.places)):
        raise NotFound(f"This shop has no location {echo(missing[0], 'of that code')}.")
    return names


def by_item(names: Names, rows: Sequence[tuple[str, int]]) -> dict[str, int]:
    """Variant id → number. Raises ``InvalidInput`` when a SKU is named twice."""
    found = {names.items[sku]: number for sku, number in rows}
    if len(found) < len(rows):
        raise InvalidInput("Name each item once.", param="lines")
    return found
