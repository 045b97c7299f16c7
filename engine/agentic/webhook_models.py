"""What platforms are told of their orders: who hears, and each thing there is to tell. No word of an order is kept
here: it is read when it is sent.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, CheckConstraint, Identity, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from engine.kit import clock
from engine.kit.tenancy import TenantRow, tenant_fk


class EventNaming(StrEnum):
    """How a platform wants its events called."""

    RELEASED = "released"  # order_create, order_update: the specification
    PAST = "past"  # order_created, order_updated: an older checklist


class WebhookReceiver(TenantRow):
    """A platform's webhook address, and how it has been answering. Address and secrets are the platform's own."""

    __tablename__ = "webhook_receivers"

    platform_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    naming: Mapped[EventNaming] = mapped_column(String(10), default=EventNaming.RELEASED)
    since: Mapped[datetime] = mapped_column(default=clock.now)
    """Since when it hears without a gap: of orders before this it may know nothing."""
    failures: Mapped[int] = mapped_column(default=0)
    """Tries in a row that came to nothing because nobody answered well."""
    rests_until: Mapped[datetime | None]
    """It does not answer: nothing is tried before this."""
    suspended_at: Mapped[datetime | None]
    """It said that it is gone for good: nothing is sent until it gets an address again."""

    __table_args__ = (tenant_fk("platform_id", "agent_platforms"),)


class WebhookType(StrEnum):
    ORDER_CREATE = "order_create"
    ORDER_UPDATE = "order_update"


class WebhookStatus(StrEnum):
    QUEUED = "queued"
    DELIVERED = "delivered"
    DEAD = "dead"  # given up: a person may send it once more


class WebhookEvent(TenantRow):
    """Something to tell a platform of one of its orders. Of one order they go out in the order of ``seq``."""

    __tablename__ = "webhook_events"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    """The ``Request-Id``: the same in every try."""
    seq: Mapped[int] = mapped_column(BigInteger, Identity())
    platform_id: Mapped[str] = mapped_column(String(40))
    order_id: Mapped[str] = mapped_column(String(40))
    type: Mapped[WebhookType] = mapped_column(String(20))
    topics: Mapped[list[str]]
    """What happened; more than one thing where it had not been told yet."""
    status: Mapped[WebhookStatus] = mapped_column(String(10), default=WebhookStatus.QUEUED)
    attempts: Mapped[int] = mapped_column(default=0)
    """Of this round: a replay starts again."""
    available_at: Mapped[datetime] = mapped_column(default=clock.now)
    lease_until: Mapped[datetime | None]
    """Until when somebody is at it."""
    first_tried_at: Mapped[datetime | None]
    """Once tried it takes nothing more up: its receiver may have heard it."""
    tried_at: Mapped[datetime | None]
    answer: Mapped[int | None]
    """HTTP status of the last answer."""
    error: Mapped[str] = mapped_column(String(60), default="")
    """A code; no word of the receiver's."""
    delivered_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=clock.now)

    __table_args__ = (
        tenant_fk("platform_id", "agent_platforms"),
        tenant_fk("order_id", "orders", ondelete="CASCADE"),
        Index(
            "uq_webhook_events_create",
            "tenant_id",
            "order_id",
            unique=True,
            postgresql_where=text("type = 'order_create'"),
        ),
        Index(
            "uq_webhook_events_untold",
            "tenant_id",
            "order_id",
            unique=True,
            postgresql_where=text("type = 'order_update' AND status = 'queued' AND first_tried_at IS NULL"),
        ),
        Index("ix_webhook_events_due", "tenant_id", "available_at", "seq", postgresql_where=text("status = 'queued'")),
        Index("ix_webhook_events_queue", "tenant_id", "order_id", "seq", postgresql_where=text("status = 'queued'")),
        Index("ix_webhook_events_order", "tenant_id", "order_id", "seq"),
        Index("ix_webhook_events_made", "tenant_id", "created_at", "id"),
        Index("ix_webhook_events_dead", "tenant_id", "created_at", "id", postgresql_where=text("status = 'dead'")),
        CheckConstraint("type IN ('order_create', 'order_update')", name="type_known"),
        CheckConstraint("status IN ('queued', 'delivered', 'dead')", name="status_known"),
        CheckConstraint("(status = 'delivered') = (delivered_at IS NOT NULL)", name="delivered_says_when"),
    )


class ProductFeed(TenantRow):
    """Where a platform keeps its copy of the shop's products for one country."""

    __tablename__ = "product_feeds"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    platform_id: Mapped[str] = mapped_column(String(40))
    country: Mapped[str] = mapped_column(String(2))
    api_url: Mapped[str]
    """Its feed API, without ``/feeds``."""
    token_sealed: Mapped[bytes | None]
    """The bearer token that it gave the shop."""
    remote_id: Mapped[str | None] = mapped_column(String(200))
    """What it calls the feed, once it has made it."""
    products: Mapped[int] = mapped_column(default=0)
    """How many it took the last time."""
    pushed_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=clock.now)

    __table_args__ = (
        tenant_fk("platform_id", "agent_platforms"),
        Index("uq_product_feeds_country", "tenant_id", "platform_id", "country", unique=True),
    )
