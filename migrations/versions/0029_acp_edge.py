"""acp edge: who holds a card that is shown on a page of its own."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("consents", sa.Column("holder_id", sa.String(40), nullable=True), schema="app")
