"""runs: workflows' runs and steps, where polls have got to, a shop's switches and settings, and who executes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0053"
down_revision = "0052"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
JSON = postgresql.JSONB()


def upgrade() -> None:
    _runs()
    _steps()
    _cursors()
    _pipeline()
    _executors()


def _runs() -> None:
    op.create_table(
        "sync_runs",
        sa.Column("tenant_id", sa.String(40), nullable=False),
        sa.Column("id", sa.String(200), nullable=False),
        sa.Column("workflow", sa.String(80), nullable=False),
        sa.Column("version", sa.String(20), nullable=False),
        sa.Column("mode", sa.String(10), nullable=False),
        sa.Column("status", sa.String(10), nullable=False),
        sa.Column("turn", sa.Integer(), nullable=False),
        sa.Column("subject_kind", sa.String(20), nullable=False),
        sa.Column("subject_ref", sa.String(120), nullable=False),
        sa.Column("payload", JSON, nullable=False),
        sa.Column("result", JSON, nullable=True),
        sa.Column("trigger", sa.String(120), nullable=False),
        sa.Column("trace_id", sa.String(64), nullable=False),
        sa.Column("step", sa.String(80), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_try_at", MOMENT, nullable=True),
        sa.Column("error_code", sa.String(40), nullable=False),
        sa.Column("error", sa.String(500), nullable=False),
        sa.Column("executor_id", sa.String(80), nullable=False),
        sa.Column("handed_at", MOMENT, nullable=True),
        sa.Column("replay_of", sa.String(200), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("started_at", MOMENT, nullable=True),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.CheckConstraint("(status = 'waiting') = (next_try_at IS NOT NULL)", name=op.f("ck_sync_runs_waits_until")),
        sa.CheckConstraint(
            "(status IN ('done', 'failed', 'canceled')) = (ended_at IS NOT NULL)",
            name=op.f("ck_sync_runs_end_says_when"),
        ),
        sa.CheckConstraint("mode IN ('live', 'shadow')", name=op.f("ck_sync_runs_mode_known")),
        sa.CheckConstraint("status <> 'failed' OR error_code <> ''", name=op.f("ck_sync_runs_failure_says_why")),
        sa.CheckConstraint(
            "status IN ('queued', 'running', 'waiting', 'done', 'failed', 'canceled')",
            name=op.f("ck_sync_runs_status_known"),
        ),
        sa.CheckConstraint("turn >= 1", name=op.f("ck_sync_runs_turns_from_one")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_sync_runs")),
        schema="app",
    )
    for name, columns, where in (
        ("created", ["created_at", "id"], None),
        ("status", ["status", "created_at", "id"], None),
        ("workflow", ["workflow", "created_at", "id"], None),
        ("subject", ["subject_kind", "subject_ref"], None),
        ("queued", ["created_at"], "status = 'queued'"),
        ("next", ["next_try_at"], "status = 'waiting' AND next_try_at IS NOT NULL"),
        ("running", ["executor_id"], "status = 'running'"),
    ):
        op.create_index(
            f"ix_sync_runs_{name}",
            "sync_runs",
            ["tenant_id", *columns],
            unique=False,
            schema="app",
            postgresql_where=sa.text(where) if where else None,
        )


def _steps() -> None:
    op.create_table(
        "sync_steps",
        sa.Column("tenant_id", sa.String(40), nullable=False),
        sa.Column("run_id", sa.String(200), nullable=False),
        sa.Column("turn", sa.Integer(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("status", sa.String(10), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("started_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.Column("next_try_at", MOMENT, nullable=True),
        sa.Column("error_code", sa.String(40), nullable=False),
        sa.Column("error", sa.String(500), nullable=False),
        sa.Column("result", sa.Text(), nullable=False),
        sa.CheckConstraint("octet_length(result) <= 4096", name=op.f("ck_sync_steps_bounded")),
        sa.CheckConstraint(
            "status IN ('running', 'waiting', 'done', 'failed')", name=op.f("ck_sync_steps_status_known")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "run_id"],
            ["app.sync_runs.tenant_id", "app.sync_runs.id"],
            name=op.f("fk_sync_steps_tenant_id_run_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "run_id", "turn", "place", name=op.f("pk_sync_steps")),
        schema="app",
    )


def _cursors() -> None:
    op.create_table(
        "sync_cursors",
        sa.Column("tenant_id", sa.String(40), nullable=False),
        sa.Column("workflow", sa.String(80), nullable=False),
        sa.Column("value", JSON, nullable=False),
        sa.Column("polled_at", MOMENT, nullable=True),
        sa.Column("due_at", MOMENT, nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("error", sa.String(200), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "workflow", name=op.f("pk_sync_cursors")),
        schema="app",
    )


def _pipeline() -> None:
    op.create_table(
        "sync_pipeline",
        sa.Column("tenant_id", sa.String(40), nullable=False),
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("workflow", sa.String(80), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("is_on", sa.Boolean(), nullable=False),
        sa.Column("settings", JSON, nullable=False),
        sa.Column("note", sa.String(200), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("created_by", sa.String(80), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.CheckConstraint("version >= 1", name=op.f("ck_sync_pipeline_counts_from_one")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_sync_pipeline")),
        schema="app",
    )
    op.create_index(
        "uq_sync_pipeline_active",
        "sync_pipeline",
        ["tenant_id", "workflow"],
        unique=True,
        schema="app",
        postgresql_where=sa.text("active"),
    )
    op.create_index(
        "uq_sync_pipeline_version", "sync_pipeline", ["tenant_id", "workflow", "version"], unique=True, schema="app"
    )


def _executors() -> None:
    op.create_table(
        "sync_executors",
        sa.Column("id", sa.String(80), nullable=False),
        sa.Column("version", sa.String(40), nullable=False),
        sa.Column("workflows", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("started_at", MOMENT, nullable=False),
        sa.Column("heartbeat_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sync_executors")),
        schema="app",
    )


def downgrade() -> None:
    for table in ("sync_executors", "sync_pipeline", "sync_cursors", "sync_steps", "sync_runs"):
        op.drop_table(table, schema="app")
