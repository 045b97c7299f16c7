"""handoff: what a person who takes a conversation over should know, kept with its case."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """A case keeps the package of its newest handoff."""
    op.add_column("cases", sa.Column("package", postgresql.JSONB()), schema="app")


def downgrade() -> None:
    op.drop_column("cases", "package", schema="app")
