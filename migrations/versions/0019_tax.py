"""tax: jurisdictions that add up, prices that include tax, exempt buyers, restrictions, delivery promises."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _rates()
    _orders()
    _exemptions()
    _shipping()


def _rates() -> None:
    for column in (
        sa.Column("level", sa.String(length=10), server_default="region", nullable=False),
        sa.Column("city", sa.Text(), server_default="", nullable=False),
        sa.Column("postal_prefixes", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.Column("thresholds", postgresql.JSONB(), server_default="{}", nullable=False),
        sa.Column("shipping_as_goods", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        # What stands already was alone at its place: it stays so.
        sa.Column("replaces_wider", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
    ):
        op.add_column("tax_rates", column, schema="app")
    op.alter_column("tax_rates", "replaces_wider", server_default=sa.text("false"), schema="app")
    op.drop_index("uq_tax_rates_place", "tax_rates", schema="app")
    op.create_index(
        "uq_tax_rates_place",
        "tax_rates",
        ["tenant_id", "country", "region", "city", "postal_prefixes", "name", "valid_from"],
        unique=True,
        schema="app",
    )
    op.create_check_constraint(
        op.f("ck_tax_rates_rate_in_range"), "tax_rates", "rate_ppm BETWEEN 0 AND 1000000", schema="app"
    )
    op.create_check_constraint(
        op.f("ck_tax_rates_ends_after_start"), "tax_rates", "valid_to >= valid_from", schema="app"
    )


def _orders() -> None:
    included = {"server_default": sa.text("false"), "nullable": False}
    op.add_column("orders", sa.Column("tax_included", sa.Boolean(), **included), schema="app")
    op.add_column("order_lines", sa.Column("tax_included", sa.Boolean(), **included), schema="app")
    for table in ("orders", "order_lines"):
        taxes = sa.Column("taxes", postgresql.JSONB(), server_default="[]", nullable=False)
        op.add_column(table, taxes, schema="app")


def _exemptions() -> None:
    op.create_table(
        "tax_exemptions",
        sa.Column("tenant_id", sa.String(length=40), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("customer_id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("country", sa.String(length=2), nullable=False),
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("certificate", sa.Text(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("decided_by", sa.String(length=80), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("valid_to >= valid_from", name=op.f("ck_tax_exemptions_ends_after_start")),
        sa.CheckConstraint(
            "(status = 'pending') = (decided_by IS NULL)", name=op.f("ck_tax_exemptions_decided_by_somebody")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "customer_id"],
            ["app.customers.tenant_id", "app.customers.id"],
            name=op.f("fk_tax_exemptions_tenant_id_customer_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_tax_exemptions")),
        schema="app",
    )
    op.create_index(
        "ix_tax_exemptions_customer", "tax_exemptions", ["tenant_id", "customer_id", "country"], schema="app"
    )
    op.create_index("ix_tax_exemptions_created", "tax_exemptions", ["tenant_id", "created_at", "id"], schema="app")


def _shipping() -> None:
    op.add_column("locations", sa.Column("time_zone", sa.Text(), server_default="UTC", nullable=False), schema="app")
    op.add_column("locations", sa.Column("cut_off", sa.Time(), nullable=True), schema="app")


def downgrade() -> None:
    op.drop_column("locations", "cut_off", schema="app")
    op.drop_column("locations", "time_zone", schema="app")
    op.drop_table("tax_exemptions", schema="app")
    for table in ("order_lines", "orders"):
        op.drop_column(table, "taxes", schema="app")
        op.drop_column(table, "tax_included", schema="app")
    op.drop_index("uq_tax_rates_place", "tax_rates", schema="app")
    for column in (
        *("valid_to", "replaces_wider", "shipping_as_goods", "thresholds", "postal_prefixes", "city", "level"),
    ):
        op.drop_column("tax_rates", column, schema="app")
    op.create_index(
        "uq_tax_rates_place", "tax_rates", ["tenant_id", "country", "region", "valid_from"], unique=True, schema="app"
    )
