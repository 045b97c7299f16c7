"""A file of products into a shop: what it would change, then item by item or all at once.

A product is the one with the file's external id, else with its slug; a variant the one with its SKU. So the same file a
second time changes nothing. Everything goes through the services that a single change goes through.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from enum import StrEnum
from itertools import islice
from typing import Any, Final

from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.catalog import authoring, price_list
from engine.catalog.authoring import AuthoredProduct, NewProduct, ProductIn, VariantIn
from engine.catalog.bulk.reading import Extras, Item, items_of
from engine.catalog.changes import staff_only
from engine.catalog.models import ListedPrice, Product, Variant
from engine.catalog.price_list import Wanted
from engine.catalog.problems import problems_of
from engine.inventory.models import Location, StockLevel
from engine.inventory.stock_file import import_stock
from engine.kit.errors import DomainError, InvalidInput
from engine.kit.identity import Identity
from engine.kit.views import View
from engine.runtime import Runtime

CHUNK: Final = 100
"""Products of one transaction, when a file goes in item by item."""
SHOWN: Final = 1_000
"""Rows of a report; the counts are of all."""
_EXTRAS: Final = frozenset(Extras.model_fields)


class Verdict(StrEnum):
    ADDED = "added"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    REFUSED = "refused"


class FieldDiff(View):
    field: str
    before: Any
    after: Any


class Row(View):
    line: int
    key: str
    verdict: Verdict
    changes: list[FieldDiff] = []  # noqa: RUF012 (a pydantic default is copied)
    problems: list[str] = []  # noqa: RUF012 (a pydantic default is copied)


class Report(View):
    """``rows`` holds the first of what is not unchanged; ``applied`` whether the good ones are in the shop."""

    counts: dict[Verdict, int]
    rows: list[Row]
    applied: bool
    atomic: bool


class _Tally:
    def __init__(self) -> None:
        self.counts = dict.fromkeys(Verdict, 0)
        self.rows: list[Row] = []

    def add(self, row: Row) -> None:
        self.counts[row.verdict] += 1
        if row.verdict != Verdict.UNCHANGED and len(self.rows) < SHOWN:
            self.rows.append(row)

    def report(self, *, applied: bool, atomic: bool) -> Report:
        return Report(counts=self.counts, rows=self.rows, applied=applied, atomic=atomic)


def run(runtime: Runtime, identity: Identity, text: str, form: str, *, dry_run: bool, atomic: bool) -> Report:
    """Bring the shop to what the file says. Item by item: the good ones go in, ``CHUNK`` at a time, the bad ones are
    told. ``atomic``: all of them or, with one bad, none. ``dry_run`` tries all of it and takes it back.

    Raises ``Forbidden``, ``InvalidInput`` for what is no such file.
    """
    staff_only(identity)
    tally, seen = _Tally(), set[str]()
    chunks = _chunks(items_of(text, form))
    if atomic:
        applied = _transact(runtime, identity, chunks, seen, tally, keep=not dry_run, whole=True)
        return tally.report(applied=applied, atomic=True)
    for chunk in chunks:
        _transact(runtime, identity, iter([chunk]), seen, tally, keep=not dry_run, whole=False)
    return tally.report(applied=not dry_run, atomic=False)


def _transact(
    runtime: Runtime,
    identity: Identity,
    chunks: Iterator[list[Item]],
    seen: set[str],
    tally: _Tally,
    *,
    keep: bool,
    whole: bool,
) -> bool:
    """One transaction; false when it was taken back."""
    with runtime.unit_of_work(identity.tenant_id) as session:
        outer = session.begin_nested()
        for chunk in chunks:
            _go(session, identity, chunk, seen, tally)
        keep = keep and not (whole and tally.counts[Verdict.REFUSED])
        if keep:
            outer.commit()
        else:
            outer.rollback()
    return keep


def _chunks(items: Iterator[Item]) -> Iterator[list[Item]]:
    while chunk := list(islice(items, CHUNK)):
        yield chunk


def _go(session: Session, identity: Identity, items: Sequence[Item], seen: set[str], tally: _Tally) -> None:
    for item in items:
        if item.key in seen:
            words = "The file names this product twice; its rows stand together."
            tally.add(Row(line=item.line, key=item.key, verdict=Verdict.REFUSED, problems=[words]))
            continue
        seen.add(item.key)
        tally.add(_one(session, identity, item))
    session.flush()
    session.expunge_all()


def _one(session: Session, identity: Identity, item: Item) -> Row:
    """Try one item; what it had done is taken back when it cannot be."""
    if item.problem:
        return Row(line=item.line, key=item.key, verdict=Verdict.REFUSED, problems=[item.problem])
    try:
        with session.begin_nested():
            verdict, changes = _bring(session, identity, item)
            session.flush()
    except ValidationError as error:
        problems = [str(one) for one in problems_of(error)]
    except DomainError as error:
        problems = [error.message]
    else:
        return Row(line=item.line, key=item.key, verdict=verdict, changes=changes)
    return Row(line=item.line, key=item.key, verdict=Verdict.REFUSED, problems=problems)


def _bring(session: Session, identity: Identity, item: Item) -> tuple[Verdict, list[FieldDiff]]:
    product = _find(session, identity.tenant_id, item.said)
    extras = [Extras.model_validate({k: v for k, v in row.items() if k in _EXTRAS}) for row in item.variants]
    bare = [{name: value for name, value in row.items() if name not in _EXTRAS} for row in item.variants]
    if product is None:
        authoring.create(session, identity, NewProduct.model_validate(item.said | {"variants": bare}))
        changes = _more(session, identity, item.variants, extras)
        return Verdict.ADDED, changes
    before = authoring.view(session, product)
    changes = _change(session, identity, before, item.said, bare)
    changes += _more(session, identity, item.variants, extras)
    return (Verdict.CHANGED if changes else Verdict.UNCHANGED), changes


def _find(session: Session, tenant_id: str, said: dict[str, Any]) -> Product | None:
    mine = select(Product).where(Product.tenant_id == tenant_id)
    found = None
    if said.get("external_id"):
        found = session.scalars(mine.where(Product.external_id == str(said["external_id"]))).first()
    if found is None and said.get("slug"):
        found = session.scalars(mine.where(Product.slug == str(said["slug"]))).first()
    return found


def _change(
    session: Session, identity: Identity, before: AuthoredProduct, said: dict[str, Any], variants: list[dict[str, Any]]
) -> list[FieldDiff]:
    was = before.model_dump(mode="json", include=set(ProductIn.model_fields))
    was["facts"] = {name: value for name, value in was["facts"].items() if value not in (None, [], {}, "")}
    if isinstance(said.get("facts"), dict):
        said = said | {"facts": was["facts"] | said["facts"]}
    if isinstance(said.get("options"), dict):
        said = said | {"options": _wider(was["options"], said["options"])}
    changes = _differ("", was, {name: value for name, value in said.items() if was.get(name) != value})
    if changes:
        authoring.change(session, identity, before.id, {one.field: said[one.field] for one in changes})
    known = {one.sku: one for one in before.variants}
    for row in variants:
        changes += _change_variant(session, identity, before.id, known.get(str(row.get("sku"))), row)
    return changes


def _wider(was: dict[str, list[str]], said: dict[str, Any]) -> dict[str, Any]:
    """The values of options that there are, and those that are new: a file may hold some of the variants only."""
    return {
        name: [*was.get(name, []), *(one for one in values if one not in was.get(name, []))]
        if isinstance(values, list)
        else values
        for name, values in said.items()
    }


def _change_variant(
    session: Session, identity: Identity, product_id: str, known: Any, row: dict[str, Any]
) -> list[FieldDiff]:
    sku = str(row.get("sku"))
    if known is None:
        authoring.add_variant(session, identity, product_id, VariantIn.model_validate(row))
        return [FieldDiff(field=f"{sku}", before=None, after="added")]
    was = known.model_dump(mode="json", include=set(VariantIn.model_fields))
    was |= {"price": known.price.amount, "cost": known.cost.amount}
    changes = _differ(f"{sku}.", was, {name: value for name, value in row.items() if was.get(name) != value})
    if changes:
        named = {one.field.removeprefix(f"{sku}."): row[one.field.removeprefix(f"{sku}.")] for one in changes}
        authoring.change_variant(session, identity, known.id, named)
    return changes


def _differ(head: str, was: dict[str, Any], said: dict[str, Any]) -> list[FieldDiff]:
    return [FieldDiff(field=f"{head}{name}", before=was.get(name), after=value) for name, value in said.items()]


def _more(session: Session, identity: Identity, rows: list[dict[str, Any]], extras: list[Extras]) -> list[FieldDiff]:
    """Prices in other currencies and units on hand, each by its own service."""
    wanted = [(str(row["sku"]), one) for row, one in zip(rows, extras, strict=True)]
    return _prices(session, identity, wanted) + _stock(session, identity, wanted)


def _prices(session: Session, identity: Identity, wanted: list[tuple[str, Extras]]) -> list[FieldDiff]:
    skus = [sku for sku, one in wanted if one.prices]
    if not skus:
        return []
    found = session.execute(
        select(Variant.sku, ListedPrice.currency, ListedPrice.amount)
        .join(Variant, (Variant.tenant_id == ListedPrice.tenant_id) & (Variant.id == ListedPrice.variant_id))
        .where(Variant.tenant_id == identity.tenant_id, Variant.sku.in_(skus))
        .where(ListedPrice.starts_at.is_(None), ListedPrice.ends_at.is_(None))
    )
    was = {(sku, currency): amount for sku, currency, amount in found}
    new = [
        (sku, currency, amount)
        for sku, one in wanted
        for currency, amount in one.prices.items()
        if was.get((sku, currency)) != amount
    ]
    if new:
        price_list.set_prices(session, identity, [Wanted(sku, amount, currency) for sku, currency, amount in new])
    return [FieldDiff(field=f"{sku}.prices.{cur}", before=was.get((sku, cur)), after=to) for sku, cur, to in new]


def _stock(session: Session, identity: Identity, wanted: list[tuple[str, Extras]]) -> list[FieldDiff]:
    skus = [sku for sku, one in wanted if one.stock]
    if not skus:
        return []
    found = session.execute(
        select(Variant.sku, Location.code, StockLevel.on_hand)
        .join(Variant, (Variant.tenant_id == StockLevel.tenant_id) & (Variant.id == StockLevel.variant_id))
        .join(Location, (Location.tenant_id == StockLevel.tenant_id) & (Location.id == StockLevel.location_id))
        .where(Variant.tenant_id == identity.tenant_id, Variant.sku.in_(skus))
    )
    was = {(sku, code): units for sku, code, units in found}
    new = [
        (sku, code, units) for sku, one in wanted for code, units in one.stock.items() if was.get((sku, code)) != units
    ]
    if new:
        _import_stock(session, identity, new)
    return [FieldDiff(field=f"{sku}.stock.{code}", before=was.get((sku, code)), after=to) for sku, code, to in new]


def _import_stock(session: Session, identity: Identity, rows: list[tuple[str, str, int]]) -> None:
    table = io.StringIO()
    csv.writer(table).writerows([("sku", "location", "on_hand"), *rows])
    diff = import_stock(session, identity.tenant_id, actor=identity.id, text=table.getvalue(), dry_run=False)
    if diff.problems:
        raise InvalidInput(diff.problems[0].message, param="stock")
