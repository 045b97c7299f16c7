"""acp edge: who holds a card that is shown on a page of its own; carts of agent platforms."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    moment, document = sa.DateTime(timezone=True), postgresql.JSONB(astext_type=sa.Text())
    op.create_table(
        "agent_carts",
        sa.Column("tenant_id", sa.String(40), nullable=False),
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("owner_id", sa.String(40), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("lines", document, nullable=False),
        sa.Column("buyer", document, nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("updated_at", moment, nullable=False),
        sa.Column("expires_at", moment, nullable=False),
        sa.Column("canceled_at", moment, nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_agent_carts")),
        schema="app",
    )
    op.create_index("ix_agent_carts_expires_at", "agent_carts", ["tenant_id", "expires_at"], schema="app")
    op.add_column("consents", sa.Column("holder_id", sa.String(40), nullable=True), schema="app")
