"""sync: connections to other systems and what protects them, mappings, deliveries, and what a person has to look at."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0052"
down_revision = "0050"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
JSON = postgresql.JSONB()


def upgrade() -> None:
    _connections()
    _secrets()
    _limits()
    _permits()
    _breakers()
    _calls()
    _xrefs()
    _mappings()
    _deliveries()
    _exceptions()


def _connections() -> None:
    op.create_table(
        "sync_connections",
        sa.Column("tenant_id", sa.String(40), nullable=False),
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("system", sa.String(20), nullable=False),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("base_url", sa.String(500), nullable=False),
        sa.Column("settings", JSON, nullable=False),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("reason", sa.String(200), nullable=False),
        sa.Column("status_at", MOMENT, nullable=False),
        sa.Column("tested_at", MOMENT, nullable=True),
        sa.Column("test_error", sa.String(40), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.CheckConstraint("status = 'active' OR reason <> ''", name=op.f("ck_sync_connections_says_why")),
        sa.CheckConstraint(
            "status IN ('active', 'paused', 'auth_expired', 'closed')", name=op.f("ck_sync_connections_status_known")
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_sync_connections")),
        schema="app",
    )
    op.create_index(
        "uq_sync_connections_name",
        "sync_connections",
        ["tenant_id", "system", "name"],
        unique=True,
        schema="app",
        postgresql_where=sa.text("status <> 'closed'"),
    )


def _secrets() -> None:
    op.create_table(
        "sync_secrets",
        sa.Column("tenant_id", sa.String(40), nullable=False),
        sa.Column("connection_id", sa.String(40), nullable=False),
        sa.Column("field", sa.String(40), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("ends_at", MOMENT, nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "connection_id"],
            ["app.sync_connections.tenant_id", "app.sync_connections.id"],
            name=op.f("fk_sync_secrets_tenant_id_connection_id"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "connection_id", "field", "version", name=op.f("pk_sync_secrets")),
        schema="app",
    )
    op.create_index(
        "uq_sync_secrets_newest",
        "sync_secrets",
        ["tenant_id", "connection_id", "field"],
        unique=True,
        schema="app",
        postgresql_where=sa.text("ends_at IS NULL"),
    )


def _limits() -> None:
    op.create_table(
        "sync_limits",
        sa.Column("tenant_id", sa.String(40), nullable=False),
        sa.Column("connection_id", sa.String(40), nullable=False),
        sa.Column("kind", sa.String(12), nullable=False),
        sa.Column("capacity", sa.BigInteger(), nullable=True),
        sa.Column("period_ms", sa.BigInteger(), nullable=True),
        sa.Column("max_in_flight", sa.Integer(), nullable=True),
        sa.Column("level_micro", sa.BigInteger(), nullable=False),
        sa.Column("level_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.Column("blocked_until", MOMENT, nullable=True),
        sa.CheckConstraint(
            "kind <> 'concurrency' OR max_in_flight IS NOT NULL", name=op.f("ck_sync_limits_says_how_many")
        ),
        sa.CheckConstraint(
            "kind = 'concurrency' OR (capacity >= 1 AND period_ms >= 1 AND capacity IS NOT NULL AND period_ms IS NOT NULL)",
            name=op.f("ck_sync_limits_has_size"),
        ),
        sa.CheckConstraint("kind IN ('points', 'requests', 'concurrency')", name=op.f("ck_sync_limits_kind_known")),
        sa.CheckConstraint("max_in_flight >= 1", name=op.f("ck_sync_limits_lets_one_through")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "connection_id"],
            ["app.sync_connections.tenant_id", "app.sync_connections.id"],
            name=op.f("fk_sync_limits_tenant_id_connection_id"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "connection_id", name=op.f("pk_sync_limits")),
        schema="app",
    )


def _permits() -> None:
    op.create_table(
        "sync_permits",
        sa.Column("tenant_id", sa.String(40), nullable=False),
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("connection_id", sa.String(40), nullable=False),
        sa.Column("cost", sa.BigInteger(), nullable=False),
        sa.Column("taken_at", MOMENT, nullable=False),
        sa.Column("lease_until", MOMENT, nullable=False),
        sa.Column("counts_until", MOMENT, nullable=False),
        sa.CheckConstraint("cost >= 0", name=op.f("ck_sync_permits_costs")),
        sa.CheckConstraint("counts_until >= lease_until", name=op.f("ck_sync_permits_counts_at_least_while_out")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "connection_id"],
            ["app.sync_connections.tenant_id", "app.sync_connections.id"],
            name=op.f("fk_sync_permits_tenant_id_connection_id"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_sync_permits")),
        schema="app",
    )
    op.create_index(
        "ix_sync_permits_connection",
        "sync_permits",
        ["tenant_id", "connection_id", "counts_until"],
        unique=False,
        schema="app",
    )


def _breakers() -> None:
    op.create_table(
        "sync_breakers",
        sa.Column("tenant_id", sa.String(40), nullable=False),
        sa.Column("connection_id", sa.String(40), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("counted_from", MOMENT, nullable=False),
        sa.Column("cooldown_seconds", sa.Integer(), nullable=False),
        sa.Column("open_until", MOMENT, nullable=True),
        sa.Column("probe_id", sa.String(40), nullable=True),
        sa.Column("probe_until", MOMENT, nullable=True),
        sa.Column("changed_at", MOMENT, nullable=False),
        sa.CheckConstraint(
            "(state = 'open') = (open_until IS NOT NULL)", name=op.f("ck_sync_breakers_open_says_until")
        ),
        sa.CheckConstraint(
            "state = 'half_open' OR probe_id IS NULL", name=op.f("ck_sync_breakers_probes_half_open_alone")
        ),
        sa.CheckConstraint("state IN ('closed', 'open', 'half_open')", name=op.f("ck_sync_breakers_state_known")),
        sa.CheckConstraint(
            "(probe_id IS NULL) = (probe_until IS NULL)", name=op.f("ck_sync_breakers_probe_has_a_lease")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "connection_id"],
            ["app.sync_connections.tenant_id", "app.sync_connections.id"],
            name=op.f("fk_sync_breakers_tenant_id_connection_id"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "connection_id", name=op.f("pk_sync_breakers")),
        schema="app",
    )


def _calls() -> None:
    op.create_table(
        "sync_calls",
        sa.Column("tenant_id", sa.String(40), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("connection_id", sa.String(40), nullable=False),
        sa.Column("mode", sa.String(10), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("method", sa.String(10), nullable=False),
        sa.Column("path", sa.String(500), nullable=False),
        sa.Column("reads", sa.Boolean(), nullable=False),
        sa.Column("cost", sa.BigInteger(), nullable=False),
        sa.Column("request", sa.Text(), nullable=False),
        sa.Column("response", sa.Text(), nullable=False),
        sa.Column("answer", sa.Integer(), nullable=True),
        sa.Column("outcome", sa.String(40), nullable=False),
        sa.Column("counts", sa.Boolean(), nullable=False),
        sa.Column("took_ms", sa.Integer(), nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("idempotency_key", sa.String(200), nullable=False),
        sa.Column("workflow_id", sa.String(200), nullable=False),
        sa.Column("trace_id", sa.String(64), nullable=False),
        sa.CheckConstraint("mode IN ('live', 'shadow')", name=op.f("ck_sync_calls_mode_known")),
        sa.CheckConstraint(
            "octet_length(request) <= 16384 AND octet_length(response) <= 16384", name=op.f("ck_sync_calls_bounded")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "connection_id"],
            ["app.sync_connections.tenant_id", "app.sync_connections.id"],
            name=op.f("fk_sync_calls_tenant_id_connection_id"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_sync_calls")),
        schema="app",
    )
    op.create_index("ix_sync_calls_at", "sync_calls", ["tenant_id", "at"], unique=False, schema="app")
    op.create_index(
        "ix_sync_calls_connection", "sync_calls", ["tenant_id", "connection_id", "at"], unique=False, schema="app"
    )
    op.create_index(
        "ix_sync_calls_workflow", "sync_calls", ["tenant_id", "workflow_id", "id"], unique=False, schema="app"
    )


def _xrefs() -> None:
    op.create_table(
        "sync_xrefs",
        sa.Column("tenant_id", sa.String(40), nullable=False),
        sa.Column("system", sa.String(20), nullable=False),
        sa.Column("account", sa.String(80), nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("external_id", sa.String(200), nullable=False),
        sa.Column("internal_kind", sa.String(40), nullable=False),
        sa.Column("internal_id", sa.String(200), nullable=False),
        sa.Column("version", sa.String(80), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("linked_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "system", "account", "kind", "external_id", name=op.f("pk_sync_xrefs")),
        schema="app",
    )
    op.create_index(
        "ix_sync_xrefs_lineage", "sync_xrefs", ["tenant_id", "internal_kind", "internal_id"], unique=False, schema="app"
    )
    op.create_index(
        "uq_sync_xrefs_internal",
        "sync_xrefs",
        ["tenant_id", "system", "account", "kind", "internal_kind", "internal_id"],
        unique=True,
        schema="app",
    )


def _mappings() -> None:
    op.create_table(
        "sync_mappings",
        sa.Column("tenant_id", sa.String(40), nullable=False),
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("target", sa.String(80), nullable=False),
        sa.Column("spec", JSON, nullable=False),
        sa.Column("note", sa.String(200), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("created_by", sa.String(80), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.CheckConstraint("version >= 1", name=op.f("ck_sync_mappings_counts_from_one")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_sync_mappings")),
        schema="app",
    )
    op.create_index(
        "uq_sync_mappings_active",
        "sync_mappings",
        ["tenant_id", "name"],
        unique=True,
        schema="app",
        postgresql_where=sa.text("active"),
    )
    op.create_index(
        "uq_sync_mappings_version", "sync_mappings", ["tenant_id", "name", "version"], unique=True, schema="app"
    )


def _deliveries() -> None:
    op.create_table(
        "sync_deliveries",
        sa.Column("tenant_id", sa.String(40), nullable=False),
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("source", sa.String(80), nullable=False),
        sa.Column("delivery_id", sa.String(200), nullable=False),
        sa.Column("connection_id", sa.String(40), nullable=True),
        sa.Column("topic", sa.String(120), nullable=False),
        sa.Column("headers", JSON, nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("status", sa.String(10), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("available_at", MOMENT, nullable=False),
        sa.Column("error", sa.String(80), nullable=False),
        sa.Column("received_at", MOMENT, nullable=False),
        sa.Column("done_at", MOMENT, nullable=True),
        sa.CheckConstraint("(status = 'done') = (done_at IS NOT NULL)", name=op.f("ck_sync_deliveries_done_says_when")),
        sa.CheckConstraint("status IN ('waiting', 'done', 'dead')", name=op.f("ck_sync_deliveries_status_known")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "connection_id"],
            ["app.sync_connections.tenant_id", "app.sync_connections.id"],
            name=op.f("fk_sync_deliveries_tenant_id_connection_id"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_sync_deliveries")),
        schema="app",
    )
    op.create_index(
        "ix_sync_deliveries_received", "sync_deliveries", ["tenant_id", "received_at", "id"], unique=False, schema="app"
    )
    op.create_index(
        "ix_sync_deliveries_waiting",
        "sync_deliveries",
        ["tenant_id", "available_at", "id"],
        unique=False,
        schema="app",
        postgresql_where=sa.text("status = 'waiting'"),
    )
    op.create_index(
        "uq_sync_deliveries_once", "sync_deliveries", ["tenant_id", "source", "delivery_id"], unique=True, schema="app"
    )


def _exceptions() -> None:
    op.create_table(
        "sync_exceptions",
        sa.Column("tenant_id", sa.String(40), nullable=False),
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("workflow", sa.String(80), nullable=False),
        sa.Column("workflow_id", sa.String(200), nullable=False),
        sa.Column("step", sa.String(80), nullable=False),
        sa.Column("connection_id", sa.String(40), nullable=True),
        sa.Column("subject", sa.String(120), nullable=False),
        sa.Column("code", sa.String(40), nullable=False),
        sa.Column("reason", sa.String(500), nullable=False),
        sa.Column("fields", JSON, nullable=False),
        sa.Column("payload", JSON, nullable=False),
        sa.Column("fixed", JSON, nullable=True),
        sa.Column("fingerprint", sa.String(16), nullable=False),
        sa.Column("status", sa.String(10), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("retries", sa.Integer(), nullable=False),
        sa.Column("first_at", MOMENT, nullable=False),
        sa.Column("last_at", MOMENT, nullable=False),
        sa.Column("taken_until", MOMENT, nullable=True),
        sa.Column("closed_at", MOMENT, nullable=True),
        sa.Column("decided_by", sa.String(80), nullable=False),
        sa.CheckConstraint(
            "(status IN ('resolved', 'dismissed')) = (closed_at IS NOT NULL)",
            name=op.f("ck_sync_exceptions_closed_says_when"),
        ),
        sa.CheckConstraint(
            "status IN ('open', 'retrying', 'resolved', 'dismissed')", name=op.f("ck_sync_exceptions_status_known")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "connection_id"],
            ["app.sync_connections.tenant_id", "app.sync_connections.id"],
            name=op.f("fk_sync_exceptions_tenant_id_connection_id"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_sync_exceptions")),
        schema="app",
    )
    op.create_index(
        "ix_sync_exceptions_cause",
        "sync_exceptions",
        ["tenant_id", "fingerprint", "status"],
        unique=False,
        schema="app",
    )
    op.create_index(
        "ix_sync_exceptions_last",
        "sync_exceptions",
        ["tenant_id", "status", "last_at", "id"],
        unique=False,
        schema="app",
    )
    op.create_index(
        "uq_sync_exceptions_run",
        "sync_exceptions",
        ["tenant_id", "workflow_id"],
        unique=True,
        schema="app",
        postgresql_where=sa.text("status IN ('open', 'retrying')"),
    )


def downgrade() -> None:
    for table in (
        "sync_exceptions",
        "sync_deliveries",
        "sync_mappings",
        "sync_xrefs",
        "sync_calls",
        "sync_breakers",
        "sync_permits",
        "sync_limits",
        "sync_secrets",
        "sync_connections",
    ):
        op.drop_table(table, schema="app")
