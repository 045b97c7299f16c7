"""The store: connections, the unit of work, and the embedded PostgreSQL when no other is named.

Three roles: the owner (migrations), the runtime role (everything else, under row-level security) and the sandbox
gateway's own. Nobody commits inside a service: ``Store.unit_of_work`` does, at the edge.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Final

import orjson
from sqlalchemy import Engine, create_engine, select, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.orm import Session, sessionmaker

from engine.embedded_postgres import (
    SUPERUSER,
    EmbeddedPostgres,
    attach,
    read_secrets,
    start_or_attach,
    update_secrets,
)
from engine.kit.direct import Answers, Ask, Row, asking, begin_bound, remember, roll_back
from engine.kit.envelope import derive
from engine.kit.errors import DomainError, Unavailable
from engine.kit.passing import patiently
from engine.kit.tenancy import RUNTIME_ROLE, Tenant
from engine.kit.writing import WritingSession
from engine.settings import Settings, SettingsError

OWNER_ROLE: Final = "icommerce_owner"
SANDBOX_ROLE: Final = "icommerce_sandbox"
POOL_SIZE: Final = 12


@dataclass(frozen=True)
class Addresses:
    """How to reach the database as each role, and the secret everything else is derived from."""

    runtime: str
    owner: str | None
    sandbox: str
    secret_key: bytes
    embedded: EmbeddedPostgres | None = None


class Store:
    """The runtime role's connections. Cheap to share between threads."""

    def __init__(self, url: str, *, pool_size: int = POOL_SIZE, overflow: int = POOL_SIZE) -> None:
        self.url = url
        self.engine = open_engine(url, pool_size=pool_size, overflow=overflow)
        remember(self.engine)
        self._sessions = sessionmaker(self.engine, class_=WritingSession, expire_on_commit=False)

    @contextmanager
    def unit_of_work(self, tenant_id: str, *, snapshot: bool = False, keyed: bool = False) -> Iterator[Session]:
        """One transaction bound to one tenant: commits when the block ends, rolls back when it raises.

        With ``snapshot`` all of its statements see the same moment (repeatable read), for proofs and reports.
        ``keyed`` is for work on few rows that are found by key: its statements are planned once, not each time.
        """
        with self._sessions() as session, session.begin():
            if snapshot:
                session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
            line = session.connection()
            if snapshot:
                session.execute(text("SELECT set_config('app.tenant_id', :tenant, true)"), {"tenant": tenant_id})
            else:
                begin_bound(line, tenant_id, keyed=keyed)
            try:
                yield session
            except DomainError:
                if not session.in_nested_transaction():  # the session ends its savepoints itself
                    roll_back(line)
                raise

    def asking(self, tenant_id: str, *asks: Ask) -> AbstractContextManager[Answers]:
        """The statements of one transaction in one round trip; the block's work goes on meanwhile."""
        return asking(self.engine, tenant_id, *asks)

    def ask(self, tenant_id: str, *asks: Ask) -> list[list[Row]]:
        """The rows of each statement, committed. What the database ended for another's sake is asked again."""
        return patiently(lambda: self._ask(tenant_id, asks))

    def _ask(self, tenant_id: str, asks: Sequence[Ask]) -> list[list[Row]]:
        with self.asking(tenant_id, *asks) as answers:
            pass
        return answers.rows()

    @contextmanager
    def alone(self, tenant_id: str, task: str) -> Iterator[bool]:
        """Whether nobody else is at this task of the tenant's, in any process; then nobody will be until the block
        ends. A connection of its own holds the lock, and lets go when its process is killed.
        """
        key = {"key": f"{tenant_id}|{task}"}
        with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as line:
            mine = bool(line.scalar(text("SELECT pg_try_advisory_lock(hashtextextended(:key, 0))"), key))
            try:
                yield mine
            finally:
                if mine:
                    line.execute(text("SELECT pg_advisory_unlock(hashtextextended(:key, 0))"), key)

    @contextmanager
    def without_tenant(self) -> Iterator[Session]:
        """A transaction that sees only the allow-listed tables (tenants, key and cookie hashes, rate limits)."""
        with self._sessions() as session, session.begin():
            yield session

    def tenant_ids(self, *, suspended: bool = False) -> list[str]:
        """Active tenants (``suspended``: those too), oldest first: a background job binds each in turn."""
        query = select(Tenant.id).order_by(Tenant.number)
        with self.without_tenant() as session:
            return list(session.scalars(query if suspended else query.where(Tenant.status == "active")))

    def close(self) -> None:
        self.engine.dispose()


