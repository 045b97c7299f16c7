"""prices: prices in other currencies and prices with a time."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("carts", sa.Column("currency", sa.String(length=3), nullable=True), schema="app")
    op.add_column(
        "discounts",
        sa.Column("amounts", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
        schema="app",
    )
    _prices()


def _prices() -> None:
    op.create_table(
        "prices",
        sa.Column("tenant_id", sa.String(length=40), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("variant_id", sa.String(length=40), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("amount", sa.Integer(), nullable=False),
        sa.Column("compare_at", sa.Integer(), nullable=True),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("source", sa.String(length=40), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("amount >= 0", name=op.f("ck_prices_amount_not_negative")),
        sa.CheckConstraint("compare_at > amount", name=op.f("ck_prices_compare_at_more")),
        sa.CheckConstraint("ends_at > starts_at", name=op.f("ck_prices_ends_after_start")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "variant_id"],
            ["app.variants.tenant_id", "app.variants.id"],
            name=op.f("fk_prices_tenant_id_variant_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_prices")),
        schema="app",
    )
    op.create_index("ix_prices_variant", "prices", ["tenant_id", "currency", "variant_id"], schema="app")
    op.create_index(
        "uq_prices_always",
        "prices",
        ["tenant_id", "variant_id", "currency"],
        unique=True,
        schema="app",
        postgresql_where=sa.text("starts_at IS NULL AND ends_at IS NULL"),
    )


def downgrade() -> None:
    op.drop_table("prices", schema="app")
    op.drop_column("discounts", "amounts", schema="app")
    op.drop_column("carts", "currency", schema="app")
