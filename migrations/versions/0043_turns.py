"""turns: what no run wrote in a conversation is found without going through all of it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0043"
down_revision = "0041"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "ix_messages_outside",
        "messages",
        ["tenant_id", "thread_id", "seq"],
        schema="app",
        postgresql_where=sa.text("run_id IS NULL"),
    )


def downgrade() -> None:
    op.drop_index("ix_messages_outside", "messages", schema="app")
