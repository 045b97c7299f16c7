"""edges: one-time codes are found by their e-mail by an index that row-level security can use."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None


def upgrade() -> None:
    key = sa.Computed("lower(email)", persisted=True)
    op.add_column("email_codes", sa.Column("email_key", sa.Text(), key, nullable=False), schema="app")
    op.create_index("ix_email_codes_email", "email_codes", ["tenant_id", "email_key"], schema="app")


def downgrade() -> None:
    op.drop_index("ix_email_codes_email", "email_codes", schema="app")
    op.drop_column("email_codes", "email_key", schema="app")
