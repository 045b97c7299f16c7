"""cards: which of the offered things a consent chose."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """A consent that offers several things says which was chosen."""
    op.add_column("consents", sa.Column("choice", sa.String(20)), schema="app")


def downgrade() -> None:
    op.drop_column("consents", "choice", schema="app")
