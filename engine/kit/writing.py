"""What waits in a session, written in one trip: rows of many tables, each by a statement that was built once.

The mapper's own flush costs a unit of work, and a trip for each table. Where a change is plain (values of columns, by
their key) it is written here: table by table, in the order in which they name each other; of each what changed, by
key, then what is new, as the mapper does, so that a row which gives way to a new one has gone by then. Whatever is not
plain, and what is done in a savepoint, the mapper writes as ever.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import Any, Final

import orjson
from psycopg.types.json import Jsonb
from sqlalchemy import JSON, ClauseElement, inspect
from sqlalchemy.orm import Session, SessionTransaction, make_transient, make_transient_to_detached

from engine.kit.bulk import defaults
from engine.kit.direct import Ask, Statement, later, settle, without_nul
from engine.kit.tenancy import SCHEMA, Base

_STRICT: Final = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS
_CHANGED, _NEW = 0, 1
"""Their turns within a table."""


class WritingSession(Session):
    """A session that writes what is plain with whatever is asked next, at the latest with its transaction's end."""

    def flush(self, objects: Sequence[Any] | None = None) -> None:
        changes = waiting(self) if objects is None else None
        if changes is None:
            super().flush(objects)
            return
        if asks := [change.ask for change in changes if change.ask]:
            later(self.connection(), *asks)
        for change in changes:
            _take(self, change)

    def begin_nested(self) -> SessionTransaction:
        """What waits is written first, and at once: who begins a savepoint to hear a refusal hears that of it too."""
        self.flush()
        settle(self.connection())
        return super().begin_nested()


@dataclass(frozen=True, slots=True)
class Change:
    """What one object's row comes to: the statement (none, where it was only touched), and the values that the object
    does not say itself.
    """

    place: tuple[Any, ...]
    ask: Ask | None
    row: Base
    made: Mapping[str, Any] = field(default_factory=dict)


def waiting(session: Session) -> list[Change] | None:
    """What waits in the session, in the order in which it is to be written; ``None`` where it is not plain."""
    new, dirty = session.new, session.dirty
    if not new and not dirty and not session.deleted:
        return []
    if session.deleted or session.in_nested_transaction():
        return None
    found: list[Change] = []
    for rows, change_of in ((dirty, _update), (new, _insertion)):
        for row in rows:
            change = change_of(row)
            if change is None:
                return None
            found.append(change)
    return sorted(found, key=lambda change: change.place)


def _take(session: Session, change: Change) -> None:
    """The object is as its row is."""
    row = change.row
    row.__dict__.update(change.made)
    make_transient(row)
    make_transient_to_detached(row)
    session.add(row)


@dataclass(frozen=True, slots=True)
class _Shape:
    """A model whose rows are written by the values of their columns."""

    place: int
    columns: frozenset[str]
    key: tuple[str, ...]
    documents: frozenset[str]
    nulls: frozenset[str]
    """Documents that are JSON's ``null`` where they are none; others are no value then."""
    computed: frozenset[str]
    given: frozenset[str]
    """What only the database makes of a new row, and the mapper then reads."""
    empty: Mapping[str, None]
    """What a new row does not say is none, where nobody makes it."""


@cache
def _shape(model: type[Base]) -> _Shape | None:
    """``None`` for a model that the mapper has to write."""
    mapper = inspect(model)
    columns = {one.key: one.columns[0] for one in mapper.column_attrs}
    odd = mapper.inherits or mapper.version_id_col is not None or len(mapper.relationships)
    if odd or any(name != column.name or column.onupdate is not None for name, column in columns.items()):
        return None
    deferred = {one.key for one in mapper.column_attrs if one.deferred}
    given = {name for name, one in columns.items() if one.default is None and one.server_default is not None}
    made = given | {name for name, one in columns.items() if one.default is not None}
    return _Shape(
        _order()[model.__tablename__],
        frozenset(columns),
        tuple(column.name for column in mapper.primary_key),
        frozenset(name for name, column in columns.items() if isinstance(column.type, JSON)),
        frozenset(name for name, column in columns.items() if column.type.should_evaluate_none),
        frozenset(name for name, column in columns.items() if column.computed is not None),
        frozenset(given - deferred),
        dict.fromkeys(columns.keys() - made),
    )


