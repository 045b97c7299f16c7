"""Where the systems' counts of an item are not the same: by what each of them said last, and what we have."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from engine.catalog.models import Variant
from engine.catalog.shop_file import StockPolicy
from engine.inventory.availability import available_units
from engine.kit.pagination import Page, decode_cursor, encode_cursor
from engine.kit.views import View
from engine.sync import connections
from engine.sync.models import Connection, System
from engine.sync.work_models import Reading
from engine.workflows import pipeline
from engine.workflows.settings import PipelineSettings

OURS: Final = "ours"
"""Our own engine, among the systems."""
_PUSHES: Final = "inventorySync"
"""The workflow whose settings say what is kept back."""
_FRONTS: Final = frozenset({System.SHOPIFY, System.WOOCOMMERCE})
_SOME: Final = 500
_TWO: Final = 2
_Counted = tuple[str, int, datetime | None]
"""A connection or ours, what it has, and as of when."""
_LEADS: Final = (System.NETSUITE,)
"""Whose count the others are held against; ours where there is none."""


class Count(View):
    """What one system has of an item. ``read_at`` is the oldest of its places' readings; ours is as of now."""

    system: str
    connection_id: str
    available: int
    difference: int
    """To what it should be by what leads: more there is positive. A shop system should have what leads has, less what
    the shop keeps back.
    """
    read_at: datetime | None


class ItemDrift(View):
    """An item in all systems that know it. ``spread``: the largest difference there is."""

    sku: str
    leads: str
    """Whose count the others are held against."""
    counts: list[Count]
    spread: int


def drift(
    session: Session, tenant_id: str, *, drifting: bool = True, limit: int = 50, cursor: str | None = None
) -> Page[ItemDrift]:
    """Items by SKU; ``drifting``: only those that are not counted alike everywhere."""
    after = str(decode_cursor(cursor, size=1)[0]) if cursor else ""
    rows = _rows(session, tenant_id, after)
    wanted = (row for row in rows if row.spread) if drifting else rows
    found = list(islice(wanted, limit + 1))
    more = len(found) > limit
    return Page(found[:limit], encode_cursor([found[limit - 1].sku]) if more else None)


def last_read(session: Session, tenant_id: str) -> datetime | None:
    """When stock was read anywhere for the last time."""
    return session.scalar(select(func.max(Reading.read_at)).where(Reading.tenant_id == tenant_id))


def _rows(session: Session, tenant_id: str, after: str) -> Iterator[ItemDrift]:
    known = {row.id: row for row in connections.listed(session, tenant_id)}
    leads = next((row.id for one in _LEADS for row in known.values() if row.system == one), OURS)
    rules = pipeline.settings_of(session, tenant_id, _PUSHES)
    while skus := _next(session, tenant_id, after):
        counted = _counted(session, tenant_id, skus)
        for sku in skus:
            if row := _row(sku, counted[sku], known, leads, _kept_back(rules, sku)):
                yield row
        after = skus[-1]


def _next(session: Session, tenant_id: str, after: str) -> Sequence[str]:
    query = select(Reading.sku).distinct().where(Reading.tenant_id == tenant_id, Reading.sku > after)
    return session.scalars(query.order_by(Reading.sku).limit(_SOME)).all()


def _counted(
    session: Session, tenant_id: str, skus: Sequence[str]
) -> dict[str, list[tuple[str, int, datetime | None]]]:
    found: dict[str, list[tuple[str, int, datetime | None]]] = defaultdict(list)
    per = (
        select(Reading.sku, Reading.connection_id, func.sum(Reading.available), func.min(Reading.read_at))
        .where(Reading.tenant_id == tenant_id, Reading.sku >= skus[0], Reading.sku <= skus[-1])
        .group_by(Reading.sku, Reading.connection_id)
        .order_by(Reading.sku, Reading.connection_id)
    )
    for sku, connection_id, available, read_at in session.execute(per):
        found[sku].append((connection_id, int(available), read_at))
    counted = Variant.stock_policy != StockPolicy.UNTRACKED  # of the others we keep no count that could differ
    ours = select(Variant.sku, available_units()).where(Variant.tenant_id == tenant_id, Variant.sku.in_(skus), counted)
    for sku, available in session.execute(ours):
        found[sku].append((OURS, int(available), None))
    return found


def _row(
    sku: str, counted: Sequence[_Counted], known: dict[str, Connection], leads: str, kept_back: int
) -> ItemDrift | None:
    """Nothing for an item that only one of them knows: there is nothing to compare."""
    open_ones = [one for one in counted if one[0] == OURS or one[0] in known]
    if len(open_ones) < _TWO:
        return None
    named = {one[0]: one[1] for one in open_ones}
    leader = leads if leads in named else open_ones[0][0]
    counts = [
        Count(
            system=OURS if name == OURS else str(known[name].system),
            connection_id="" if name == OURS else name,
            available=available,
            difference=available - _expected(name, named[leader], known, 0 if name == leader else kept_back),
            read_at=read_at,
        )
        for name, available, read_at in open_ones
    ]
    leader_system = OURS if leader == OURS else str(known[leader].system)
    return ItemDrift(sku=sku, leads=leader_system, counts=counts, spread=max(abs(one.difference) for one in counts))


def _kept_back(rules: PipelineSettings, sku: str) -> int:
    return rules.safety_stock_of.get(sku, rules.safety_stock)


def _expected(name: str, leading: int, known: dict[str, Connection], kept_back: int) -> int:
    """What a system should have, by what leads."""
    return max(0, leading - kept_back) if name in known and known[name].system in _FRONTS else leading
