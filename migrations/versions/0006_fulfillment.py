"""Fulfillments, and what a shipment has learned since: packages, service, a journey."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

JSONB = postgresql.JSONB(astext_type=sa.Text())


def upgrade() -> None:
    _fulfillments()
    _shipments()
    op.create_index(
        "ix_order_lines_unreleased",
        "order_lines",
        ["tenant_id", "order_id"],
        schema="app",
        postgresql_where=sa.text("allocated > released"),
    )


def _fulfillments() -> None:
    op.create_table(
        "fulfillments",
        sa.Column("tenant_id", sa.String(length=40), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("order_id", sa.String(length=40), nullable=False),
        sa.Column("location_id", sa.String(length=40), nullable=False),
        sa.Column("partner", sa.String(length=40), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("routing", JSONB, nullable=False),
        sa.Column("capture_ids", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("cancel_change_id", sa.String(length=40), nullable=True),
        sa.Column("released_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "order_id"],
            ["app.orders.tenant_id", "app.orders.id"],
            name=op.f("fk_fulfillments_tenant_id_order_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "location_id"],
            ["app.locations.tenant_id", "app.locations.id"],
            name=op.f("fk_fulfillments_tenant_id_location_id"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_fulfillments")),
        schema="app",
    )
    op.create_index("ix_fulfillments_order", "fulfillments", ["tenant_id", "order_id"], schema="app")
    op.create_index("ix_fulfillments_released", "fulfillments", ["tenant_id", "released_at", "id"], schema="app")
    op.create_index(
        "ix_fulfillments_open",
        "fulfillments",
        ["tenant_id", "location_id"],
        schema="app",
        postgresql_where=sa.text("status NOT IN ('shipped', 'canceled')"),
    )
    op.create_table(
        "fulfillment_lines",
        sa.Column("tenant_id", sa.String(length=40), nullable=False),
        sa.Column("fulfillment_id", sa.String(length=40), nullable=False),
        sa.Column("order_line_id", sa.String(length=40), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("shipped", sa.Integer(), nullable=False),
        sa.Column("canceled", sa.Integer(), nullable=False),
        sa.Column("cancel_requested", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "quantity > 0 AND shipped >= 0 AND canceled >= 0 AND cancel_requested >= 0"
            " AND shipped + canceled + cancel_requested <= quantity",
            name=op.f("ck_fulfillment_lines_quantities_add_up"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "fulfillment_id"],
            ["app.fulfillments.tenant_id", "app.fulfillments.id"],
            name=op.f("fk_fulfillment_lines_tenant_id_fulfillment_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "order_line_id"],
            ["app.order_lines.tenant_id", "app.order_lines.id"],
            name=op.f("fk_fulfillment_lines_tenant_id_order_line_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "fulfillment_id", "order_line_id", name=op.f("pk_fulfillment_lines")),
        schema="app",
    )
    op.create_index("ix_fulfillment_lines_line", "fulfillment_lines", ["tenant_id", "order_line_id"], schema="app")


def _shipments() -> None:
    """Rows of before keep what they have; the defaults are only for them."""
    for column in (
        sa.Column("fulfillment_id", sa.String(length=40), nullable=True),
        sa.Column("service", sa.Text(), nullable=False, server_default=""),
        sa.Column("label_cost", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("packages", JSONB, nullable=False, server_default="[]"),
        sa.Column("expected_on", sa.Date(), nullable=True),
        sa.Column("lost_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("remedy", sa.String(length=10), nullable=True),
        sa.Column("returned_at", sa.DateTime(timezone=True), nullable=True),
    ):
        op.add_column("shipments", column, schema="app")
    op.create_foreign_key(
        op.f("fk_shipments_tenant_id_fulfillment_id"),
        "shipments",
        "fulfillments",
        ["tenant_id", "fulfillment_id"],
        ["tenant_id", "id"],
        source_schema="app",
        referent_schema="app",
    )
    op.create_check_constraint(
        op.f("ck_shipments_label_cost_not_negative"), "shipments", "label_cost >= 0", schema="app"
    )
    op.create_index("ix_shipments_fulfillment", "shipments", ["tenant_id", "fulfillment_id"], schema="app")
    op.create_index("ix_shipments_shipped", "shipments", ["tenant_id", "shipped_at", "id"], schema="app")
    op.create_index(
        "uq_shipments_tracking", "shipments", ["tenant_id", "carrier", "tracking_number"], unique=True, schema="app"
    )
    op.create_index(
        "ix_shipments_under_way",
        "shipments",
        ["tenant_id", "carrier", "id"],
        schema="app",
        postgresql_where=sa.text("status NOT IN ('delivered', 'lost', 'returned')"),
    )


def downgrade() -> None:
    op.drop_index("ix_order_lines_unreleased", "order_lines", schema="app")
    for index in (
        "ix_shipments_under_way",
        "uq_shipments_tracking",
        "ix_shipments_shipped",
        "ix_shipments_fulfillment",
    ):
        op.drop_index(index, "shipments", schema="app")
    op.drop_constraint("fk_shipments_tenant_id_fulfillment_id", "shipments", schema="app")
    op.drop_constraint("ck_shipments_label_cost_not_negative", "shipments", schema="app")
    for column in (
        "fulfillment_id",
        "service",
        "label_cost",
        "packages",
        "expected_on",
        "lost_at",
        "remedy",
        "returned_at",
    ):
        op.drop_column("shipments", column, schema="app")
    op.drop_table("fulfillment_lines", schema="app")
    op.drop_table("fulfillments", schema="app")
