"""heart: on whose word money and goods moved beyond a limit, and what one person wrote on or off by hand."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("refunds", sa.Column("note", sa.Text(), server_default="", nullable=False), schema="app")
    op.add_column("refunds", sa.Column("approved", sa.String(length=40), nullable=True), schema="app")
    op.create_index("ix_refunds_recent", "refunds", ["tenant_id", "created_at"], schema="app")
    op.add_column("order_changes", sa.Column("approval_id", sa.String(length=40), nullable=True), schema="app")
    op.create_table(
        "stock_adjustments",
        sa.Column("tenant_id", sa.String(length=40), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("actor", sa.String(length=80), nullable=False),
        sa.Column("units", sa.BigInteger(), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.Column("approved", sa.String(length=40), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("units >= 0 AND value >= 0", name=op.f("ck_stock_adjustments_counts_up")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_stock_adjustments")),
        schema="app",
    )
    op.create_index("ix_stock_adjustments_actor", "stock_adjustments", ["tenant_id", "actor", "at"], schema="app")


def downgrade() -> None:
    op.drop_table("stock_adjustments", schema="app")
    op.drop_column("order_changes", "approval_id", schema="app")
    op.drop_index("ix_refunds_recent", "refunds", schema="app")
    op.drop_column("refunds", "approved", schema="app")
    op.drop_column("refunds", "note", schema="app")
