"""Bringing a backup back: everything in one transaction, so that a restore has happened or has not.

The tables are made at the backup's own revision, filled as their owner before row-level security is turned on and
with our triggers off (append-only, balance and period rules judge new events, not history), and then migrated
forward. Whatever goes wrong, a kill -9 included, leaves what was there before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import psycopg
import psycopg.conninfo
from psycopg import sql
from sqlalchemy import Connection, func, select, text
from sqlalchemy.orm import Session

from engine.backup import catalog
from engine.backup.archive import Archive
from engine.backup.errors import BackupDamaged, NewerSchema, StillServing, TargetNotEmpty
from engine.backup.manifest import Manifest, SequenceFacts, TableFacts
from engine.backup.taking import Progress, owner_url
from engine.db import Addresses, open_engine
from engine.kit import audit, clock
from engine.kit.faults import fault_point
from engine.kit.holds import Restore
from engine.kit.tenancy import Tenant
from engine.migrate import known_revisions, prepare, secure, upgrade

NUMBERS_LEAP: Final = {"app.order_numbers": 10_000}
"""Sequences whose numbers people were told: what was given out after the backup is not given out again."""
_ONE_SERVER: Final = 7_402_312
"""The advisory lock that a serving process holds."""
_USERS: Final = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND usename = ANY(%s)"


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore brought back."""

    manifest: Manifest
    tenants: int
    migrated: bool
    """Whether the backup's schema was older and was brought forward."""


def check_revision(manifest: Manifest) -> None:
    """Raises ``NewerSchema`` for a backup that this version cannot migrate from."""
    if manifest.revision not in known_revisions():
        raise NewerSchema(
            f"This backup's schema ({manifest.revision}) is not known to this version: it was made by"
            f" iCommerce {manifest.made_by}. Restore it with that version or a newer one."
        )


def restore(
    addresses: Addresses,
    archive: Archive,
    *,
    replace: bool,
    prepare_others: Callable[[Addresses], None],
    progress: Progress = lambda *_: None,
) -> Restored:
    """Fill the store from a backup. ``prepare_others`` makes the tables that are not ours (the graph's).

    Raises ``WrongKey``, ``BackupDamaged``, ``NewerSchema``, ``TargetNotEmpty`` (without ``replace``) and
    ``StillServing``; the store is then as it was.
    """
    archive.prove(addresses.secret_key)
    check_revision(archive.manifest)
    _refuse_unless_free(addresses, replace=replace)
    engine = open_engine(owner_url(addresses), pool_size=1)
    try:
        with engine.begin() as connection:
            prepare(connection, addresses)
        prepare_others(addresses)
        with engine.begin() as connection:
            restored = _restore(connection, addresses, archive, progress)
            fault_point("before_restore_commit")
        with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
            connection.execute(text("SET statement_timeout = 0"))
            connection.execute(text("ANALYZE"))
    finally:
        engine.dispose()
    return restored


def _refuse_unless_free(addresses: Addresses, *, replace: bool) -> None:
    with psycopg.connect(owner_url(addresses), autocommit=True, connect_timeout=5) as connection:
        roles = [psycopg.conninfo.conninfo_to_dict(url).get("user") for url in (addresses.runtime, addresses.sandbox)]
        if connection.execute(_USERS, (roles,)).fetchone() or not _only_one(connection, "pg_try_advisory_lock"):
            raise StillServing("Somebody is using this store: stop the servers and other commands first.")
        there = connection.execute("SELECT to_regclass('app.tenants')").fetchone()
        shops = connection.execute("SELECT count(*) FROM app.tenants").fetchone() if there and there[0] else None
        if shops and shops[0] and not replace:
            raise TargetNotEmpty(f"This store has {shops[0]} shops. Restore into an empty home, or say --replace.")


def _only_one(connection: psycopg.Connection[Any], lock: str) -> bool:
    """Whether no server has this store open; the lock keeps one from opening it."""
    row = connection.execute(sql.SQL("SELECT {}(%s)").format(sql.Identifier(lock)), (_ONE_SERVER,)).fetchone()
    return bool(row and row[0])


