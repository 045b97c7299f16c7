"""The list of prices as staff keep it: set, schedule, end. Each change is in the audit, and told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import ColumnElement, case, select
from sqlalchemy.orm import Session, aliased

from engine.catalog.changes import MAX_AMOUNT, set_price, staff_only
from engine.catalog.errors import PriceOver
from engine.catalog.models import ListedPrice, Variant
from engine.catalog.prices import its_time, narrowest
from engine.kit import audit, clock, outbox
from engine.kit.errors import InvalidInput, NotFound
from engine.kit.identity import Identity
from engine.kit.ids import new_id
from engine.kit.money import is_currency
from engine.kit.pagination import Page, decode_cursor, encode_cursor
from engine.kit.tenancy import Tenant
from engine.kit.views import Price, View

HOME: Final = "home"
"""The source of a variant's own price in the home currency."""
_Key = tuple[str, str, datetime | None, datetime | None]
"""Of a row: variant, currency and time."""


class PriceStatus(StrEnum):
    SCHEDULED = "scheduled"
    IN_FORCE = "in_force"
    BEHIND = "behind"  # its time, but another one is narrower
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A price of a variant (by SKU), always or for a time; minor units of ``currency``, the home currency without."""

    sku: str
    amount: int
    currency: str | None = None
    compare_at: int | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None


class PriceView(View):
    """A row of the list; ``id`` is ``None`` for the variant's own price in the home currency."""

    id: str | None
    variant_id: str
    sku: str
    price: Price
    compare_at: Price | None
    starts_at: datetime | None
    ends_at: datetime | None
    status: PriceStatus
    source: str


def set_prices(session: Session, identity: Identity, wanted: Sequence[Wanted]) -> list[PriceView]:
    """Set all of these or none. One for the same variant, currency and time takes the place of what was there.

    Prices may be listed in any currency of ISO 4217; the shop sells in those its policy names. Raises ``Forbidden`` for
    shoppers, ``NotFound``, ``InvalidInput``.
    """
    home = session.get_one(Tenant, identity.tenant_id).currency
    put = put_prices(session, identity, wanted)
    ids = [price_id for _, price_id in put if price_id]
    rows = {row.id: row for row in _views(session, identity.tenant_id, [ListedPrice.id.in_(ids)])}
    return [rows[price_id] if price_id else _own(variant, home) for variant, price_id in put]


def put_prices(session: Session, identity: Identity, wanted: Sequence[Wanted]) -> list[tuple[Variant, str | None]]:
    """The same with no more than the variant and the id of its row, ``None`` for its own price in the home currency."""
    staff_only(identity)
    home = session.get_one(Tenant, identity.tenant_id).currency
    for one in wanted:
        _check(one, home)
    variants = _locked(session, identity.tenant_id, [one.sku for one in wanted])
    there = _there(session, identity.tenant_id, [one.id for one in variants.values()])
    acts: list[audit.Act] = []
    told: dict[str, dict[str, Any]] = {}
    put: list[tuple[Variant, str | None]] = []
    for one in wanted:
        variant = variants[one.sku]
        facts = _set(session, identity, variant, one, home, there)
        put.append((variant, str(facts["price_id"]) if facts else None))
        if facts:
            acts.append(("catalog.set_price", variant.id, facts))
            told[variant.product_id] = facts
    session.flush()
    audit.record_all(session, identity.tenant_id, actor=identity.id, acts=acts)
    outbox.emit_all(session, identity.tenant_id, "catalog.price_changed", told)
    return put


def end(session: Session, identity: Identity, price_id: str) -> PriceView:
    """A price is over from now on; one that never began is taken off the list. Raises ``Forbidden``, ``NotFound``,
    ``PriceOver``.
    """
    staff_only(identity)
    row = session.get(ListedPrice, (identity.tenant_id, price_id), with_for_update=True)
    if row is None:
        raise NotFound("There is no such price.")
    now = clock.now()
    if row.ends_at is not None and row.ends_at <= now:
        raise PriceOver("That price is over already.")
    began = row.starts_at is None or row.starts_at < now
    if began:
        row.ends_at, row.updated_at = now, now
        session.flush()
    view = _views(session, identity.tenant_id, [ListedPrice.id == price_id])[0]
    if not began:
        session.delete(row)
        view = view.model_copy(update={"status": PriceStatus.ENDED})
    variant = session.get_one(Variant, (identity.tenant_id, row.variant_id))
    _tell(session, identity, variant, "catalog.price_ended", _facts(row) | {"price_id": price_id, "began": began})
    return view


