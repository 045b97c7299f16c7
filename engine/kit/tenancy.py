"""One store, many tenants: every tenant row leads with its tenant, and row-level security holds the line.

``secure`` is run by the owner after every migration: it turns row-level security on (and forces it) for every
mapped tenant table and gives the runtime role exactly the rights it needs.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any, ClassVar, Final

from sqlalchemy import DateTime, ForeignKeyConstraint, Identity, MetaData, String, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.engine import Connection
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from engine.kit import clock

SCHEMA: Final = "app"
RUNTIME_ROLE: Final = "icommerce_app"
NAMING: Final = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    metadata = MetaData(schema=SCHEMA, naming_convention=NAMING)
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: DateTime(timezone=True),
        str: Text,
        dict[str, Any]: JSONB,
        list[Any]: JSONB,
        list[str]: ARRAY(Text),
    }


class TenantRow(Base):
    """A table of tenant rows: ``(tenant_id, id)`` is the key and row-level security guards it."""

    __abstract__ = True

    tenant_id: Mapped[str] = mapped_column(String(40), primary_key=True, sort_order=-10)


class AppendOnly:
    """Marks a table that the runtime role may only insert into and read, but for the ``erasable`` columns: what they
    say of a person is overwritten when that person is erased.
    """

    erasable: ClassVar[tuple[str, ...]] = ()


def tenant_fk(column: str, target: str, *, ondelete: str | None = None) -> ForeignKeyConstraint:
    """A foreign key that cannot leave its tenant: ``(tenant_id, column)`` → ``(tenant_id, id)`` of ``target``."""
    return ForeignKeyConstraint(
        ["tenant_id", column], [f"{SCHEMA}.{target}.tenant_id", f"{SCHEMA}.{target}.id"], ondelete=ondelete
    )


class Tenant(Base):
    """A merchant. Not behind row-level security: it is what a request is resolved to."""

    __tablename__ = "tenants"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    number: Mapped[int] = mapped_column(Identity(), unique=True)
    """Creation order; the lowest is the tenant of requests without identity."""
    slug: Mapped[str] = mapped_column(String(80), unique=True)
    name: Mapped[str]
    host: Mapped[str | None] = mapped_column(unique=True)
    status: Mapped[str] = mapped_column(default="active")
    demo: Mapped[bool] = mapped_column(default=False)
    currency: Mapped[str] = mapped_column(String(3))
    country: Mapped[str] = mapped_column(String(2))
    settings: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """Shop facts and policies: tagline, accent, locale, support_email, returns_policy, order_prefix, limits."""
    created_at: Mapped[datetime] = mapped_column(default=clock.now)


class ApiKey(Base):
    """A merchant's key: only its hash is kept."""

    __tablename__ = "api_keys"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    key_hash: Mapped[str] = mapped_column(String(64), unique=True)
    tenant_id: Mapped[str] = mapped_column(String(40), index=True)
    scopes: Mapped[list[str]]
    label: Mapped[str] = mapped_column(default="")
    person: Mapped[str | None] = mapped_column(String(80))
    """Who works with it: the keys of one person count as one when somebody else has to agree."""
    platform_id: Mapped[str | None] = mapped_column(String(40))
    """The agent platform whose key it is."""
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    expires_at: Mapped[datetime | None]
    """When one that was replaced ends."""
    revoked_at: Mapped[datetime | None]
    suspended_at: Mapped[datetime | None]
    """Opens nothing for as long as its platform is suspended."""


class BrowserSession(Base):
    """A browser's cookie, as its hash, and the shopper it stands for."""

    __tablename__ = "browser_sessions"

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    tenant_id: Mapped[str] = mapped_column(String(40), index=True)
    shopper_id: Mapped[str] = mapped_column(String(40))
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    expires_at: Mapped[datetime]


ALLOWED_WITHOUT_TENANT: Final = frozenset(
    {"tenants", "api_keys", "browser_sessions", "staff_sessions", "rate_limits", "sync_executors"}
)
"""Tables that a request must read before it knows its tenant, or that hold no tenant's data."""


def hash_secret(value: str) -> str:
    """SHA-256 hex of a high-entropy secret (keys and cookies: never passwords)."""
    return hashlib.sha256(value.encode()).hexdigest()


def tenant_tables() -> list[str]:
    """Names of all mapped tables that row-level security must guard."""
    return sorted(t.name for t in Base.metadata.tables.values() if t.name not in ALLOWED_WITHOUT_TENANT)


