"""digital goods and ways per line: what has no parcel, licence codes, and lines of one order that go different ways."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None


def upgrade() -> None:
    nothing = postgresql.JSONB(none_as_null=True, astext_type=sa.Text())
    document = postgresql.JSONB(astext_type=sa.Text())
    op.add_column("variants", sa.Column("digital", nothing, nullable=True), schema="app")
    op.create_check_constraint(
        op.f("ck_variants_digital_is_counted_by_codes"),
        "variants",
        "digital IS NULL OR stock_policy IN ('deny', 'untracked')",
        schema="app",
    )
    op.add_column(
        "checkout_sessions", sa.Column("ways", document, server_default=sa.text("'{}'"), nullable=False), schema="app"
    )
    op.add_column(
        "order_lines", sa.Column("digital", sa.Boolean(), server_default=sa.text("false"), nullable=False), schema="app"
    )
    op.add_column("order_lines", sa.Column("way", nothing, nullable=True), schema="app")
    op.create_index(
        "ix_order_lines_digital",
        "order_lines",
        ["tenant_id", "order_id"],
        schema="app",
        postgresql_where=sa.text("digital AND allocated > shipped"),
    )
    op.add_column("fulfillments", sa.Column("way", nothing, nullable=True), schema="app")
    _deliveries()
    _codes()


def _deliveries() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "digital_deliveries",
        *(
            sa.Column(name, sa.String(40), nullable=False)
            for name in ("tenant_id", "id", "order_id", "order_line_id", "shipment_id", "variant_id")
        ),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("url_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("expires_at", moment, nullable=True),
        sa.Column("revoked_at", moment, nullable=True),
        sa.Column("revoke_reason", sa.Text(), nullable=True),
        sa.Column("created_at", moment, nullable=False),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_digital_deliveries_quantity_positive")),
        _key("digital_deliveries", "order_id", "orders", ondelete="CASCADE"),
        _key("digital_deliveries", "order_line_id", "order_lines", ondelete="CASCADE"),
        _key("digital_deliveries", "shipment_id", "shipments"),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_digital_deliveries")),
        schema="app",
    )
    for name in ("order", "line", "shipment"):
        column = "order_line_id" if name == "line" else f"{name}_id"
        op.create_index(f"ix_digital_deliveries_{name}", "digital_deliveries", ["tenant_id", column], schema="app")


def _codes() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "digital_codes",
        *(sa.Column(name, sa.String(40), nullable=False) for name in ("tenant_id", "id", "variant_id")),
        sa.Column("code_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("code_hash", sa.String(64), nullable=False),
        sa.Column("status", sa.String(10), nullable=False),
        sa.Column("delivery_id", sa.String(40), nullable=True),
        sa.Column("added_by", sa.String(40), nullable=False),
        sa.Column("added_at", moment, nullable=False),
        sa.Column("claimed_at", moment, nullable=True),
        sa.CheckConstraint(
            "(status = 'free') = (delivery_id IS NULL) AND (status = 'free') = (claimed_at IS NULL)",
            name=op.f("ck_digital_codes_given_out_says_to_whom"),
        ),
        _key("digital_codes", "variant_id", "variants"),
        _key("digital_codes", "delivery_id", "digital_deliveries"),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_digital_codes")),
        schema="app",
    )
    code = ["tenant_id", "variant_id", "code_hash"]
    op.create_index("uq_digital_codes_code", "digital_codes", code, unique=True, schema="app")
    op.create_index(
        "ix_digital_codes_free",
        "digital_codes",
        ["tenant_id", "variant_id", "id"],
        schema="app",
        postgresql_where=sa.text("status = 'free'"),
    )
    op.create_index("ix_digital_codes_delivery", "digital_codes", ["tenant_id", "delivery_id"], schema="app")


def _key(table: str, column: str, target: str, *, ondelete: str | None = None) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["tenant_id", column],
        [f"app.{target}.tenant_id", f"app.{target}.id"],
        name=op.f(f"fk_{table}_tenant_id_{column}"),
        ondelete=ondelete,
    )


def downgrade() -> None:
    op.drop_table("digital_codes", schema="app")
    op.drop_table("digital_deliveries", schema="app")
    op.drop_column("fulfillments", "way", schema="app")
    op.drop_index("ix_order_lines_digital", "order_lines", schema="app")
    op.drop_column("order_lines", "way", schema="app")
    op.drop_column("order_lines", "digital", schema="app")
    op.drop_column("checkout_sessions", "ways", schema="app")
    op.drop_constraint(op.f("ck_variants_digital_is_counted_by_codes"), "variants", schema="app")
    op.drop_column("variants", "digital", schema="app")
