"""A chunk of a file of products into the shop: what it finds there in a few reads, what it changes in a few writes.

A product is the one with the file's external id, else with its slug; a variant the one with its SKU. So the same file a
second time changes nothing. The rules are those that a single change goes by (``drafting``); prices in other currencies
and units on hand go through their own services.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from engine.catalog import price_list
from engine.catalog.bulk import planning, shelf
from engine.catalog.bulk.planning import Plan
from engine.catalog.bulk.reading import Extras, Item
from engine.catalog.bulk.running import FieldDiff, Row, Verdict, refusal, together_or_apart
from engine.catalog.bulk.shelf import Shelf
from engine.catalog.changes import staff_only
from engine.catalog.drafting import taken
from engine.catalog.price_list import Wanted
from engine.catalog.problems import problems_of
from engine.inventory.stock_file import import_stock
from engine.kit import audit, outbox
from engine.kit.errors import DomainError, OverLimit
from engine.kit.identity import Identity
from engine.kit.money import is_currency

_EXTRAS: Final = frozenset(Extras.model_fields)


def bring(session: Session, identity: Identity, items: Sequence[Item]) -> list[Row]:
    """Bring the shop to what a chunk says; a row for each item. Raises ``Forbidden``."""
    staff_only(identity)
    return together_or_apart(session, identity, items, _together, _refused)


@dataclass(slots=True)
class _Tried:
    """An item, and what of it goes in, or why nothing does."""

    item: Item
    plan: Plan | None
    extras: list[tuple[str, Extras]]
    problems: list[str]


class _Barred(Exception):
    """What inventory refuses: SKU → why. All the rest of the chunk can go in without them."""

    def __init__(self, why: dict[str, str]) -> None:
        super().__init__()
        self.why = why


def _together(session: Session, identity: Identity, items: Sequence[Item]) -> list[Row]:
    barred: dict[str, str] = {}
    while True:
        try:
            with session.begin_nested():
                return _attempt(session, identity, items, barred)
        except _Barred as refused:
            session.expunge_all()
            barred |= refused.why


def _attempt(session: Session, identity: Identity, items: Sequence[Item], barred: dict[str, str]) -> list[Row]:
    found = shelf.read(session, identity.tenant_id, items)
    tried = [_try(identity, found, item, barred) for item in items]
    good = [one.plan for one in tried if one.plan]
    for plan in good:
        planning.put(session, plan)
    session.flush()
    _tell(session, identity, good)
    extras = [extra for one in tried if one.plan for extra in one.extras]
    more: dict[str, list[FieldDiff]] = {}
    for sku, diff in [*_prices(session, identity, found, extras), *_stock(session, identity, found, extras)]:
        more.setdefault(sku, []).append(diff)
    return [_row(one, more) for one in tried]


def _try(identity: Identity, found: Shelf, item: Item, barred: dict[str, str]) -> _Tried:
    known = [barred[sku] for row in item.variants if (sku := str(row.get("sku"))) in barred]
    if item.problem or known:
        return _Tried(item, None, [], [item.problem] if item.problem else list(dict.fromkeys(known)))
    try:
        extras = [
            (str(row.get("sku")), Extras.model_validate({name: row[name] for name in _EXTRAS if name in row}))
            for row in item.variants
        ]
        if unknown := [code for _, one in extras for code in one.prices if not is_currency(code)]:
            return _Tried(item, None, [], [f"{unknown[0]} is not a currency."])
        bare = [{name: value for name, value in row.items() if name not in _EXTRAS} for row in item.variants]
        return _Tried(item, planning.plan(identity.tenant_id, found, item.said, bare), extras, [])
    except ValidationError as error:
        return _Tried(item, None, [], [str(one) for one in problems_of(error)])
    except DomainError as error:
        return _Tried(item, None, [], [error.message])


def _refused(item: Item, error: Exception) -> Row:
    return refusal(item, taken(str(error.orig)).message if isinstance(error, IntegrityError) else str(error))


def _row(one: _Tried, more: dict[str, list[FieldDiff]]) -> Row:
    if one.plan is None:
        return refusal(one.item, *one.problems)
    changes = [*one.plan.changes, *(diff for sku, _ in one.extras for diff in more.pop(sku, []))]
    verdict = Verdict.ADDED if one.plan.is_new else Verdict.CHANGED if changes else Verdict.UNCHANGED
    return Row(line=one.item.line, key=one.item.key, verdict=verdict, changes=changes)


def _tell(session: Session, identity: Identity, plans: Iterable[Plan]) -> None:
    """A line of the audit for each act, one word to the index for each product."""
    acts = [(action, plan.product.id, facts) for plan in plans for action, facts in plan.acts]
    audit.record_all(session, identity.tenant_id, actor=identity.id, acts=acts)
    told: dict[str, dict[str, Any]] = {subject: {} for _, subject, _ in acts}
    outbox.emit_all(session, identity.tenant_id, "catalog.product_changed", told)


def _prices(
    session: Session, identity: Identity, found: Shelf, extras: Sequence[tuple[str, Extras]]
) -> list[tuple[str, FieldDiff]]:
    new = [
        (sku, currency, amount)
        for sku, one in extras
        for currency, amount in one.prices.items()
        if found.prices.get((sku, currency)) != amount
    ]
    if new:
        price_list.put_prices(session, identity, [Wanted(sku, amount, currency) for sku, currency, amount in new])
    return [
        (sku, FieldDiff(field=f"{sku}.prices.{cur}", before=found.prices.get((sku, cur)), after=to))
        for sku, cur, to in new
    ]


def _stock(
    session: Session, identity: Identity, found: Shelf, extras: Sequence[tuple[str, Extras]]
) -> list[tuple[str, FieldDiff]]:
    new = [
        (sku, code, units)
        for sku, one in extras
        for code, units in one.stock.items()
        if found.stock.get((sku, code)) != units
    ]
    if new:
        _import_stock(session, identity, new)
    return [
        (sku, FieldDiff(field=f"{sku}.stock.{code}", before=found.stock.get((sku, code)), after=to))
        for sku, code, to in new
    ]


def _import_stock(session: Session, identity: Identity, rows: Sequence[tuple[str, str, int]]) -> None:
    text = io.StringIO()
    csv.writer(text).writerows([("sku", "location", "on_hand"), *rows])
    try:
        diff = import_stock(session, identity.tenant_id, actor=identity.id, text=text.getvalue(), dry_run=False)
    except OverLimit as refused:
        raise _Barred(dict.fromkeys((sku for sku, _, _ in rows), refused.message)) from None
    if diff.problems:
        raise _Barred({rows[one.line - 2][0]: one.message for one in diff.problems})
