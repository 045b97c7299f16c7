"""logos: the pictures that shops are known by."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0047"
down_revision = "0046"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "logos",
        sa.Column("tenant_id", sa.String(40), nullable=False),
        sa.Column("digest", sa.String(16), nullable=False),
        sa.Column("media_type", sa.String(40), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("set_by", sa.String(80), nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("octet_length(content) BETWEEN 1 AND 131072", name=op.f("ck_logos_size")),
        sa.PrimaryKeyConstraint("tenant_id", "digest", name=op.f("pk_logos")),
        schema="app",
    )


def downgrade() -> None:
    op.drop_table("logos", schema="app")
