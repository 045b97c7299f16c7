"""brought: a payment that was agreed to and taken in another system says so."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0049"
down_revision = "0048"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("payments", sa.Column("brought_at", sa.DateTime(timezone=True), nullable=True), schema="app")


def downgrade() -> None:
    op.drop_column("payments", "brought_at", schema="app")
