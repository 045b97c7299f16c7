"""buyer's email: orders are found by it by an index that row-level security can use."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None


def upgrade() -> None:
    key = sa.Computed("lower(buyer ->> 'email')", persisted=True)
    op.add_column("orders", sa.Column("email_key", sa.Text(), key, nullable=True), schema="app")
    op.drop_index("ix_orders_email", "orders", schema="app")
    op.create_index("ix_orders_email", "orders", ["tenant_id", "email_key", "placed_at"], schema="app")
