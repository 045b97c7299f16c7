"""catalog: promotions with rules and uses, collections, imports."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

_SAID = """
DO $$
DECLARE shop record;
BEGIN
  FOR shop IN SELECT id FROM app.tenants LOOP
    PERFORM set_config('app.tenant_id', shop.id, true);
    UPDATE app.discounts SET used_before = used;
  END LOOP;
  PERFORM set_config('app.tenant_id', '', true);
END $$
"""
"""Every use so far is from before they were written down one by one. Row-level security binds the owner too, so it is
told shop by shop.
"""


def upgrade() -> None:
    _discounts()
    _uses()
    _products()
    _imports()


def _discounts() -> None:
    op.alter_column("discounts", "code", nullable=True, schema="app")
    text = sa.text
    for column in (
        sa.Column("kind", sa.String(length=14), server_default="off", nullable=False),
        sa.Column("rules", postgresql.JSONB(), server_default=text("'{}'"), nullable=False),
        sa.Column("priority", sa.Integer(), server_default=text("0"), nullable=False),
        sa.Column("stacking", sa.String(length=10), server_default="combinable", nullable=False),
        sa.Column("first_order_only", sa.Boolean(), server_default=text("false"), nullable=False),
        sa.Column("per_customer_limit", sa.Integer(), nullable=True),
        sa.Column("used_before", sa.Integer(), server_default=text("0"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=text("now()"), nullable=False),
        sa.Column("version", sa.Integer(), server_default=text("1"), nullable=False),
    ):
        op.add_column("discounts", column, schema="app")
    op.create_index(
        "ix_discounts_automatic",
        "discounts",
        ["tenant_id", "ends_at"],
        schema="app",
        postgresql_where=text("code IS NULL"),
    )
    op.execute(_SAID)


def _uses() -> None:
    op.create_table(
        "discount_uses",
        sa.Column("tenant_id", sa.String(length=40), nullable=False),
        sa.Column("discount_id", sa.String(length=40), nullable=False),
        sa.Column("order_id", sa.String(length=40), nullable=False),
        sa.Column("amount", sa.Integer(), nullable=False),
        sa.Column("shipping", sa.Integer(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("given_back_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("amount >= 0 AND shipping >= 0", name=op.f("ck_discount_uses_amount_not_negative")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "discount_id"],
            ["app.discounts.tenant_id", "app.discounts.id"],
            name=op.f("fk_discount_uses_tenant_id_discount_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "order_id"],
            ["app.orders.tenant_id", "app.orders.id"],
            name=op.f("fk_discount_uses_tenant_id_order_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "discount_id", "order_id", name=op.f("pk_discount_uses")),
        schema="app",
    )
    op.create_index("ix_discount_uses_order", "discount_uses", ["tenant_id", "order_id"], schema="app")


def _products() -> None:
    op.add_column("products", sa.Column("external_id", sa.String(length=80), nullable=True), schema="app")
    collections = sa.Column("collections", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False)
    op.add_column("products", collections, schema="app")
    op.create_index("uq_products_external", "products", ["tenant_id", "external_id"], unique=True, schema="app")


def _imports() -> None:
    op.create_table(
        "catalog_imports",
        sa.Column("tenant_id", sa.String(length=40), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("format", sa.String(length=4), nullable=False),
        sa.Column("atomic", sa.Boolean(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("content", sa.Text(), nullable=True),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("report", postgresql.JSONB(), nullable=False),
        sa.Column("outcome", postgresql.JSONB(), nullable=True),
        sa.Column("made_by", sa.String(length=40), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("applied_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_catalog_imports")),
        schema="app",
    )


def downgrade() -> None:
    op.drop_table("catalog_imports", schema="app")
    op.drop_index("uq_products_external", "products", schema="app")
    op.drop_column("products", "collections", schema="app")
    op.drop_column("products", "external_id", schema="app")
    op.drop_table("discount_uses", schema="app")
    op.execute("DELETE FROM app.discounts WHERE code IS NULL")
    op.drop_index("ix_discounts_automatic", "discounts", schema="app")
    for name in (
        *("version", "updated_at", "created_at", "used_before", "per_customer_limit"),
        *("first_order_only", "stacking", "priority", "rules", "kind"),
    ):
        op.drop_column("discounts", name, schema="app")
    op.alter_column("discounts", "code", nullable=False, schema="app")
