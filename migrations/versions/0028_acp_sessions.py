"""acp sessions: what a session by the protocol holds besides its checkout, and where unfinished work is taken up."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    document = postgresql.JSONB()
    op.create_table(
        "agent_sessions",
        sa.Column("tenant_id", sa.String(40), nullable=False),
        sa.Column("session_id", sa.String(40), nullable=False),
        sa.Column("locale", sa.String(35), nullable=True),
        sa.Column("timezone", sa.String(64), nullable=True),
        sa.Column("order_notes", sa.Text(), nullable=True),
        sa.Column("said", document, nullable=False),
        sa.Column("kept_back", document, nullable=False),
        sa.Column("refusal", document, nullable=True),
        sa.Column("consent_id", sa.String(40), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "session_id"],
            ["app.checkout_sessions.tenant_id", "app.checkout_sessions.id"],
            name=op.f("fk_agent_sessions_tenant_id_session_id"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "session_id", name=op.f("pk_agent_sessions")),
        schema="app",
    )
    op.add_column("idempotency_keys", sa.Column("point", document, nullable=True), schema="app")
    op.add_column("idempotency_keys", sa.Column("lease_until", moment, nullable=True), schema="app")
