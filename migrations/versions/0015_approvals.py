"""approvals: approvals of staff."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "approvals",
        sa.Column("tenant_id", sa.String(length=40), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("subject_id", sa.String(length=60), nullable=False),
        sa.Column("subject_version", sa.String(length=200), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("args", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("rule", sa.String(length=80), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("requested_by", sa.String(length=80), nullable=False),
        sa.Column("requested_who", sa.String(length=80), nullable=False),
        sa.Column("thread_id", sa.String(length=40), nullable=True),
        sa.Column("case_id", sa.String(length=40), nullable=True),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("needed", sa.Integer(), nullable=False),
        sa.Column("agreed", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("decided_by", sa.String(length=80), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("warned_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("outcome", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("failure_code", sa.String(length=60), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(status = 'approved') = (outcome IS NOT NULL)", name=op.f("ck_approvals_approved_has_outcome")
        ),
        sa.CheckConstraint("needed > 0", name=op.f("ck_approvals_somebody_is_needed")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "case_id"],
            ["app.cases.tenant_id", "app.cases.id"],
            name=op.f("fk_approvals_tenant_id_case_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "thread_id"],
            ["app.threads.tenant_id", "app.threads.id"],
            name=op.f("fk_approvals_tenant_id_thread_id"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_approvals")),
        schema="app",
    )
    op.create_index(
        "ix_approvals_claimed",
        "approvals",
        ["tenant_id", "lease_until"],
        unique=False,
        schema="app",
        postgresql_where=sa.text("status = 'claimed'"),
    )
    op.create_index(
        "ix_approvals_pending",
        "approvals",
        ["tenant_id", "expires_at"],
        unique=False,
        schema="app",
        postgresql_where=sa.text("status = 'pending'"),
    )
    op.create_index("ix_approvals_subject", "approvals", ["tenant_id", "subject_id"], unique=False, schema="app")
    op.create_index(
        "uq_approvals_live",
        "approvals",
        ["tenant_id", "digest"],
        unique=True,
        schema="app",
        postgresql_where=sa.text("status IN ('pending', 'claimed')"),
    )
    op.create_index(
        "uq_order_changes_approval", "order_changes", ["tenant_id", "approval_id"], unique=True, schema="app"
    )


def downgrade() -> None:
    op.drop_index("uq_order_changes_approval", "order_changes", schema="app")
    op.drop_table("approvals", schema="app")