@cache
def _order() -> Mapping[str, int]:
    """The tables, each after those that it names."""
    return {table.name: place for place, table in enumerate(Base.metadata.sorted_tables)}


def _insertion(row: Base) -> Change | None:
    """``None`` for one that is not known by its own values, or holds what is no value."""
    model, shape = type(row), _shape(type(row))
    if shape is None:
        return None
    said = {
        name: value
        for name, value in row.__dict__.items()
        if name in shape.columns and (value is not None or name in shape.nulls)
    }
    made = {name: make() for name, make in defaults(model, tuple(said)).items()}
    full = said | made
    whole = shape.given <= full.keys() and all(full.get(name) is not None for name in shape.key)
    if not whole or not _are_values(full):
        return None
    statement, _ = inserting(model, tuple(full))
    empty = {name: None for name in shape.empty if name not in full}
    return Change((shape.place, _NEW), (statement, _sent(full, shape)), row, empty | made)


def _update(row: Base) -> Change | None:
    """``None`` where its key moves, where it holds what is no value, and where the database makes a value of others."""
    model, shape = type(row), _shape(type(row))
    if shape is None or not shape.computed.isdisjoint(row.__dict__):
        return None
    before, now = inspect(row).committed_state, row.__dict__
    if not now.keys() >= set(shape.key):  # a savepoint was taken back, and it has to be read again
        return None
    changed = {name: now[name] for name in before if name in shape.columns and name in now}
    if not _are_values(changed) or not changed.keys().isdisjoint(shape.key):
        return None
    changed = {name: value for name, value in changed.items() if not _is_same(before[name], value)}
    key = tuple(now[name] for name in shape.key)
    if not changed:
        return Change((shape.place, _CHANGED, *key), None, row)
    statement = _updating(model, tuple(changed))
    values = _sent(changed, shape) | {f"key_{name}": value for name, value in zip(shape.key, key, strict=True)}
    return Change((shape.place, _CHANGED, *key), (statement, values), row)


def _are_values(row: Mapping[str, Any]) -> bool:
    return not any(isinstance(value, ClauseElement) or hasattr(value, "__clause_element__") for value in row.values())


def _is_same(before: Any, now: Any) -> bool:
    return type(before) is type(now) and bool(before == now)


def _sent(row: Mapping[str, Any], shape: _Shape) -> dict[str, Any]:
    said = [name for name in shape.documents & row.keys() if row[name] is not None or name in shape.nulls]
    return {**row, **{name: Jsonb(row[name], dumps=_as_json) for name in said}}


def _as_json(value: Any) -> bytes:
    """As ``json.dumps`` does, in a tenth of the time; what only that can write, it writes."""
    try:
        said = orjson.dumps(value, option=_STRICT)
    except TypeError:
        said = json.dumps(value).encode()
    return without_nul(said)


@lru_cache(maxsize=500)
def inserting(model: type[Base], names: tuple[str, ...]) -> tuple[Statement, tuple[str, ...]]:
    """The statement that inserts a row which says these columns, and which of its values are documents."""
    table = model.__table__
    columns, places = ", ".join(f'"{name}"' for name in names), ", ".join(f"%({name})s" for name in names)
    words = f"INSERT INTO {SCHEMA}.{model.__tablename__} ({columns}) VALUES ({places})"  # noqa: S608 (our own words)
    return Statement(words), tuple(name for name in names if isinstance(table.c[name].type, JSON))


@lru_cache(maxsize=500)
def _updating(model: type[Base], names: tuple[str, ...]) -> Statement:
    """It fails where the row is there no more."""
    shape = _shape(model)
    assert shape is not None
    values = ", ".join(f'"{name}" = %({name})s' for name in names)
    key = " AND ".join(f'"{name}" = %(key_{name})s' for name in shape.key)
    return Statement(
        f"WITH done AS (UPDATE {SCHEMA}.{model.__tablename__} SET {values} WHERE {key} RETURNING 1)"  # noqa: S608
        " SELECT 1 / count(*) AS whole FROM done"
    )
