"""e-mails: orders, customers, links and letters are found by them by indexes that row-level security can use."""

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
    key = sa.Computed("lower(to_address)", persisted=True)
    op.add_column("mails", sa.Column("address_key", sa.Text(), key, nullable=False), schema="app")
    op.drop_index("ix_mails_address", "mails", schema="app")
    op.create_index("ix_mails_address", "mails", ["tenant_id", "address_key"], schema="app")
    for table, index, more, unique in (
        ("customers", "uq_customers_email", [], True),
        ("customer_links", "ix_customer_links_email", ["status"], False),
    ):
        key = sa.Computed("lower(email)", persisted=True)
        op.add_column(table, sa.Column("email_key", sa.Text(), key, nullable=False), schema="app")
        op.drop_index(index, table, schema="app")
        op.create_index(index, table, ["tenant_id", "email_key", *more], unique=unique, schema="app")
