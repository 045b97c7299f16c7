"""Every mapped table leads with its tenant or is allow-listed, and row-level security guards it in the database."""

from __future__ import annotations

import subprocess
import sys

from sqlalchemy import Column, func, select, text
from sqlalchemy.orm import configure_mappers

from engine.db import Store
from engine.kit.tenancy import ALLOWED_WITHOUT_TENANT, Base, tenant_tables
from engine.migrate import load_models

load_models()
configure_mappers()
TABLES = {table.name: table for table in Base.metadata.tables.values()}


def test_the_allow_list_names_tables_that_exist() -> None:
    assert set(TABLES) >= ALLOWED_WITHOUT_TENANT


def test_every_tenant_table_leads_with_its_tenant() -> None:
    assert len(tenant_tables()) >= 25
    for name in tenant_tables():
        table = TABLES[name]
        assert next(iter(table.primary_key.columns)).name == "tenant_id", name
        for constraint in table.foreign_key_constraints:
            assert "tenant_id" in constraint.column_keys, (name, constraint.column_keys)
        for index in table.indexes:
            first = next(iter(index.columns)).name if len(index.columns) else "tenant_id"
            assert first == "tenant_id" or index.dialect_options["postgresql"]["using"] == "gin", (name, index.name)


def test_no_index_is_on_an_expression() -> None:
    """Row-level security keeps PostgreSQL from using one: what is looked for is a column, if need be a computed one."""
    for name in tenant_tables():
        for index in TABLES[name].indexes:
            assert all(isinstance(one, Column) for one in index.expressions), (name, index.name)


def test_plans_are_made_for_the_largest_shop(store: Store) -> None:
    """For one of average size among thousands of small ones, PostgreSQL would read all that a large one has."""
    query = text(
        "SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id'"
        " WHERE c.relnamespace = 'app'::regnamespace AND c.relkind = 'r' AND a.attoptions = '{n_distinct=1}'"
    )
    with store.without_tenant() as session:
        assert set(session.execute(query).scalars()) == set(tenant_tables())


def test_row_level_security_is_on_and_forced_everywhere(store: Store) -> None:
    query = text(
        "SELECT c.relname, c.relrowsecurity, c.relforcerowsecurity, p.polname FROM pg_class c"
        " JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_policy p ON p.polrelid = c.oid"
        " WHERE n.nspname = 'app' AND c.relkind IN ('r', 'p')"
    )
    with store.without_tenant() as session:
        found = {row[0]: tuple(row[1:]) for row in session.execute(query)}

    for name in tenant_tables():
        assert found[name] == (True, True, "tenant_only"), name
    assert set(found) - set(tenant_tables()) <= ALLOWED_WITHOUT_TENANT | {"alembic_version"}


def test_the_runtime_role_is_nobody_special(store: Store) -> None:
    with store.without_tenant() as session:
        row = session.execute(
            text("SELECT rolsuper, rolbypassrls, rolcreaterole FROM pg_roles WHERE rolname = current_user")
        ).one()
        owned = session.execute(
            text("SELECT count(*) FROM pg_tables WHERE schemaname = 'app' AND tableowner = current_user")
        ).scalar_one()

    assert tuple(row) == (False, False, False)
    assert owned == 0


def test_without_a_tenant_nothing_is_seen(store: Store, tenant) -> None:
    with store.without_tenant() as session:
        for name in tenant_tables():
            assert session.execute(select(func.count()).select_from(TABLES[name])).scalar_one() == 0, name


def test_a_payment_can_be_written_by_whoever_imports_what_sells() -> None:
    """A worker maps only what it imports: what a payment points to comes with it."""
    words = (
        "import engine.checkout.models, engine.payments.models as m; from sqlalchemy import inspect;"
        "inspect(m.Payment)._sorted_tables; inspect(m.Refund)._sorted_tables"
    )
    subprocess.run([sys.executable, "-c", words], check=True, timeout=60)