def open_engine(url: str, *, pool_size: int = 4, overflow: int = 0) -> Engine:
    """An engine with our time-outs. ``url`` is a libpq or SQLAlchemy PostgreSQL address."""
    return create_engine(
        driver_url(url),
        pool_size=pool_size,
        max_overflow=overflow,
        pool_timeout=10,
        json_deserializer=orjson.loads,
        connect_args={
            "connect_timeout": 5,
            "application_name": "icommerce",
            "options": "-c statement_timeout=20000 -c lock_timeout=15000"
            " -c idle_in_transaction_session_timeout=60000 -c timezone=UTC",
        },
    )


def driver_url(url: str) -> URL:
    """The address with our driver (psycopg 3) whatever scheme it was written with."""
    parsed = make_url(url)
    if parsed.get_backend_name() not in {"postgresql", "postgres"}:
        raise SettingsError("DATABASE_URL must name a PostgreSQL database.")
    return parsed.set(drivername="postgresql+psycopg")


def libpq_url(url: str) -> str:
    """The address as libpq and psycopg read it."""
    return driver_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def open_addresses(settings: Settings, *, start: bool, progress: Callable[[str], None] | None = None) -> Addresses:
    """Find (and with ``start`` run) the database.

    Raises ``Unavailable`` when nothing runs and ``start`` is false, ``EmbeddedPostgresError`` when it will not start.
    """
    if settings.database_url:
        key = (settings.secret_key or "").encode()
        return Addresses(
            runtime=libpq_url(settings.database_url),
            owner=libpq_url(settings.database_admin_url) if settings.database_admin_url else None,
            sandbox=_as_role(settings.database_url, SANDBOX_ROLE, derive(key, "role:sandbox").hex()),
            secret_key=key,
        )
    server = (
        start_or_attach(settings.home, progress=progress, durable=settings.durable, adopt=True)
        if start
        else attach(settings.home)
    )
    if server is None:
        raise Unavailable(
            "iCommerce is not running here: no database answers in its home. Start it with `icommerce serve`."
        )
    return _embedded_addresses(settings, server)


def _embedded_addresses(settings: Settings, server: EmbeddedPostgres) -> Addresses:
    known = read_secrets(settings.home)
    if "secret_key" not in known:
        update_secrets(settings.home, secret_key=settings.secret_key or secrets.token_hex(32))
        known = read_secrets(settings.home)
    key = known["secret_key"].encode()

    def as_role(role: str) -> str:
        return server.dsn(role=role, password=derive(key, f"role:{role}").hex())

    _bootstrap_owner(server, known["postgres_password"], derive(key, f"role:{OWNER_ROLE}").hex())
    return Addresses(
        runtime=as_role(RUNTIME_ROLE),
        owner=as_role(OWNER_ROLE),
        sandbox=server.dsn(role=SANDBOX_ROLE, password=derive(key, "role:sandbox").hex()),
        secret_key=key,
        embedded=server,
    )


def _bootstrap_owner(server: EmbeddedPostgres, superuser_password: str, owner_password: str) -> None:
    """The superuser's only job: an owner that is not a superuser, and the database it owns."""
    import psycopg
    from psycopg import sql

    with psycopg.connect(server.dsn(role=SUPERUSER, password=superuser_password), autocommit=True) as connection:
        if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (OWNER_ROLE,)).fetchone():
            return
        make = sql.SQL("CREATE ROLE {} LOGIN CREATEROLE CREATEDB NOSUPERUSER PASSWORD {}")
        connection.execute(make.format(sql.Identifier(OWNER_ROLE), sql.Literal(owner_password)))
        connection.execute(
            sql.SQL("ALTER DATABASE {} OWNER TO {}").format(sql.Identifier("icommerce"), sql.Identifier(OWNER_ROLE))
        )


def _as_role(url: str, role: str, password: str) -> str:
    return (
        driver_url(url)
        .set(drivername="postgresql", username=role, password=password)
        .render_as_string(hide_password=False)
    )
