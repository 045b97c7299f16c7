"""ways to deliver: where orders can be fetched."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0031"
down_revision = "0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("locations", sa.Column("line_one", sa.Text(), nullable=False, server_default=""), schema="app")
    document = postgresql.JSONB(none_as_null=True, astext_type=sa.Text())
    op.add_column("locations", sa.Column("pickup", document, nullable=True), schema="app")


def downgrade() -> None:
    op.drop_column("locations", "pickup", schema="app")
    op.drop_column("locations", "line_one", schema="app")
