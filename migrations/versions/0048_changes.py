"""changes: names of the merchant's own system, which saved way paid or is paid, and what is taken when goods are here."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
from sqlalchemy.sql.naming import conv

revision = "0048"
down_revision = "0047"
branch_labels = None
depends_on = None

_NAMED = ("customers", "payment_methods", "stored_value_accounts")
_MONEY = ("to_charge", "to_charge_tax", "collected")
_ADDS_UP = conv("ck_returns_money_adds_up")
_TAKEN = conv("ck_returns_is_to_be_taken_from_something")
_METHOD = conv("ck_refunds_method_is_named")


def upgrade() -> None:
    for table in _NAMED:
        op.add_column(table, sa.Column("external_id", sa.String(80), nullable=True), schema="app")
        op.create_index(f"uq_{table}_external", table, ["tenant_id", "external_id"], unique=True, schema="app")
    for name in ("given_name", "family_name"):
        op.add_column("customers", sa.Column(name, sa.Text(), nullable=False, server_default=""), schema="app")
    op.create_index(
        "ix_addresses_place",
        "addresses",
        ["tenant_id", "postal_code"],
        schema="app",
        postgresql_where=sa.text("is_default"),
    )
    for table in ("payments", "refunds"):
        op.add_column(table, sa.Column("payment_method_id", sa.String(40), nullable=True), schema="app")
    op.create_check_constraint(
        _METHOD, "refunds", "(destination = 'method') = (payment_method_id IS NOT NULL)", schema="app"
    )
    for name in _MONEY:
        op.add_column("returns", sa.Column(name, sa.Integer(), nullable=False, server_default="0"), schema="app")
    op.add_column("returns", sa.Column("pays_with", postgresql.JSONB(none_as_null=True), nullable=True), schema="app")
    op.drop_constraint(_ADDS_UP, "returns", schema="app")
    op.create_check_constraint(
        _ADDS_UP, "returns", "credit - fee - replacement + charge + to_charge = refund", schema="app"
    )
    op.create_check_constraint(
        _TAKEN,
        "returns",
        "to_charge >= 0 AND to_charge_tax BETWEEN 0 AND to_charge AND collected BETWEEN 0 AND charge"
        " AND (to_charge = 0 OR pays_with IS NOT NULL)",
        schema="app",
    )
    op.add_column(
        "threads", sa.Column("requests", postgresql.JSONB(), nullable=False, server_default="[]"), schema="app"
    )


def downgrade() -> None:
    op.drop_column("threads", "requests", schema="app")
    op.drop_constraint(_TAKEN, "returns", schema="app")
    op.drop_constraint(_ADDS_UP, "returns", schema="app")
    op.create_check_constraint(_ADDS_UP, "returns", "credit - fee - replacement + charge = refund", schema="app")
    op.drop_column("returns", "pays_with", schema="app")
    for name in _MONEY:
        op.drop_column("returns", name, schema="app")
    op.drop_constraint(_METHOD, "refunds", schema="app")
    for table in ("payments", "refunds"):
        op.drop_column(table, "payment_method_id", schema="app")
    op.drop_index("ix_addresses_place", "addresses", schema="app")
    for name in ("given_name", "family_name"):
        op.drop_column("customers", name, schema="app")
    for table in _NAMED:
        op.drop_index(f"uq_{table}_external", table, schema="app")
        op.drop_column(table, "external_id", schema="app")
