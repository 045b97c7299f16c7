"""Migrations build exactly what the models say, and building twice changes nothing."""

from __future__ import annotations

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from engine.db import Addresses, open_engine
from engine.kit.tenancy import Base, secure, tenant_tables
from engine.migrate import migrate, pending


def test_the_migrated_database_is_what_the_models_say(addresses: Addresses) -> None:
    assert addresses.owner is not None
    owner = open_engine(addresses.owner)
    with owner.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "include_schemas": True,
                "include_name": lambda name, kind, _: kind != "schema" or name == "app",
                "include_object": lambda _o, name, _k, _r, _c: name != "alembic_version",
                "compare_type": True,
            },
        )
        assert compare_metadata(context, Base.metadata) == []
        logged = connection.execute(text("SELECT relpersistence FROM pg_class WHERE relname = 'rate_limits'")).scalar()
        assert logged == "u"
        assert connection.execute(text("SELECT last_value FROM app.order_numbers")).scalar() is not None
    owner.dispose()


def test_migrating_again_changes_nothing_and_waits_for_nobody(addresses: Addresses) -> None:
    """As each command does beside a running server, which holds locks on any table."""
    assert addresses.owner is not None
    assert not pending(addresses)
    server = open_engine(addresses.runtime)
    with server.connect() as held:
        for table in tenant_tables():
            held.execute(text(f"LOCK TABLE app.{table} IN ROW EXCLUSIVE MODE"))
        migrate(addresses)
    server.dispose()
    assert not pending(addresses)


def test_what_was_taken_off_a_table_is_put_on_again(addresses: Addresses) -> None:
    assert addresses.owner is not None
    owner = open_engine(addresses.owner)
    with owner.begin() as connection:
        for weaker in (
            "ALTER TABLE app.refunds NO FORCE ROW LEVEL SECURITY",
            "DROP POLICY tenant_only ON app.orders",
            "CREATE POLICY everything ON app.carts USING (true)",
            "GRANT DELETE ON app.audit TO icommerce_app",
        ):
            connection.execute(text(weaker))
    migrate(addresses)
    with owner.connect() as connection:
        forced = connection.execute(
            text("SELECT bool_and(relforcerowsecurity) FROM pg_class WHERE oid = ANY(:tables ::regclass[])"),
            {"tables": [f"app.{name}" for name in tenant_tables()]},
        ).scalar()
        policies = connection.execute(text("SELECT DISTINCT policyname FROM pg_policies WHERE schemaname = 'app'"))
        deletable = connection.execute(text("SELECT has_table_privilege('icommerce_app', 'app.audit', 'DELETE')"))
        assert (forced, list(policies.scalars()), deletable.scalar()) == (True, ["tenant_only"], False)
    owner.dispose()


@pytest.mark.parametrize("table", ["agent_carts", "mails", "webhook_events"])
def test_a_row_is_found_by_its_key_before_anybody_has_counted_its_table(addresses: Addresses, table: str) -> None:
    """In a new shop as well: a plan that is made while a table is empty is kept while it fills."""
    assert addresses.owner is not None
    owner = open_engine(addresses.owner)
    with owner.connect() as connection:
        connection.execute(text(f"TRUNCATE app.{table}"))
        secure(connection)
        connection.execute(text("SET LOCAL enable_seqscan = off"))
        explain = f"EXPLAIN (GENERIC_PLAN, FORMAT JSON) SELECT FROM app.{table} WHERE tenant_id = $1 AND id = $2"
        plan = str(connection.execute(text(explain)).scalar())
        connection.rollback()
    assert f"pk_{table}" in plan
    owner.dispose()
