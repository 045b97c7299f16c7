"""Codes and automatic promotions as a file: CSV with a row for each, JSON with an object for each.

One is found by its ``id``, else by its ``code``; an automatic one without ``id`` by its title, while it has not ended.
What a file does not say stays. Each goes through ``promoting``, as a single one does, and so under the same limits.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.carts import promoting
from engine.carts.models import Discount
from engine.carts.promoting import Promotion
from engine.catalog.bulk.reading import Item, cell_of
from engine.catalog.bulk.running import FieldDiff, Row, Verdict, refusal
from engine.catalog.bulk.streams import Form, Opener, objects, table, unreadable
from engine.catalog.changes import staff_only
from engine.catalog.problems import problems_of
from engine.kit import clock
from engine.kit.errors import DomainError
from engine.kit.identity import Identity

_FOLDED: Final = frozenset({"rules", "amounts"})
"""Cells that hold JSON."""
_TEXT: Final = frozenset({"id", "code", "title", "kind", "category", "stacking", "starts_at", "ends_at"})
_COLUMNS: Final = frozenset({"id", *Promotion.model_fields})


def items_of(opener: Opener, form: Form) -> Iterator[Item]:
    """The promotions of a file, one after the other. Raises ``InvalidInput`` for what is no such file."""
    with opener() as stream:
        if form != "csv":
            yield from (_item(number, one) for number, one in objects(stream, form, "promotions"))
            return
        rows = table(stream, _COLUMNS.__contains__)
        try:
            yield from (_row(rows.line_num, row) for row in rows)
        except (csv.Error, UnicodeDecodeError) as error:
            raise unreadable(error, "a table") from None


def bring(session: Session, identity: Identity, items: Sequence[Item]) -> list[Row]:
    """Bring the shop to what a chunk says; a row for each item. Raises ``Forbidden``."""
    staff_only(identity)
    there = _there(session, identity.tenant_id, items)
    return [_one(session, identity, item, there) for item in items]


def _one(session: Session, identity: Identity, item: Item, there: dict[str, str]) -> Row:
    if item.problem:
        return refusal(item, item.problem)
    try:
        with session.begin_nested():
            verdict, changes = _bring(session, identity, dict(item.said), there)
    except ValidationError as error:
        return refusal(item, *(str(one) for one in problems_of(error)))
    except DomainError as error:
        return refusal(item, error.message)
    return Row(line=item.line, key=item.key, verdict=verdict, changes=changes)


def _bring(
    session: Session, identity: Identity, said: dict[str, Any], there: dict[str, str]
) -> tuple[Verdict, list[FieldDiff]]:
    found = next((there[name] for name in _names(said) if name in there), None)
    named = said.pop("id", None)
    if found is None:
        if named is not None:
            promoting.one(session, identity.tenant_id, str(named))
        made = promoting.create(session, identity, Promotion.model_validate(said))
        there |= dict.fromkeys(_names({"code": made.code, "title": made.title}), made.id)
        return Verdict.ADDED, []
    row = session.get_one(Discount, (identity.tenant_id, found))
    before = promoting.wanted_of(row)
    was = before.model_dump(mode="json")
    will = Promotion.model_validate(before.model_dump() | said).model_dump(mode="json")
    changed = [name for name in said if was[name] != will[name]]
    if not changed:
        return Verdict.UNCHANGED, []
    promoting.change(session, identity, found, {name: said[name] for name in changed})
    return Verdict.CHANGED, [FieldDiff(field=name, before=was[name], after=will[name]) for name in changed]


def _names(said: dict[str, Any]) -> list[str]:
    """What a promotion may be found by; the title only where there is no code."""
    if said.get("id"):
        return [f"id {said['id']}"]
    return [f"code {said['code']}"] if said.get("code") else [f"title {said.get('title')}"]


def _there(session: Session, tenant_id: str, items: Sequence[Item]) -> dict[str, str]:
    """Name → id of the promotions that a chunk names."""
    ids, codes = ({str(one.said[name]) for one in items if one.said.get(name)} for name in ("id", "code"))
    alive = Discount.ends_at.is_(None) | (Discount.ends_at > clock.now())
    automatic = Discount.code.is_(None) & alive
    rows = session.scalars(
        select(Discount)
        .where(Discount.tenant_id == tenant_id, Discount.id.in_(ids) | Discount.code.in_(codes) | automatic)
        .order_by(Discount.id.desc())
    )
    found: dict[str, str] = {}
    for row in rows:
        found |= {f"id {row.id}": row.id, f"code {row.code}" if row.code else f"title {row.title}": row.id}
    return found


def _item(number: int, one: Any) -> Item:
    if not isinstance(one, dict):
        return Item(line=number, said={}, variants=[], problem="It is no promotion.")
    return Item(line=number, said=one, variants=[])


def _row(line: int, cells: dict[str | Any, str | Any]) -> Item:
    if None in cells or None in cells.values():
        return Item(line=line, said={}, variants=[], problem="It has not as many cells as the first line.")
    texts = {name: cell_of(cell) for name, cell in cells.items() if cell.strip()}
    try:
        said = {name: _value(name, text) for name, text in texts.items()}
    except (ValueError, RecursionError):
        return Item(line=line, said={}, variants=[], problem="Its rules or amounts are not JSON.")
    return Item(line=line, said=said, variants=[])


def _value(name: str, text: str) -> Any:
    if name in _FOLDED:
        return json.loads(text)
    if name in _TEXT:
        return text
    if text.isascii() and text.removeprefix("-").isdigit() and len(text) < 12:
        return int(text)
    return {"true": True, "false": False}.get(text.lower(), text)
