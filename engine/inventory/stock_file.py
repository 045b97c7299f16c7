"""Stock as a file: what a CSV of counts would change, and changing it, all of it or nothing."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from engine.catalog.models import Variant
from engine.inventory import adjust_limits, levels
from engine.inventory.adjusting import known_stocked
from engine.inventory.books import costs_of, post_adjustment
from engine.inventory.errors import NotStocked
from engine.inventory.levels import Move
from engine.inventory.models import Location, MovementKind, StockLevel
from engine.kit import audit
from engine.kit.errors import InvalidInput
from engine.kit.ids import echo, new_id
from engine.kit.views import View

COLUMNS: Final = ("sku", "location", "on_hand", "safety_stock", "low_stock_at")
"""The first three must be there. An empty cell of the others leaves the value as it is."""
MAX_ROWS: Final = 50_000
_MAX_UNITS: Final = 10_000_000
_DIGITS: Final = 20


class FieldChange(View):
    field: str
    before: int | None
    after: int | None


class RowChange(View):
    """What one row of the file changes."""

    line: int
    sku: str
    location: str
    changes: list[FieldChange]


class Problem(View):
    """Why a row cannot be taken; ``line`` counts from 1, the heading."""

    line: int
    message: str


class StockDiff(View):
    """``applied`` only when there is no problem and it was no rehearsal."""

    rows: int
    changed: list[RowChange]
    problems: list[Problem]
    cost_delta: int
    """Minor units at cost, signed: what the books change by."""
    over_limit: str | None = None
    """Why one person may not apply it alone."""
    applied: bool
    subject: str | None
    """Names the import in the stock ledger and the journal."""


@dataclass(frozen=True, slots=True)
class _Row:
    line: int
    sku: str
    location: str
    values: Mapping[str, int]


def import_stock(
    session: Session, tenant_id: str, *, actor: str, text: str, dry_run: bool, approved: str | None = None
) -> StockDiff:
    """Bring levels to what the file says, or with ``dry_run`` only tell what that would change.

    Rows with problems stop all of it. Raises ``InvalidInput`` for a file that is no such table, ``NeedsCount`` when it
    writes on or off more than one person may in a day (``approved`` names the approval that lifts it).
    """
    try:
        rows, problems = _read(text)
    except csv.Error:
        raise InvalidInput("The file is no table of comma-separated values.", param="csv") from None
    items, places = _ids(session, tenant_id, rows)
    problems += _unknown(session, tenant_id, rows, items, places)
    good = [row for row in rows if row.sku in items and row.location in places]
    now = _now(session, tenant_id, [items[row.sku] for row in good], lock=not dry_run)
    changed = []
    for row in good:
        level = now.get((items[row.sku], places[row.location]))
        reserved = level.reserved if level else 0
        if row.values["on_hand"] < reserved:
            words = f"{reserved} of {row.sku} are promised at {row.location}: it cannot have {row.values['on_hand']}."
            problems.append(Problem(line=row.line, message=words))
        elif found := _changes(row, level):
            changed.append(RowChange(line=row.line, sku=row.sku, location=row.location, changes=found))
    costs = costs_of(session, tenant_id, set(items.values()))
    cost = sum(_units(one) * costs[items[one.sku]] for one in changed)
    units = sum(abs(_units(one)) for one in changed)
    value = sum(abs(_units(one)) * costs[items[one.sku]] for one in changed)
    refused = adjust_limits.exceeded(session, tenant_id, actor=actor, units=units, value=value)
    subject = None
    if not dry_run and not problems and changed:
        subject = new_id("movement")
        adjust_limits.claim(
            session, tenant_id, actor=actor, subject=subject, units=units, value=value, approved=approved
        )
        _apply(session, tenant_id, subject, changed, items, places)
        post_adjustment(session, tenant_id, subject=subject, cost=cost)
        facts = {"rows": len(changed), "cost_delta": cost} | ({"approved": approved} if approved else {})
        audit.record(session, tenant_id, actor=actor, action="stock.imported", subject=subject, facts=facts)
    return StockDiff(
        rows=len(rows),
        changed=changed,
        problems=sorted(problems, key=lambda one: one.line),
        cost_delta=cost,
        over_limit=refused.message if refused and approved is None else None,
        applied=not dry_run and not problems,
        subject=subject,
    )


def _read(text: str) -> tuple[list[_Row], list[Problem]]:
    table = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")))
    heading = [name.strip().lower() for name in table.fieldnames or ()]
    if not set(COLUMNS[:3]) <= set(heading) <= set(COLUMNS):
        raise InvalidInput(f"The first line names the columns: {', '.join(COLUMNS)}.", param="csv")
    table.fieldnames = heading
    rows: list[_Row] = []
    problems: list[Problem] = []
    seen: set[tuple[str, str]] = set()
    for cells in table:
        if len(rows) >= MAX_ROWS:
            raise InvalidInput(f"A file has at most {MAX_ROWS} rows.", param="csv")
        try:
            row = _row(table.line_num, cells)
        except ValueError as error:
            problems.append(Problem(line=table.line_num, message=str(error)))
            continue
        if (row.sku, row.location) in seen:
            problems.append(Problem(line=row.line, message="This item at this location is named twice."))
        else:
            rows.append(row)
        seen.add((row.sku, row.location))
    return rows, problems


def _row(line: int, cells: Mapping[str | None, str | Sequence[str] | None]) -> _Row:
    if None in cells or None in cells.values():
        raise ValueError("It has not as many cells as the first line.")
    texts = {str(name): str(cell).strip() for name, cell in cells.items()}
    numbers = {name: texts[name] for name in COLUMNS[2:] if texts.get(name)}
    if "on_hand" not in numbers:
        raise ValueError("It does not say how many are on hand.")
    for name, cell in numbers.items():
        if not (cell.isascii() and cell.isdigit() and len(cell) <= _DIGITS and int(cell) <= _MAX_UNITS):
            raise ValueError(f"{name} is not a whole number from 0.")
    return _Row(line, texts["sku"], texts["location"], {name: int(cell) for name, cell in numbers.items()})


def _ids(session: Session, tenant_id: str, rows: Sequence[_Row]) -> tuple[dict[str, str], dict[str, str]]:
    known = (Variant.tenant_id == tenant_id, Variant.sku.in_({row.sku for row in rows}))
    variants = session.execute(select(Variant.sku, Variant.id).where(*known))
    places = session.execute(select(Location.code, Location.id).where(Location.tenant_id == tenant_id))
    return {sku: item for sku, item in variants}, {code: place for code, place in places}  # noqa: C416 (untyped rows)


def _unknown(
    session: Session, tenant_id: str, rows: Sequence[_Row], items: Mapping[str, str], places: Mapping[str, str]
) -> list[Problem]:
    found = []
    for row in rows:
        if row.sku not in items:
            found.append(Problem(line=row.line, message=f"There is no item {echo(row.sku, 'of that SKU')}."))
        elif row.location not in places:
            found.append(Problem(line=row.line, message=f"There is no location {echo(row.location, 'of that code')}."))
    try:
        known_stocked(session, tenant_id, set(items.values()))
    except NotStocked as refused:
        sku = refused.message.split(" ", 1)[0]
        line = next(row.line for row in rows if row.sku == sku)
        found.append(Problem(line=line, message=refused.message))
    return found


def _now(session: Session, tenant_id: str, items: Sequence[str], *, lock: bool) -> dict[tuple[str, str], StockLevel]:
    query = (
        select(StockLevel)
        .where(StockLevel.tenant_id == tenant_id, StockLevel.variant_id.in_(items))
        .order_by(StockLevel.variant_id, StockLevel.location_id)
        .execution_options(populate_existing=True)
    )
    rows = session.scalars(query.with_for_update() if lock else query)
    return {(row.variant_id, row.location_id): row for row in rows}


def _changes(row: _Row, level: StockLevel | None) -> list[FieldChange]:
    before = {name: getattr(level, name) if level else (None if name == "low_stock_at" else 0) for name in COLUMNS[2:]}
    return [
        FieldChange(field=name, before=before[name], after=value)
        for name, value in row.values.items()
        if before[name] != value
    ]


def _units(change: RowChange) -> int:
    return sum((one.after or 0) - (one.before or 0) for one in change.changes if one.field == "on_hand")


def _apply(
    session: Session,
    tenant_id: str,
    subject: str,
    changed: Sequence[RowChange],
    items: Mapping[str, str],
    places: Mapping[str, str],
) -> None:
    moves = [
        Move(items[one.sku], places[one.location], MovementKind.ADJUST, subject, on_hand=_units(one), reason="import")
        for one in changed
    ]
    if levels.change(session, tenant_id, moves):
        raise AssertionError("levels are locked")
    for one in changed:
        watched = {field.field: field.after for field in one.changes if field.field != "on_hand"}
        if watched:
            session.execute(
                update(StockLevel)
                .where(
                    StockLevel.tenant_id == tenant_id,
                    StockLevel.variant_id == items[one.sku],
                    StockLevel.location_id == places[one.location],
                )
                .values(watched)
            )
