"""Inventory: safety stock, bundles, backorders, inbound goods, cycle counts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ID = sa.String(40)
TIME = sa.DateTime(timezone=True)
TABLES = ("stock_count_lines", "stock_counts", "backorders", "inbound_lines", "inbounds", "bundle_components")
COLUMNS = {
    "locations": (
        sa.Column("latitude", sa.Double(), nullable=True),
        sa.Column("longitude", sa.Double(), nullable=True),
        sa.Column("handling_days", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("handling_cost", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("cannot_ship", ARRAY(sa.Text()), nullable=False, server_default="{}"),
    ),
    "stock_levels": (
        sa.Column("safety_stock", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("low_stock_at", sa.Integer(), nullable=True),
    ),
    "variants": (
        sa.Column("stock_policy", sa.String(12), nullable=False, server_default="deny"),
        sa.Column("backorder_limit", sa.Integer(), nullable=True),
        sa.Column("available_on", sa.Date(), nullable=True),
        sa.Column("lead_days", sa.Integer(), nullable=True),
    ),
    "reservations": (
        sa.Column("per_unit", sa.Integer(), nullable=False, server_default="1"),
        sa.Column("tracked", sa.Boolean(), nullable=False, server_default=sa.text("true")),
        sa.Column("expires_at", TIME, nullable=True),
    ),
    "stock_movements": (sa.Column("reason", sa.Text(), nullable=True),),
}
CHECKS = (
    ("stock_levels", "safety_stock_not_negative", "safety_stock >= 0"),
    ("variants", "waiting_not_negative", "backorder_limit >= 0 AND lead_days >= 0"),
    ("reservations", "whole_line_units", "per_unit > 0 AND quantity % per_unit = 0"),
)


def upgrade() -> None:
    for table, columns in COLUMNS.items():
        for column in columns:
            op.add_column(table, column, schema="app")
    for table, name, rule in CHECKS:
        op.create_check_constraint(op.f(f"ck_{table}_{name}"), table, rule, schema="app")
    op.create_index(
        "ix_reservations_expiring",
        "reservations",
        ["tenant_id", "expires_at"],
        schema="app",
        postgresql_where=sa.text("status = 'held' AND expires_at IS NOT NULL"),
    )
    _bundles()
    _inbounds()
    _backorders()
    _counts()


def downgrade() -> None:
    for table in TABLES:
        op.drop_table(table, schema="app")
    op.drop_index("ix_reservations_expiring", "reservations", schema="app")
    for table, name, _ in CHECKS:
        op.drop_constraint(op.f(f"ck_{table}_{name}"), table, schema="app")
    for table, columns in COLUMNS.items():
        for column in columns:
            op.drop_column(table, column.name, schema="app")


def _table(name: str, key: tuple[str, ...], *parts: sa.Column[object] | sa.schema.Constraint) -> None:
    tenant = sa.Column("tenant_id", ID, nullable=False)
    primary = sa.PrimaryKeyConstraint("tenant_id", *key, name=op.f(f"pk_{name}"))
    op.create_table(name, tenant, *parts, primary, schema="app")


def _key(table: str, column: str, target: str, ondelete: str | None = None) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["tenant_id", column],
        [f"app.{target}.tenant_id", f"app.{target}.id"],
        name=op.f(f"fk_{table}_tenant_id_{column}"),
        ondelete=ondelete,
    )


def _check(table: str, name: str, rule: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(rule, name=op.f(f"ck_{table}_{name}"))


def _bundles() -> None:
    _table(
        "bundle_components",
        ("bundle_variant_id", "component_variant_id"),
        sa.Column("bundle_variant_id", ID, nullable=False),
        sa.Column("component_variant_id", ID, nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        _key("bundle_components", "bundle_variant_id", "variants", "CASCADE"),
        _key("bundle_components", "component_variant_id", "variants"),
        _check("bundle_components", "quantity_positive", "quantity > 0"),
        _check("bundle_components", "not_of_itself", "bundle_variant_id <> component_variant_id"),
    )
    op.create_index(
        "ix_bundle_components_component", "bundle_components", ["tenant_id", "component_variant_id"], schema="app"
    )


def _inbounds() -> None:
    _table(
        "inbounds",
        ("id",),
        sa.Column("id", ID, nullable=False),
        sa.Column("kind", sa.String(12), nullable=False),
        sa.Column("location_id", ID, nullable=False),
        sa.Column("source_location_id", ID, nullable=True),
        sa.Column("reference", sa.String(80), nullable=False),
        sa.Column("expected_on", sa.Date(), nullable=True),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("created_by", ID, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        _key("inbounds", "location_id", "locations"),
        _key("inbounds", "source_location_id", "locations"),
        _check(
            "inbounds",
            "transfer_has_source",
            "(kind = 'transfer') = (source_location_id IS NOT NULL) AND source_location_id <> location_id",
        ),
    )
    op.create_index("ix_inbounds_status", "inbounds", ["tenant_id", "status", "expected_on"], schema="app")
    _table(
        "inbound_lines",
        ("inbound_id", "variant_id"),
        sa.Column("inbound_id", ID, nullable=False),
        sa.Column("variant_id", ID, nullable=False),
        sa.Column("expected", sa.Integer(), nullable=False),
        sa.Column("received", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("unit_cost", sa.Integer(), nullable=False),
        _key("inbound_lines", "inbound_id", "inbounds", "CASCADE"),
        _key("inbound_lines", "variant_id", "variants"),
        _check("inbound_lines", "quantities_add_up", "expected > 0 AND received >= 0 AND unit_cost >= 0"),
    )
    op.create_index("ix_inbound_lines_variant", "inbound_lines", ["tenant_id", "variant_id"], schema="app")


def _backorders() -> None:
    _table(
        "backorders",
        ("id",),
        sa.Column("id", ID, nullable=False),
        sa.Column("order_id", ID, nullable=False),
        sa.Column("order_line_id", ID, nullable=False),
        sa.Column("variant_id", ID, nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("allocated", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("canceled", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("kind", sa.String(12), nullable=False),
        sa.Column("promised_on", sa.Date(), nullable=True),
        sa.Column("status", sa.String(12), nullable=False),
        sa.Column("payment_id", ID, nullable=True),
        sa.Column("components", JSONB(), nullable=False, server_default="[]"),
        sa.Column("created_at", TIME, nullable=False),
        _key("backorders", "variant_id", "variants"),
        _check(
            "backorders",
            "quantities_add_up",
            "quantity > 0 AND allocated >= 0 AND canceled >= 0 AND allocated + canceled <= quantity",
        ),
    )
    waiting = sa.text("status IN ('held', 'waiting')")
    columns = ["tenant_id", "variant_id", "created_at", "id"]
    op.create_index("ix_backorders_waiting", "backorders", columns, schema="app", postgresql_where=waiting)
    op.create_index("ix_backorders_line", "backorders", ["tenant_id", "order_line_id"], schema="app")
    op.create_index("ix_backorders_payment", "backorders", ["tenant_id", "payment_id"], schema="app")


def _counts() -> None:
    _table(
        "stock_counts",
        ("id",),
        sa.Column("id", ID, nullable=False),
        sa.Column("location_id", ID, nullable=False),
        sa.Column("status", sa.String(12), nullable=False),
        sa.Column("note", sa.Text(), nullable=False, server_default=""),
        sa.Column("opened_by", ID, nullable=False),
        sa.Column("opened_at", TIME, nullable=False),
        sa.Column("submitted_by", ID, nullable=True),
        sa.Column("submitted_at", TIME, nullable=True),
        sa.Column("decided_by", ID, nullable=True),
        sa.Column("decided_at", TIME, nullable=True),
        _key("stock_counts", "location_id", "locations"),
    )
    op.create_index("ix_stock_counts_status", "stock_counts", ["tenant_id", "status", "id"], schema="app")
    _table(
        "stock_count_lines",
        ("count_id", "variant_id"),
        sa.Column("count_id", ID, nullable=False),
        sa.Column("variant_id", ID, nullable=False),
        sa.Column("expected", sa.Integer(), nullable=False),
        sa.Column("counted", sa.Integer(), nullable=True),
        _key("stock_count_lines", "count_id", "stock_counts", "CASCADE"),
        _key("stock_count_lines", "variant_id", "variants"),
        _check("stock_count_lines", "counted_not_negative", "counted >= 0"),
    )
