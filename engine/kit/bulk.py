"""Many rows of one table in one statement: a document travels, the database takes it apart.

``COPY`` is none: row-level security does not let it in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

import orjson
from sqlalchemy import TextClause, text
from sqlalchemy.orm import Session

from engine.kit.tenancy import SCHEMA, Base

_INSERT: Final = (
    "INSERT INTO {schema}.{table} ({columns}) SELECT {columns}"
    " FROM json_populate_recordset(CAST(NULL AS {schema}.{table}), CAST(:rows AS json))"
)


def insert_rows(session: Session, model: type[Base], rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert them all. What a row does not say has the model's default; those that say the same columns go together.

    Raises SQLAlchemy's ``IntegrityError`` as any insert does.
    """
    alike: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    for row in rows:
        alike.setdefault(tuple(row), []).append(row)
    for said, group in alike.items():
        usual = defaults(model, said)
        full = [{**row, **{name: make() for name, make in usual.items()}} for row in group] if usual else group
        session.execute(_statement(model, (*said, *usual)), {"rows": orjson.dumps(full).decode()})


@lru_cache(maxsize=500)
def _statement(model: type[Base], names: tuple[str, ...]) -> TextClause:
    columns = ", ".join(f'"{name}"' for name in names)
    return text(_INSERT.format(schema=SCHEMA, table=model.__tablename__, columns=columns))


@lru_cache(maxsize=500)
def defaults(model: type[Base], said: tuple[str, ...]) -> dict[str, Any]:
    """What makes the values that a row which says these columns does not say."""
    found: dict[str, Any] = {}
    for column in model.__table__.columns:
        given = column.default
        if given is None or column.name in said or column.computed is not None:
            continue
        if given.is_scalar:
            found[column.name] = _same(given.arg)
        elif given.is_callable:
            found[column.name] = _called(given.arg)
    return found


def _same(value: Any) -> Any:
    return lambda: value


def _called(make: Any) -> Any:
    return lambda: make(None)
