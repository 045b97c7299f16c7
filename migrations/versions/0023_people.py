"""people: cards kept for the next purchase; parcels of claims; a warranty for each component of a bundle."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
JSON = postgresql.JSONB(astext_type=sa.Text())
PARCELS = "sent_at IS NOT NULL AND received_at IS NULL OR sent_back_at IS NOT NULL AND back_at IS NULL"


def upgrade() -> None:
    _methods()
    _gateways()
    _parcels()
    op.drop_index("uq_warranties_unit", table_name="warranties", schema="app")
    columns = ["tenant_id", "order_line_id", "variant_id", "unit"]
    op.create_index("uq_warranties_unit", "warranties", columns, unique=True, schema="app")


def _methods() -> None:
    """Cards that are saved already count as kept from now on."""
    op.add_column("payment_methods", sa.Column("session_id", sa.String(length=40), nullable=True), schema="app")
    op.add_column("payment_methods", sa.Column("agreed_at", MOMENT, nullable=True), schema="app")
    kept = sa.Column("kept_at", MOMENT, server_default=sa.func.now(), nullable=True)
    op.add_column("payment_methods", kept, schema="app")
    op.create_check_constraint(
        op.f("ck_payment_methods_wanted_or_kept"),
        "payment_methods",
        "kept_at IS NOT NULL OR agreed_at IS NOT NULL",
        schema="app",
    )
    op.create_index(
        "uq_payment_methods_wanted",
        "payment_methods",
        ["tenant_id", "session_id", "gateway_ref"],
        unique=True,
        schema="app",
        postgresql_where=sa.text("kept_at IS NULL"),
    )


def _gateways() -> None:
    op.add_column("delegated_tokens", sa.Column("keep_for", sa.Text(), nullable=True), schema="app")
    op.create_table(
        "gateway_customers",
        sa.Column("tenant_id", sa.String(length=40), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("gateway", sa.String(length=20), nullable=False),
        sa.Column("customer_id", sa.String(length=40), nullable=False),
        sa.Column("gateway_ref", sa.Text(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "customer_id"],
            ["app.customers.tenant_id", "app.customers.id"],
            name=op.f("fk_gateway_customers_tenant_id_customer_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_gateway_customers")),
        schema="app",
    )
    columns = ["tenant_id", "customer_id", "gateway"]
    op.create_index("ix_gateway_customers_customer", "gateway_customers", columns, schema="app")
    op.execute("ALTER TABLE sandbox.cards ADD COLUMN holder text")


def _parcels() -> None:
    for name in ("sent_at", "back_at"):
        op.add_column("warranty_claims", sa.Column(name, MOMENT, nullable=True), schema="app")
    for name in ("events", "back_events"):
        empty = sa.Column(name, JSON, server_default=sa.text("'[]'::jsonb"), nullable=False)
        op.add_column("warranty_claims", empty, schema="app")
    op.create_index(
        "ix_warranty_claims_parcels",
        "warranty_claims",
        ["tenant_id", "id"],
        schema="app",
        postgresql_where=sa.text(PARCELS),
    )
