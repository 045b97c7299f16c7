"""limits: what people give away, a carrier's first scan, the fee an exchange waives, and where goods lie set apart."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    _courtesies()
    op.add_column("returns", sa.Column("scanned_at", MOMENT, nullable=True), schema="app")
    for column in (
        sa.Column("waived_fee", sa.Integer(), server_default="0", nullable=False),
        sa.Column("apart_location_id", sa.String(length=40), nullable=True),
        sa.Column("apart_cost", sa.Integer(), nullable=True),
    ):
        op.add_column("return_lines", column, schema="app")


def _courtesies() -> None:
    op.create_table(
        "courtesies",
        sa.Column("tenant_id", sa.String(length=40), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("actor", sa.String(length=80), nullable=False),
        sa.Column("buyer", sa.String(length=40), nullable=True),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("approved", sa.String(length=40), nullable=True),
        sa.Column("at", MOMENT, nullable=False),
        sa.CheckConstraint("amount >= 0", name=op.f("ck_courtesies_counts_up")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_courtesies")),
        schema="app",
    )
    op.create_index("ix_courtesies_at", "courtesies", ["tenant_id", "at"], schema="app")