_POLICY: Final = "tenant_only"
_MINE: Final = "tenant_id = current_setting('app.tenant_id', true)"
_MINE_AS_KEPT: Final = "((tenant_id)::text = current_setting('app.tenant_id'::text, true))"
"""The same, in PostgreSQL's own spelling."""
_AS_IF_ALONE: Final = "n_distinct=1"
"""A plan is made once for all shops. PostgreSQL would make it for one of average size, and go through everything that
a large one has; told that the table is one shop's, it plans for the largest."""
_TELL: Final = """
SELECT pg_restore_attribute_stats('schemaname', 'app', 'relname', name, 'attname', 'tenant_id', 'inherited', false,
  'null_frac', 0::real, 'avg_width', 30, 'n_distinct', 1::real)
FROM unnest(CAST(:tables AS text[])) AS name
"""
"""The same of a table that nobody has counted yet: PostgreSQL would take any index that begins with the tenant for as
good as the one by id, and keep to it. What is counted later replaces this. (From PostgreSQL 18 on.)"""
_STANDING: Final = """
  SELECT c.relname, c.relrowsecurity AND c.relforcerowsecurity AS forced,
    ARRAY(SELECT concat_ws('|', p.policyname, p.cmd, p.qual, p.with_check) FROM pg_policies p
      WHERE p.schemaname = 'app' AND p.tablename = c.relname) AS policies,
    ARRAY(SELECT a.privilege_type FROM aclexplode(c.relacl) a WHERE a.grantee = to_regrole(:role)::oid) AS rights,
    ARRAY(SELECT unnest(a.attoptions) FROM pg_attribute a
      WHERE a.attrelid = c.oid AND a.attname = 'tenant_id') AS planned,
    c.reltuples < 0 AND to_regproc('pg_restore_attribute_stats') IS NOT NULL AS uncounted
  FROM pg_class c WHERE c.relnamespace = 'app'::regnamespace AND c.relkind = 'r'
"""


def _tell(connection: Connection, uncounted: list[str]) -> None:
    if uncounted:
        connection.execute(text(_TELL), {"tables": uncounted})


def secure(connection: Connection, role: str = RUNTIME_ROLE) -> None:
    """Turn on and force row-level security everywhere it belongs and grant the runtime role its rights.

    Run by the owner, idempotent. The runtime role is neither owner nor superuser and cannot bypass policies. A table
    that stands as it should is not touched: beside a running server each change would wait for everyone else's locks.
    """
    history = [m for m in Base.registry.mappers if issubclass(m.class_, AppendOnly)]
    append_only = {str(m.local_table) for m in history}
    guarded = set(tenant_tables())
    quote = connection.dialect.identifier_preparer.quote_identifier
    standing = {row.relname: row for row in connection.execute(text(_STANDING), {"role": role})}

    def run(statement: str) -> None:
        connection.execute(text(statement))

    run(f"GRANT USAGE ON SCHEMA {SCHEMA} TO {role}")
    run(f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA {SCHEMA} TO {role}")
    for name in sorted(table.name for table in Base.metadata.tables.values()):
        table, found = f"{SCHEMA}.{name}", standing[name]
        rights = {"SELECT", "INSERT"} if table in append_only else {"SELECT", "INSERT", "UPDATE", "DELETE"}
        if set(found.rights) != rights:
            run(f"REVOKE ALL ON {table} FROM {role}")
            run(f"GRANT {', '.join(sorted(rights))} ON {table} TO {role}")
        if name in guarded and not found.forced:
            run(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
            run(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        if name in guarded and found.policies != [f"{_POLICY}|ALL|{_MINE_AS_KEPT}|{_MINE_AS_KEPT}"]:
            for policy in found.policies:
                run(f"DROP POLICY {quote(policy.partition('|')[0])} ON {table}")
            run(f"CREATE POLICY {_POLICY} ON {table} USING ({_MINE}) WITH CHECK ({_MINE})")
        if name in guarded and found.planned != [_AS_IF_ALONE]:
            run(f"ALTER TABLE {table} ALTER COLUMN tenant_id SET ({_AS_IF_ALONE})")
    _tell(connection, [name for name in sorted(guarded) if standing[name].uncounted])
    run(f"GRANT UPDATE (seq, hash) ON {SCHEMA}.audit TO {role}")
    for mapper in sorted(history, key=lambda m: str(m.local_table)):
        if columns := ", ".join(mapper.class_.erasable):
            run(f"GRANT UPDATE ({columns}) ON {mapper.local_table} TO {role}")
    run(f"GRANT SELECT ON {SCHEMA}.alembic_version TO {role}")
