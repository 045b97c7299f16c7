"""Sale: an order remembers why its units were reserved where; the sandbox gateway knows wallets from cards."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_KIND = "text NOT NULL DEFAULT 'card' CHECK (kind IN ('card', 'wallet'))"


def upgrade() -> None:
    op.add_column("orders", sa.Column("routing", postgresql.JSONB(), nullable=True), schema="app")
    op.execute(f"ALTER TABLE sandbox.cards ADD COLUMN kind {_KIND}")
    op.execute(f"ALTER TABLE sandbox.tokens ADD COLUMN kind {_KIND}")


def downgrade() -> None:
    op.execute("ALTER TABLE sandbox.tokens DROP COLUMN kind")
    op.execute("ALTER TABLE sandbox.cards DROP COLUMN kind")
    op.drop_column("orders", "routing", schema="app")
