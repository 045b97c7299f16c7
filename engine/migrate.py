"""Bring a database to the present schema: roles, schemas, Alembic, row-level security, grants. Run by the owner."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from psycopg.errors import DeadlockDetected, LockNotAvailable
from sqlalchemy import Connection, Engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError

from engine.db import Addresses, open_engine
from engine.kit import tenancy
from engine.kit.errors import Unavailable
from engine.payments.gateways.sandbox.store import secure_sandbox

MODELS: Final = (
    "engine.agentic.cart_models",
    "engine.agentic.models",
    "engine.agentic.request_models",
    "engine.agentic.session_models",
    "engine.agentic.webhook_models",
    "engine.approvals.models",
    "engine.carts.models",
    "engine.catalog.models",
    "engine.checkout.models",
    "engine.conversations.models",
    "engine.customers.models",
    "engine.digital.models",
    "engine.finance.models",
    "engine.fulfillment.models",
    "engine.imports.models",
    "engine.inventory.models",
    "engine.kit.audit",
    "engine.kit.holds",
    "engine.kit.idempotency",
    "engine.kit.limits",
    "engine.kit.members",
    "engine.kit.outbox",
    "engine.mail.models",
    "engine.orders.invoice_models",
    "engine.orders.models",
    "engine.payments.courtesy_models",
    "engine.payments.gateways.models",
    "engine.payments.models",
    "engine.payments.stored_value_models",
    "engine.returns.models",
    "engine.shipping.models",
    "engine.staff.models",
    "engine.support.models",
    "engine.sync.alert_models",
    "engine.sync.models",
    "engine.sync.work_models",
    "engine.tax.models",
    "engine.theme.models",
    "engine.warranties.models",
    "engine.workflows.models",
)
SCHEMAS: Final = ("app", "sandbox", "graph", "dbos")
_LOCK: Final = 7_402_311
_ATTEMPTS: Final = 5
_SCRIPTS: Final = Path(__file__).resolve().parent.parent / "migrations"


def load_models() -> None:
    """Import every module that maps a table."""
    for name in MODELS:
        import_module(name)


def migrate(addresses: Addresses) -> None:
    """Migrate to the newest revision. Idempotent; two at once wait for each other, and so does it for a running server.

    Raises ``Unavailable`` when the owner's address (``DATABASE_ADMIN_URL``) is not known.
    """
    if addresses.owner is None:
        raise Unavailable("Migrating needs DATABASE_ADMIN_URL, the address of the database's owner.")
    engine = open_engine(addresses.owner, pool_size=1)
    try:
        for left in reversed(range(_ATTEMPTS)):
            if _attempt(engine, addresses, again=left > 0):
                break
    finally:
        engine.dispose()


def _attempt(engine: Engine, addresses: Addresses, *, again: bool) -> bool:
    """One whole migration; ``False`` when a running server's locks were in its way and it may be tried again."""
    try:
        with engine.begin() as connection:
            prepare(connection, addresses)
            upgrade(connection)
            secure(connection, addresses)
    except OperationalError as error:
        if again and isinstance(error.orig, DeadlockDetected | LockNotAvailable):
            return False
        raise
    return True


def prepare(connection: Connection, addresses: Addresses) -> None:
    """Hold the right to migrate until the transaction ends, and make the roles and schemas that are not there."""
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    for url in (addresses.runtime, addresses.sandbox):
        _ensure_role(connection, url)
    for schema in SCHEMAS:
        connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {schema}"))


def upgrade(connection: Connection, revision: str = "head") -> None:
    """Run the migrations up to ``revision``, in the connection's transaction."""
    load_models()
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def secure(connection: Connection, addresses: Addresses) -> None:
    """Row-level security and grants over the newest schema."""
    load_models()
    tenancy.secure(connection, make_url(addresses.runtime).username or tenancy.RUNTIME_ROLE)
    secure_sandbox(connection)


def known_revisions() -> frozenset[str]:
    """Every revision that this version can migrate from."""
    from alembic.script import ScriptDirectory

    return frozenset(script.revision for script in ScriptDirectory(str(_SCRIPTS)).walk_revisions())


def pending(addresses: Addresses) -> bool:
    """Whether the database lacks the newest revision; as its owner one can ask even before there is a schema."""
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    head = ScriptDirectory(str(_SCRIPTS)).get_current_head()
    engine = open_engine(addresses.owner or addresses.runtime, pool_size=1)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table_schema": "app"})
        current = context.get_current_revision()
    engine.dispose()
    return current != head


def _ensure_role(connection: Connection, url: str) -> None:
    parsed = make_url(url)
    role, password = parsed.username or "", parsed.password or ""
    exists = connection.execute(text("SELECT 1 FROM pg_roles WHERE rolname = :role"), {"role": role}).first()
    if exists:
        return
    quote = connection.dialect.identifier_preparer.quote_identifier
    literal = "'" + password.replace("'", "''") + "'"
    connection.exec_driver_sql(f"CREATE ROLE {quote(role)} LOGIN NOSUPERUSER NOBYPASSRLS PASSWORD {literal}")
