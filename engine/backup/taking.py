"""Taking a backup: one snapshot of every table, read beside whoever sells."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg import Connection, sql

from engine.backup import catalog
from engine.backup.archive import TableWriter, Writer, writing
from engine.backup.catalog import Table
from engine.backup.errors import NothingHere
from engine.backup.manifest import FORMAT, Manifest, TableFacts, fingerprint, make_probe, sign
from engine.db import Addresses
from engine.kit import clock
from engine.kit.errors import Unavailable
from engine.kit.ids import new_id

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how many tables are done and of how many."""
_PATIENT: Final = "-c statement_timeout=0 -c idle_in_transaction_session_timeout=0 -c timezone=UTC"


def take_backup(addresses: Addresses, path: Path, *, progress: Progress = lambda *_: None) -> Manifest:
    """Write the store as it is at one moment to ``path``; returns what was written.

    Nobody is kept waiting: it takes the locks of a reader. Raises ``Unavailable`` when the owner's address is not
    known, ``NothingHere`` when there is no store.
    """
    url = owner_url(addresses)
    with psycopg.connect(url, options=_PATIENT, application_name="icommerce-backup") as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        created_at = clock.now()
        revision = catalog.revision(connection)
        if revision is None:
            raise NothingHere("There is no store here to back up.")
        with writing(path) as archive:
            written = _write_tables(connection, archive, progress)
            backup_id = new_id("backup")
            manifest = Manifest(
                format=FORMAT,
                id=backup_id,
                made_by=_version(),
                revision=revision,
                created_at=created_at,
                key_fingerprint=fingerprint(addresses.secret_key),
                probe=make_probe(addresses.secret_key, backup_id),
                tables=written,
                sequences=catalog.sequences(connection),
            )
            manifest = sign(manifest, addresses.secret_key)
            archive.finish(manifest)
    return manifest


def owner_url(addresses: Addresses) -> str:
    """The owner's address. Raises ``Unavailable``."""
    if addresses.owner is None:
        raise Unavailable("This needs DATABASE_ADMIN_URL, the address of the database's owner.")
    return addresses.owner


def _write_tables(connection: Connection[Any], archive: Writer, progress: Progress) -> list[TableFacts]:
    tenants = [row[0] for row in connection.execute("SELECT id FROM app.tenants ORDER BY number")]
    tables = list(catalog.tables(connection).values())
    written = []
    for done, table in enumerate(tables):
        progress(f"Saving {table.name}", done, len(tables))
        with archive.table(table.name) as into:
            rows = _copy(connection, table, tenants, into)
        written.append(TableFacts(name=table.name, columns=list(table.columns), rows=rows, sha256=into.sha256))
    progress("Saved", len(tables), len(tables))
    return written


def _copy(connection: Connection[Any], table: Table, tenants: list[str], into: TableWriter) -> int:
    """One table's rows; a tenant's table is read as each tenant in turn, for the owner sees no row as nobody."""
    whole = sql.SQL("SELECT {} FROM {}").format(catalog.column_list(table.columns), catalog.identifier(table.name))
    if not table.by_tenant:
        return _copy_query(connection, whole, into)
    rows = 0
    for tenant_id in tenants:
        connection.execute("SELECT set_config('app.tenant_id', %s, true)", (tenant_id,))
        rows += _copy_query(connection, sql.SQL("{} WHERE tenant_id = {}").format(whole, sql.Literal(tenant_id)), into)
    return rows


def _copy_query(connection: Connection[Any], query: sql.Composed, into: TableWriter) -> int:
    cursor = connection.cursor()
    with cursor.copy(sql.SQL("COPY ({}) TO STDOUT").format(query)) as copy:
        for data in copy:
            into.write(data)
    return cursor.rowcount


def _version() -> str:
    try:
        return version("icommerce")
    except PackageNotFoundError:
        return "0"
