"""sync_alerts: what was told of trouble with other systems, and what is still to be said in the shop's chat."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0054"
down_revision = "0053"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "sync_notices",
        sa.Column("tenant_id", sa.String(40), nullable=False),
        sa.Column("alert_id", sa.String(40), nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("subject", sa.String(80), nullable=False),
        sa.Column("words", sa.String(300), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("told_count", sa.Integer(), nullable=False),
        sa.Column("told_at", MOMENT, nullable=True),
        sa.Column("digest_at", MOMENT, nullable=True),
        sa.Column("over_at", MOMENT, nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.CheckConstraint("(told_at IS NULL) = (told_count = 0)", name=op.f("ck_sync_notices_told_says_when")),
        sa.CheckConstraint("count >= 1 AND told_count BETWEEN 0 AND count", name=op.f("ck_sync_notices_counts")),
        sa.PrimaryKeyConstraint("tenant_id", "alert_id", name=op.f("pk_sync_notices")),
        schema="app",
    )
    index = op.create_index
    index("ix_sync_notices_cause", "sync_notices", ["tenant_id", "kind", "subject", "told_at"], schema="app")
    index(
        "ix_sync_notices_standing",
        "sync_notices",
        ["tenant_id", "alert_id"],
        schema="app",
        postgresql_where=sa.text("over_at IS NULL"),
    )
    index(
        "ix_sync_notices_digest",
        "sync_notices",
        ["tenant_id", "digest_at"],
        schema="app",
        postgresql_where=sa.text("digest_at IS NOT NULL"),
    )
    op.create_table(
        "sync_posts",
        sa.Column("tenant_id", sa.String(40), nullable=False),
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("connection_id", sa.String(40), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("status", sa.String(10), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("available_at", MOMENT, nullable=False),
        sa.Column("error", sa.String(40), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("sent_at", MOMENT, nullable=True),
        sa.CheckConstraint("status IN ('waiting', 'sent', 'dropped')", name=op.f("ck_sync_posts_status_known")),
        sa.CheckConstraint("(status = 'sent') = (sent_at IS NOT NULL)", name=op.f("ck_sync_posts_sent_says_when")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "connection_id"],
            ["app.sync_connections.tenant_id", "app.sync_connections.id"],
            name=op.f("fk_sync_posts_tenant_id_connection_id"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_sync_posts")),
        schema="app",
    )
    index(
        "ix_sync_posts_waiting",
        "sync_posts",
        ["tenant_id", "available_at", "id"],
        schema="app",
        postgresql_where=sa.text("status = 'waiting'"),
    )


def downgrade() -> None:
    op.drop_table("sync_posts", schema="app")
    op.drop_table("sync_notices", schema="app")
