"""What PostgreSQL itself says of our tables: their columns, the order in which they can be filled, the sequences.

Read from the database, not from the models: a backup of an older schema is made and loaded as that schema.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import Any, Final

from psycopg import Connection, sql

from engine.backup.manifest import SequenceFacts

SCHEMAS: Final = ("app", "sandbox", "graph", "dbos")
BUILT_BY_US: Final = ("app", "sandbox")
"""Made by our migrations; the other schemas' tables are made by the libraries that own them."""
OF_THE_SCHEMA: Final = frozenset({"app.alembic_version", "graph.checkpoint_migrations", "dbos.dbos_migrations"})
"""Tables that say which schema stands here: they belong to the target, not to the backup."""

_TABLES: Final = """
SELECT n.nspname || '.' || c.relname, array_agg(a.attname::text ORDER BY a.attnum), c.relrowsecurity
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
WHERE n.nspname = ANY(%s) AND c.relkind IN ('r', 'p') AND NOT c.relispartition
GROUP BY 1, 3
"""
_REFERENCES: Final = """
SELECT fn.nspname || '.' || f.relname, tn.nspname || '.' || t.relname FROM pg_constraint k
JOIN pg_class f ON f.oid = k.conrelid JOIN pg_namespace fn ON fn.oid = f.relnamespace
JOIN pg_class t ON t.oid = k.confrelid JOIN pg_namespace tn ON tn.oid = t.relnamespace
WHERE k.contype = 'f' AND k.conparentid = 0 AND fn.nspname = ANY(%s)
"""
_SEQUENCES: Final = """
SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ANY(%s) AND c.relkind = 'S' ORDER BY 1
"""
Cursor = Connection[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Table:
    """``app.orders`` and those of its columns that are stored as given."""

    name: str
    columns: tuple[str, ...]
    by_tenant: bool
    """Whether row-level security guards it, so that each tenant's rows are read as that tenant."""


def tables(connection: Cursor) -> dict[str, Table]:
    """Every table that holds data of ours, by name, in name order."""
    rows = connection.execute(_TABLES, (list(SCHEMAS),)).fetchall()
    found = {name: Table(name, tuple(columns), guarded) for name, columns, guarded in rows if name not in OF_THE_SCHEMA}
    return dict(sorted(found.items()))


def filling_order(connection: Cursor, names: Iterable[str]) -> list[str]:
    """The names so that a table comes after those its foreign keys point at.

    Raises ``graphlib.CycleError`` when there is no such order.
    """
    wanted = set(names)
    needs: Mapping[str, set[str]] = defaultdict(set, {name: set() for name in sorted(wanted)})
    for table, target in connection.execute(_REFERENCES, (list(SCHEMAS),)):
        if table != target and table in wanted and target in wanted:
            needs[table].add(target)
    return list(TopologicalSorter(needs).static_order())


def sequences(connection: Cursor) -> list[SequenceFacts]:
    """Where every sequence stands. They know no snapshot: read them after the rows, they are never behind."""
    found = []
    for (name,) in connection.execute(_SEQUENCES, (list(SCHEMAS),)).fetchall():
        query = sql.SQL("SELECT last_value, is_called FROM {}").format(identifier(name))
        row = connection.execute(query).fetchone()
        assert row is not None
        found.append(SequenceFacts(name=name, last_value=row[0], is_called=row[1]))
    return found


def revision(connection: Cursor) -> str | None:
    """The schema's revision, ``None`` where no schema of ours stands."""
    there = connection.execute("SELECT to_regclass('app.alembic_version')").fetchone()
    if there is None or there[0] is None:
        return None
    row = connection.execute("SELECT version_num FROM app.alembic_version").fetchone()
    return str(row[0]) if row else None


def identifier(name: str) -> sql.Identifier:
    """``app.orders``, quoted."""
    return sql.Identifier(*name.split(".", 1))


def column_list(columns: Iterable[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, columns))
