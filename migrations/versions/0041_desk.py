"""desk: how a case sounds, since when it waits, the words it is found by, and who looks at it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0041"
down_revision = "0040"
branch_labels = None
depends_on = None

_OPEN = sa.text("status <> 'closed'")


def upgrade() -> None:
    """A case keeps what its row in the queue shows; its words and who looks at it are rows of their own."""
    op.add_column("cases", sa.Column("sentiment", sa.String(8), nullable=False, server_default="calm"), schema="app")
    for name in ("shopper_name", "last_words"):
        op.add_column("cases", sa.Column(name, sa.Text(), nullable=False, server_default=""), schema="app")
    op.add_column("cases", sa.Column("last_speaker", sa.String(8), nullable=False, server_default=""), schema="app")
    op.add_column("cases", sa.Column("waits_since", sa.DateTime(timezone=True)), schema="app")
    op.create_index("ix_cases_updated", "cases", ["tenant_id", "updated_at", "id"], schema="app")
    op.create_index("ix_cases_assignee", "cases", ["tenant_id", "assignee"], schema="app", postgresql_where=_OPEN)
    _words()
    _glances()


def _words() -> None:
    op.create_table(
        "case_words",
        sa.Column("tenant_id", sa.String(40), nullable=False),
        sa.Column("word", sa.String(40, collation="C"), nullable=False),
        sa.Column("case_id", sa.String(40), nullable=False),
        _of_case("case_words"),
        sa.PrimaryKeyConstraint("tenant_id", "word", "case_id", name="pk_case_words"),
        schema="app",
    )
    op.create_index("ix_case_words_case", "case_words", ["tenant_id", "case_id"], schema="app")


def _glances() -> None:
    op.create_table(
        "case_glances",
        sa.Column("tenant_id", sa.String(40), nullable=False),
        sa.Column("case_id", sa.String(40), nullable=False),
        sa.Column("who", sa.String(80), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("typed_at", sa.DateTime(timezone=True)),
        _of_case("case_glances"),
        sa.PrimaryKeyConstraint("tenant_id", "case_id", "who", name="pk_case_glances"),
        schema="app",
    )
    op.create_index("ix_case_glances_seen", "case_glances", ["tenant_id", "seen_at"], schema="app")


def _of_case(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["tenant_id", "case_id"], ["app.cases.tenant_id", "app.cases.id"], name=f"fk_{table}_tenant_id_case_id"
    )


def downgrade() -> None:
    op.drop_table("case_glances", schema="app")
    op.drop_table("case_words", schema="app")
    op.drop_index("ix_cases_assignee", table_name="cases", schema="app")
    op.drop_index("ix_cases_updated", table_name="cases", schema="app")
    for name in ("waits_since", "last_speaker", "last_words", "shopper_name", "sentiment"):
        op.drop_column("cases", name, schema="app")
