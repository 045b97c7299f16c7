"""acp edge: who holds a card that is shown on a page of its own; carts of agent platforms; what agents asked."""

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
    op.create_table(
        "agent_requests",
        sa.Column("tenant_id", sa.String(40), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("at", moment, nullable=False),
        *(
            sa.Column(name, sa.String(length), nullable=False)
            for name, length in (
                ("caller_id", 40),
                ("key_id", 40),
                ("request_id", 255),
                ("operation", 80),
                ("subject_id", 60),
                ("version", 10),
            )
        ),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("replayed", sa.Boolean(), nullable=False),
        sa.Column("ms", sa.Integer(), nullable=False),
        sa.Column("asked", document, nullable=False),
        sa.Column("answered", document, nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_agent_requests")),
        schema="app",
    )
    op.create_index("ix_agent_requests_at", "agent_requests", ["tenant_id", "at"], schema="app")
    op.create_index("ix_agent_requests_subject", "agent_requests", ["tenant_id", "subject_id", "id"], schema="app")
    op.create_index("ix_agent_requests_request", "agent_requests", ["tenant_id", "request_id"], schema="app")
    op.add_column("consents", sa.Column("holder_id", sa.String(40), nullable=True), schema="app")