def _restore(connection: Connection, addresses: Addresses, archive: Archive, progress: Progress) -> Restored:
    for setting in ("statement_timeout", "idle_in_transaction_session_timeout"):
        connection.execute(text(f"SET LOCAL {setting} = 0"))
    manifest = archive.manifest
    driver = _driver(connection)
    if not _only_one(driver, "pg_try_advisory_xact_lock"):
        raise StillServing("A server has just opened this store. Stop it first.")
    for schema in catalog.BUILT_BY_US:
        connection.execute(text(f"DROP SCHEMA IF EXISTS {schema} CASCADE"))
    prepare(connection, addresses)
    upgrade(connection, manifest.revision)
    _fill(driver, archive, progress)
    _set_sequences(driver, manifest.sequences)
    progress("Migrating", len(manifest.tables), len(manifest.tables))
    upgrade(connection)
    tenants = _hold(connection, manifest)
    secure(connection, addresses)
    return Restored(manifest, tenants, migrated=catalog.revision(driver) != manifest.revision)


def _fill(driver: psycopg.Connection[Any], archive: Archive, progress: Progress) -> None:
    target = catalog.tables(driver)
    facts = {table.name: table for table in archive.manifest.tables}
    _refuse_strange(target, archive.manifest.tables)
    others = [name for name in target if name.split(".", 1)[0] not in catalog.BUILT_BY_US]
    if others:
        driver.execute(sql.SQL("TRUNCATE {}").format(sql.SQL(", ").join(map(catalog.identifier, others))))
    order = [name for name in catalog.filling_order(driver, target) if name in facts]
    for done, name in enumerate(order):
        progress(f"Restoring {name}", done, len(order))
        _fill_table(driver, archive, facts[name])
        fault_point("during_restore")


def _refuse_strange(target: dict[str, catalog.Table], tables: Sequence[TableFacts]) -> None:
    """Raises ``NewerSchema`` for rows that have no place here; an empty table that is gone is no loss."""
    for table in tables:
        here = target.get(table.name)
        if table.rows and (here is None or not set(table.columns) <= set(here.columns)):
            raise NewerSchema(f"This version has no place for the backup's table {table.name}.")


def _fill_table(driver: psycopg.Connection[Any], archive: Archive, table: TableFacts) -> None:
    name = catalog.identifier(table.name)
    driver.execute(sql.SQL("ALTER TABLE {} DISABLE TRIGGER USER").format(name))
    copy_in = sql.SQL("COPY {} ({}) FROM STDIN").format(name, catalog.column_list(table.columns))
    cursor = driver.cursor()
    with cursor.copy(copy_in) as copy:
        for data in archive.chunks(table):
            copy.write(data)
    if cursor.rowcount != table.rows:
        raise BackupDamaged(f"The backup's table {table.name} holds {cursor.rowcount} rows, not {table.rows}.")
    driver.execute(sql.SQL("ALTER TABLE {} ENABLE TRIGGER USER").format(name))


def _set_sequences(driver: psycopg.Connection[Any], sequences: Sequence[SequenceFacts]) -> None:
    here = {facts.name for facts in catalog.sequences(driver)}
    for facts in sequences:
        if facts.name in here:
            value = facts.last_value + NUMBERS_LEAP.get(facts.name, 0)
            driver.execute("SELECT setval(%s::regclass, %s, %s)", (facts.name, value, facts.is_called))


def _hold(connection: Connection, manifest: Manifest) -> int:
    """Hold what would leave the house, shop by shop, until recovery has compared the books; returns the shops."""
    now = clock.now()
    with Session(connection) as session:
        tenants = session.scalars(select(Tenant.id)).all()
        for tenant_id in tenants:
            session.merge(
                Restore(
                    tenant_id=tenant_id,
                    horizon=manifest.created_at,
                    restored_at=now,
                    index_pending=True,
                    looked_at=None,
                    waiting_for={},
                    lifted_at=None,
                )
            )
            facts = {"backup": manifest.id, "horizon": manifest.created_at.isoformat()}
            audit.record(session, tenant_id, actor="cli", action="store.restored", subject=tenant_id, facts=facts)
        session.flush()
        return session.scalar(select(func.count()).select_from(Tenant)) or 0


def _driver(connection: Connection) -> psycopg.Connection[Any]:
    driver = connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)
    return driver