def listed(
    session: Session,
    tenant_id: str,
    *,
    sku: str | None = None,
    currency: str | None = None,
    status: PriceStatus | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> Page[PriceView]:
    """The list, oldest first, a page at a time; a variant's own home price is not on it. Raises ``InvalidInput``."""
    conditions: list[ColumnElement[bool]] = []
    if sku:
        conditions.append(Variant.sku == sku)
    if currency:
        conditions.append(ListedPrice.currency == currency)
    if status:
        conditions.append(_status(clock.now()) == status.value)
    if cursor:
        (last,) = decode_cursor(cursor, size=1)
        conditions.append(ListedPrice.id > str(last))
    rows = _views(session, tenant_id, conditions, limit=limit + 1)
    shown = rows[:limit]
    return Page(shown, encode_cursor([str(shown[-1].id)]) if len(rows) > limit else None)


def _check(one: Wanted, home: str) -> None:
    """Raises ``InvalidInput`` for what no price can be."""
    currency = one.currency or home
    if not is_currency(currency):
        raise InvalidInput(f"{currency} is not a currency.", param="currency")
    if not 0 <= one.amount <= MAX_AMOUNT:
        raise InvalidInput(f"A price lies between 0 and {MAX_AMOUNT:,} minor units.", param="amount")
    if one.compare_at is not None and not one.amount < one.compare_at <= MAX_AMOUNT:
        raise InvalidInput("What it costs otherwise is more than the price.", param="compare_at")
    if one.ends_at is not None and one.ends_at <= max(clock.now(), one.starts_at or clock.now()):
        raise InvalidInput("A price ends after it starts, and later than now.", param="ends_at")
    always = one.starts_at is None and one.ends_at is None
    if always and one.compare_at is not None:
        raise InvalidInput("Only a price for a time is compared with another.", param="compare_at")


def _locked(session: Session, tenant_id: str, skus: Sequence[str]) -> dict[str, Variant]:
    query = select(Variant).where(Variant.tenant_id == tenant_id, Variant.sku.in_(skus)).order_by(Variant.id)
    found = {row.sku: row for row in session.scalars(query.with_for_update())}
    if missing := sorted(set(skus) - set(found)):
        raise NotFound(f"This shop has no item {missing[0]!r}.")
    return found


def _there(session: Session, tenant_id: str, variant_ids: Sequence[str]) -> dict[_Key, ListedPrice]:
    rows = session.scalars(
        select(ListedPrice).where(ListedPrice.tenant_id == tenant_id, ListedPrice.variant_id.in_(variant_ids))
    )
    return {(row.variant_id, row.currency, row.starts_at, row.ends_at): row for row in rows}


def _set(
    session: Session, identity: Identity, variant: Variant, one: Wanted, home: str, there: dict[_Key, ListedPrice]
) -> dict[str, Any] | None:
    """What is to be told of it; ``None`` when it is the variant's own price."""
    currency = one.currency or home
    if currency == home and one.starts_at is None and one.ends_at is None:
        set_price(session, identity, variant_id=variant.id, amount=one.amount)
        return None
    key = (variant.id, currency, one.starts_at, one.ends_at)
    row = there.get(key)
    before = row.amount if row else None
    if row is None:
        row = ListedPrice(
            tenant_id=variant.tenant_id,
            id=new_id("price"),
            variant_id=variant.id,
            currency=currency,
            starts_at=one.starts_at,
            ends_at=one.ends_at,
        )
        there[key] = row
        session.add(row)
    row.amount, row.compare_at, row.source, row.updated_at = one.amount, one.compare_at, identity.id, clock.now()
    return _facts(row) | {"from": before, "price_id": row.id}


def _facts(row: ListedPrice) -> dict[str, Any]:
    moments = {"starts_at": row.starts_at, "ends_at": row.ends_at}
    said = {name: moment.isoformat() for name, moment in moments.items() if moment}
    return {"variant_id": row.variant_id, "currency": row.currency, "to": row.amount} | said


def _tell(session: Session, identity: Identity, variant: Variant, action: str, facts: dict[str, Any]) -> None:
    tenant_id = identity.tenant_id
    outbox.emit(session, tenant_id, "catalog.price_changed", variant.product_id, facts)
    audit.record(session, tenant_id, actor=identity.id, action=action, subject=variant.id, facts=facts)


def _own(variant: Variant, home: str) -> PriceView:
    return PriceView(
        id=None,
        variant_id=variant.id,
        sku=variant.sku,
        price=Price(amount=variant.price, currency=home),
        compare_at=None,
        starts_at=None,
        ends_at=None,
        status=PriceStatus.IN_FORCE,
        source=HOME,
    )


def _views(
    session: Session, tenant_id: str, conditions: Sequence[ColumnElement[bool]], *, limit: int = 500
) -> list[PriceView]:
    rows = session.execute(
        select(ListedPrice, Variant.sku, _status(clock.now()))
        .join(Variant, (Variant.tenant_id == ListedPrice.tenant_id) & (Variant.id == ListedPrice.variant_id))
        .where(ListedPrice.tenant_id == tenant_id, *conditions)
        .order_by(ListedPrice.id)
        .limit(limit)
    )
    return [_view(row, sku, PriceStatus(status)) for row, sku, status in rows]


def _view(row: ListedPrice, sku: str, status: PriceStatus) -> PriceView:
    compare_at = None if row.compare_at is None else Price(amount=row.compare_at, currency=row.currency)
    return PriceView(
        id=row.id,
        variant_id=row.variant_id,
        sku=sku,
        price=Price(amount=row.amount, currency=row.currency),
        compare_at=compare_at,
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        status=status,
        source=row.source,
    )


def _status(now: datetime) -> ColumnElement[str]:
    """What a row of the list is at a moment."""
    other = aliased(ListedPrice)
    first = (
        select(other.id)
        .where(
            other.tenant_id == ListedPrice.tenant_id,
            other.variant_id == ListedPrice.variant_id,
            other.currency == ListedPrice.currency,
            *its_time(other, now),
        )
        .order_by(*narrowest(other))
        .limit(1)
        .correlate(ListedPrice)
        .scalar_subquery()
    )
    return case(
        (ListedPrice.ends_at <= now, PriceStatus.ENDED.value),
        (ListedPrice.starts_at > now, PriceStatus.SCHEDULED.value),
        (first == ListedPrice.id, PriceStatus.IN_FORCE.value),
        else_=PriceStatus.BEHIND.value,
    )
