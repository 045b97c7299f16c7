"""Accounts at gateways that are not ours, single-use tokens for them, and who is who there."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "gateway_accounts",
        sa.Column("tenant_id", sa.String(40), nullable=False),
        sa.Column("gateway", sa.String(20), nullable=False),
        sa.Column("mode", sa.String(4), nullable=False),
        sa.Column("publishable_key", sa.Text(), nullable=False),
        sa.Column("secrets_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("settings", postgresql.JSONB(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("mode IN ('test', 'live')", name=op.f("ck_gateway_accounts_mode_known")),
        sa.PrimaryKeyConstraint("tenant_id", "gateway", name=op.f("pk_gateway_accounts")),
        schema="app",
    )
    op.create_table(
        "delegated_tokens",
        sa.Column("tenant_id", sa.String(40), nullable=False),
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("gateway", sa.String(20), nullable=False),
        sa.Column("session_id", sa.String(40), nullable=False),
        sa.Column("method_hash", sa.String(64), nullable=False),
        sa.Column("method_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("max_amount", sa.Integer(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("consumed_by", sa.String(40), nullable=True),
        sa.Column("consumed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("challenge_id", sa.Text(), nullable=True),
        sa.Column("challenge_used_by", sa.String(40), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("max_amount >= 0", name=op.f("ck_delegated_tokens_max_amount_not_negative")),
        sa.CheckConstraint(
            "(consumed_by IS NULL) = (consumed_at IS NULL)", name=op.f("ck_delegated_tokens_consumed_by_and_at")
        ),
        sa.PrimaryKeyConstraint("tenant_id", "token_hash", name=op.f("pk_delegated_tokens")),
        schema="app",
    )
    op.create_index(
        "ix_delegated_tokens_method", "delegated_tokens", ["tenant_id", "method_hash", "session_id"], schema="app"
    )
    op.create_index(
        "uq_delegated_tokens_consumed_by",
        "delegated_tokens",
        ["tenant_id", "consumed_by"],
        unique=True,
        schema="app",
        postgresql_where=sa.text("consumed_by IS NOT NULL"),
    )
    op.create_table(
        "gateway_handles",
        sa.Column("tenant_id", sa.String(40), nullable=False),
        sa.Column("gateway", sa.String(20), nullable=False),
        sa.Column("key", sa.String(80), nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("payment_id", sa.String(40), nullable=False),
        sa.Column("body_hash", sa.String(64), nullable=False),
        sa.Column("amount", sa.Integer(), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("gateway_id", sa.Text(), nullable=True),
        sa.Column("outcome", sa.String(40), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("amount >= 0", name=op.f("ck_gateway_handles_amount_not_negative")),
        sa.PrimaryKeyConstraint("tenant_id", "gateway", "key", name=op.f("pk_gateway_handles")),
        schema="app",
    )
    op.create_index(
        "ix_gateway_handles_gateway_id", "gateway_handles", ["tenant_id", "gateway", "gateway_id"], schema="app"
    )


def downgrade() -> None:
    for table in ("gateway_handles", "delegated_tokens", "gateway_accounts"):
        op.drop_table(table, schema="app")
