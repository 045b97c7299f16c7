"""tax engine: what it said of a checkout, who worked an order's tax out, and what was filed with it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _orders()
    _quotes()
    _filings()


def _orders() -> None:
    op.add_column(
        "orders", sa.Column("tax_engine", sa.String(length=20), server_default="tables", nullable=False), schema="app"
    )
    op.add_column("orders", sa.Column("tax_calculation_id", sa.String(length=80), nullable=True), schema="app")
    op.add_column(
        "order_adjustments",
        sa.Column("rates", postgresql.JSONB(), server_default="[]", nullable=False),
        schema="app",
    )
    op.create_index(
        "ix_orders_taxed_elsewhere",
        "orders",
        ["tenant_id", "id"],
        schema="app",
        postgresql_where=sa.text("tax_calculation_id IS NOT NULL"),
    )


def _quotes() -> None:
    op.create_table(
        "tax_quotes",
        sa.Column("tenant_id", sa.String(length=40), nullable=False),
        sa.Column("session_id", sa.String(length=40), nullable=False),
        sa.Column("engine", sa.String(length=20), nullable=False),
        sa.Column("question_hash", sa.String(length=64), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("answer", postgresql.JSONB(), nullable=False),
        sa.Column("calculation_id", sa.String(length=80), nullable=True),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(status = 'answered') = (calculation_id IS NOT NULL)",
            name=op.f("ck_tax_quotes_answered_has_calculation"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "session_id"],
            ["app.checkout_sessions.tenant_id", "app.checkout_sessions.id"],
            name=op.f("fk_tax_quotes_tenant_id_session_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "session_id", name=op.f("pk_tax_quotes")),
        schema="app",
    )


def _filings() -> None:
    op.create_table(
        "tax_filings",
        sa.Column("tenant_id", sa.String(length=40), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("order_id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("subject_id", sa.String(length=40), nullable=False),
        sa.Column("amount", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("transaction_id", sa.String(length=80), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("problem", sa.Text(), nullable=False),
        sa.Column("available_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(status = 'filed') = (transaction_id IS NOT NULL)", name=op.f("ck_tax_filings_filed_has_transaction")
        ),
        sa.CheckConstraint("(kind = 'sale') = (amount >= 0)", name=op.f("ck_tax_filings_reversal_is_negative")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "order_id"],
            ["app.orders.tenant_id", "app.orders.id"],
            name=op.f("fk_tax_filings_tenant_id_order_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_tax_filings")),
        schema="app",
    )
    op.create_index("uq_tax_filings_subject", "tax_filings", ["tenant_id", "subject_id"], unique=True, schema="app")
    op.create_index("ix_tax_filings_order", "tax_filings", ["tenant_id", "order_id"], schema="app")
    op.create_index(
        "ix_tax_filings_pending",
        "tax_filings",
        ["tenant_id", "available_at"],
        schema="app",
        postgresql_where=sa.text("status = 'pending'"),
    )
