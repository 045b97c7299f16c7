"""mail: letters, and invoices that are numbered without a gap."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "mails",
        sa.Column("tenant_id", sa.String(40), nullable=False),
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("key", sa.String(200), nullable=False),
        sa.Column("topic", sa.String(80), nullable=False),
        sa.Column("template", sa.String(40), nullable=False),
        sa.Column("subject_id", sa.String(40), nullable=False),
        sa.Column("customer_id", sa.String(40), nullable=True),
        sa.Column("to_address", sa.Text(), nullable=False),
        sa.Column("from_name", sa.Text(), nullable=False),
        sa.Column("from_address", sa.Text(), nullable=False),
        sa.Column("reply_to", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("html", sa.Text(), nullable=False),
        sa.Column("status", sa.String(10), nullable=False),
        sa.Column("channel", sa.String(10), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("available_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("secret", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("erased_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("status IN ('queued', 'sent', 'failed')", name=op.f("ck_mails_status_known")),
        sa.CheckConstraint(
            "(status = 'sent') = (sent_at IS NOT NULL) AND (status = 'sent') = (channel IS NOT NULL)",
            name=op.f("ck_mails_sent_says_when_and_how"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_mails")),
        schema="app",
    )
    op.create_index("uq_mails_key", "mails", ["tenant_id", "key"], unique=True, schema="app")
    op.create_index("ix_mails_created", "mails", ["tenant_id", "created_at", "id"], schema="app")
    op.create_index("ix_mails_subject", "mails", ["tenant_id", "subject_id"], schema="app")
    op.create_index("ix_mails_address", "mails", ["tenant_id", sa.text("lower(to_address)")], schema="app")
    op.create_index(
        "ix_mails_due",
        "mails",
        ["tenant_id", "available_at", "id"],
        schema="app",
        postgresql_where=sa.text("status = 'queued'"),
    )
    op.create_index(
        "ix_mails_to_erase",
        "mails",
        ["tenant_id", "id"],
        schema="app",
        postgresql_where=sa.text("secret AND erased_at IS NULL"),
    )
    _invoices()


def _invoices() -> None:
    op.create_table(
        "invoices",
        sa.Column("tenant_id", sa.String(40), nullable=False),
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("kind", sa.String(12), nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("label", sa.String(40), nullable=False),
        sa.Column("order_id", sa.String(40), nullable=False),
        sa.Column("adjustment_id", sa.String(40), nullable=True),
        sa.Column("corrects_id", sa.String(40), nullable=True),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("net", sa.Integer(), nullable=False),
        sa.Column("tax", sa.Integer(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("document", postgresql.JSONB(), nullable=False),
        sa.Column("issued_by", sa.String(80), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("net + tax = total AND total >= 0 AND number > 0", name=op.f("ck_invoices_adds_up")),
        sa.CheckConstraint(
            "(adjustment_id IS NULL) = (corrects_id IS NULL)", name=op.f("ck_invoices_correction_names_both")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "order_id"],
            ["app.orders.tenant_id", "app.orders.id"],
            name=op.f("fk_invoices_tenant_id_order_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "corrects_id"],
            ["app.invoices.tenant_id", "app.invoices.id"],
            name=op.f("fk_invoices_tenant_id_corrects_id"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_invoices")),
        schema="app",
    )
    op.create_index(
        "uq_invoices_number", "invoices", ["tenant_id", "kind", "year", "number"], unique=True, schema="app"
    )
    op.create_index(
        "uq_invoices_order",
        "invoices",
        ["tenant_id", "order_id"],
        unique=True,
        schema="app",
        postgresql_where=sa.text("adjustment_id IS NULL"),
    )
    op.create_index("uq_invoices_adjustment", "invoices", ["tenant_id", "adjustment_id"], unique=True, schema="app")
    op.create_index("ix_invoices_order", "invoices", ["tenant_id", "order_id", "issued_at"], schema="app")
    op.create_index("ix_invoices_issued", "invoices", ["tenant_id", "issued_at", "id"], schema="app")


def downgrade() -> None:
    op.drop_table("invoices", schema="app")
    op.drop_table("mails", schema="app")
