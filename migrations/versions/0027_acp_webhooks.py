"""acp webhooks: what platforms are told of their orders, and where they keep the shop's products."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

_QUEUED = sa.text("status = 'queued'")


def upgrade() -> None:
    op.add_column("api_keys", sa.Column("suspended_at", sa.DateTime(timezone=True), nullable=True), schema="app")
    _receivers()
    _events()
    _feeds()


def _platform(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["tenant_id", "platform_id"],
        ["app.agent_platforms.tenant_id", "app.agent_platforms.id"],
        name=op.f(f"fk_{table}_tenant_id_platform_id"),
    )


def _receivers() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "webhook_receivers",
        sa.Column("tenant_id", sa.String(40), nullable=False),
        sa.Column("platform_id", sa.String(40), nullable=False),
        sa.Column("naming", sa.String(10), nullable=False),
        sa.Column("since", moment, nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("rests_until", moment, nullable=True),
        sa.Column("suspended_at", moment, nullable=True),
        _platform("webhook_receivers"),
        sa.PrimaryKeyConstraint("tenant_id", "platform_id", name=op.f("pk_webhook_receivers")),
        schema="app",
    )


def _events() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "webhook_events",
        sa.Column("tenant_id", sa.String(40), nullable=False),
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("seq", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("platform_id", sa.String(40), nullable=False),
        sa.Column("order_id", sa.String(40), nullable=False),
        sa.Column("type", sa.String(20), nullable=False),
        sa.Column("topics", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("status", sa.String(10), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("available_at", moment, nullable=False),
        sa.Column("lease_until", moment, nullable=True),
        sa.Column("first_tried_at", moment, nullable=True),
        sa.Column("tried_at", moment, nullable=True),
        sa.Column("answer", sa.Integer(), nullable=True),
        sa.Column("error", sa.String(60), nullable=False),
        sa.Column("delivered_at", moment, nullable=True),
        sa.Column("created_at", moment, nullable=False),
        sa.CheckConstraint("type IN ('order_create', 'order_update')", name=op.f("ck_webhook_events_type_known")),
        sa.CheckConstraint("status IN ('queued', 'delivered', 'dead')", name=op.f("ck_webhook_events_status_known")),
        sa.CheckConstraint(
            "(status = 'delivered') = (delivered_at IS NOT NULL)", name=op.f("ck_webhook_events_delivered_says_when")
        ),
        _platform("webhook_events"),
        sa.ForeignKeyConstraint(
            ["tenant_id", "order_id"],
            ["app.orders.tenant_id", "app.orders.id"],
            name=op.f("fk_webhook_events_tenant_id_order_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_webhook_events")),
        schema="app",
    )
    for name, columns, unique, where in (
        ("uq_webhook_events_create", ["order_id"], True, sa.text("type = 'order_create'")),
        (
            "uq_webhook_events_untold",
            ["order_id"],
            True,
            sa.text("type = 'order_update' AND status = 'queued' AND first_tried_at IS NULL"),
        ),
        ("ix_webhook_events_due", ["available_at", "seq"], False, _QUEUED),
        ("ix_webhook_events_queue", ["order_id", "seq"], False, _QUEUED),
        ("ix_webhook_events_order", ["order_id", "seq"], False, None),
        ("ix_webhook_events_made", ["created_at", "id"], False, None),
        ("ix_webhook_events_dead", ["created_at", "id"], False, sa.text("status = 'dead'")),
    ):
        op.create_index(
            name, "webhook_events", ["tenant_id", *columns], unique=unique, schema="app", postgresql_where=where
        )


def _feeds() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "product_feeds",
        sa.Column("tenant_id", sa.String(40), nullable=False),
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("platform_id", sa.String(40), nullable=False),
        sa.Column("country", sa.String(2), nullable=False),
        sa.Column("api_url", sa.Text(), nullable=False),
        sa.Column("token_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("remote_id", sa.String(200), nullable=True),
        sa.Column("products", sa.Integer(), nullable=False),
        sa.Column("pushed_at", moment, nullable=True),
        sa.Column("created_at", moment, nullable=False),
        _platform("product_feeds"),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_product_feeds")),
        schema="app",
    )
    op.create_index(
        "uq_product_feeds_country",
        "product_feeds",
        ["tenant_id", "platform_id", "country"],
        unique=True,
        schema="app",
    )


def downgrade() -> None:
    for table in ("product_feeds", "webhook_events", "webhook_receivers"):
        op.drop_table(table, schema="app")
    op.drop_column("api_keys", "suspended_at", schema="app")
