"""Rows of several tables in one round trip, as the session's own objects; and rows written without the mapper.

What a statement of the mapper's costs is less the database's time than building, compiling and reading it. Where an
order with all that belongs to it is read at every turn, the words are written once here, and travel together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, Final, Generic, TypeVar, cast

from sqlalchemy import ClauseElement, inspect
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.orm import Mapper, Session, make_transient_to_detached
from sqlalchemy.orm.attributes import set_committed_value
from sqlalchemy.sql.compiler import SQLCompiler

from engine.kit.bulk import defaults
from engine.kit.direct import Ask, Row, Statement, column, later, within
from engine.kit.tenancy import SCHEMA, Base
from engine.kit.writing import inserting

M = TypeVar("M", bound=Base)
_LOCK: Final = " FOR UPDATE"
_DIALECT: Final = PGDialect_psycopg()  # type: ignore[no-untyped-call]  # SQLAlchemy's own is not typed


class Rows(Generic[M]):
    """The rows ``r`` of a model's table ``where`` (SQL with ``%(name)s`` for values), in their ``order``, at ``most``
    so many.

    With ``lock`` they are locked, and objects that the session has already are brought up to date.
    """

    def __init__(self, model: type[M], where: str, *, order: str = "", most: int = 0, lock: bool = False) -> None:
        self.model, self.lock = model, lock
        parts = (" WHERE " + where, order and f" ORDER BY {order}", f" LIMIT {most}" if most else "", lock and _LOCK)
        self._rest = "".join(part for part in parts if part)

    @cached_property
    def mapper(self) -> Mapper[M]:
        return cast("Mapper[M]", inspect(self.model))

    @cached_property
    def key(self) -> tuple[str, ...]:
        """The names of what a row is known by."""
        return tuple(self.mapper.get_property_by_column(column).key for column in self.mapper.primary_key)

    @cached_property
    def statement(self) -> Statement:
        names = [f'r."{one.columns[0].name}" AS "{one.key}"' for one in self.mapper.column_attrs if not one.deferred]
        table = self.mapper.local_table.name  # type: ignore[attr-defined]  # a table, not any clause
        return Statement(f"SELECT {', '.join(names)} FROM {SCHEMA}.{table} r{self._rest}")  # noqa: S608 (our own words)

    def of(self, session: Session, found: Sequence[Row]) -> list[M]:
        """The rows as objects of the session."""
        return [self._object(session, row) for row in found]

    def _object(self, session: Session, row: Row) -> M:
        key = self.mapper.identity_key_from_primary_key(tuple(row[name] for name in self.key))
        held = session.identity_map.get(key)
        if held is None:
            return self._new(session, row)
        names = row.keys() if self.lock else inspect(held).expired_attributes & row.keys()
        for name in names:
            set_committed_value(held, name, row[name])
        return held

    def _new(self, session: Session, row: Row) -> M:
        made = self.mapper.class_manager.new_instance()
        made.__dict__.update(row)
        make_transient_to_detached(made)
        session.add(made)
        return made


class Query:
    """A statement of the mapper's own, built and compiled once."""

    def __init__(self, make: Callable[[], ClauseElement]) -> None:
        self._make = make

    @cached_property
    def compiled(self) -> SQLCompiler:
        return cast("SQLCompiler", self._make().compile(dialect=_DIALECT))

    @cached_property
    def statement(self) -> Statement:
        return Statement(str(self.compiled))

    def rows(self, session: Session, **values: Any) -> list[Row]:
        """What it finds."""
        (found,) = fetch(session, (self.statement, self.compiled.construct_params(values)))
        return found


Wanted = tuple[Rows[Any] | Statement, Mapping[str, Any]]


def fetch(session: Session, *wanted: Wanted) -> list[list[Any]]:
    """What each asks for, in one trip: objects of a ``Rows``, plain rows of a ``Statement``. Each sees what the ones
    before it locked.
    """
    if session.autoflush:
        session.flush()
    asks = [(one.statement if isinstance(one, Rows) else one, values) for one, values in wanted]
    found = within(session.connection(), *asks)
    return [
        one.of(session, rows) if isinstance(one, Rows) else rows for (one, _), rows in zip(wanted, found, strict=True)
    ]


def ask(session: Session, statement: Statement, values: Mapping[str, Any]) -> list[Row]:
    """The plain rows of one statement."""
    (found,) = fetch(session, (statement, values))
    return found


def put(session: Session, model: type[Base], rows: Sequence[Mapping[str, Any]], *, alone: bool = False) -> None:
    """Insert rows, with whatever is asked next. What a row does not say has the model's default, a document that is
    ``None`` is NULL. ``alone``: they name nothing that waits in the session to be written.

    What refuses them, SQLAlchemy's ``IntegrityError`` as of any insert, is raised there; at once ``DataError`` of a
    value that cannot be written: then nothing is.
    """
    post(session, *(_insertion(model, row) for row in rows), alone=alone)


def post(session: Session, *asks: Ask, alone: bool = False) -> None:
    """The same of any statements of which no row is wanted."""
    if session.autoflush and not alone:
        session.flush()
    if asks:
        later(session.connection(), *asks)


def _insertion(model: type[Base], row: Mapping[str, Any]) -> Ask:
    full = {**row, **{name: make() for name, make in defaults(model, tuple(row)).items()}}
    statement, documents = inserting(model, tuple(full))
    return statement, full | {name: column(full[name]) for name in documents if full[name] is not None}
