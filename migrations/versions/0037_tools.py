"""The orders of a product are found by an index: what is bought together is looked up in a conversation."""

from __future__ import annotations

from alembic import op

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Newest first by order id, which is in the order of time."""
    op.create_index("ix_order_lines_product", "order_lines", ["tenant_id", "product_id", "order_id"], schema="app")


def downgrade() -> None:
    """As it was."""
    op.drop_index("ix_order_lines_product", "order_lines", schema="app")
