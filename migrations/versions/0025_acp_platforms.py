"""acp platforms: whose agents buy here, and keys that can be replaced without a gap."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "agent_platforms",
        sa.Column("tenant_id", sa.String(40), nullable=False),
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("trusted", sa.Boolean(), nullable=False),
        sa.Column("status", sa.String(10), nullable=False),
        sa.Column("webhook_url", sa.Text(), nullable=True),
        sa.Column("webhook_secrets_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", moment, nullable=False),
        sa.CheckConstraint("status IN ('active', 'suspended')", name=op.f("ck_agent_platforms_status_known")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_agent_platforms")),
        sa.UniqueConstraint("tenant_id", "name", name="uq_agent_platforms_name"),
        schema="app",
    )
    op.add_column("api_keys", sa.Column("platform_id", sa.String(40), nullable=True), schema="app")
    op.add_column("api_keys", sa.Column("expires_at", moment, nullable=True), schema="app")
