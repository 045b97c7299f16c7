"""reports: conversations, carts and cases are found by when they began and whose they are."""

from __future__ import annotations

from alembic import op

revision = "0045"
down_revision = "0043"
branch_labels = None
depends_on = None

_INDEXES = (
    ("ix_threads_created", "threads", ["tenant_id", "created_at"]),
    ("ix_carts_owner", "carts", ["tenant_id", "owner_id", "updated_at"]),
    ("ix_cases_thread", "cases", ["tenant_id", "thread_id"]),
    ("ix_cases_created", "cases", ["tenant_id", "created_at"]),
)


def upgrade() -> None:
    """What a report goes through is one shop's rows of one period."""
    for name, table, columns in _INDEXES:
        op.create_index(name, table, columns, schema="app")


def downgrade() -> None:
    for name, table, _ in reversed(_INDEXES):
        op.drop_index(name, table, schema="app")
