"""What was told of trouble with other systems, and what is still to be said in the shop's chat."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, Index, String
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from engine.kit import clock
from engine.kit.tenancy import TenantRow, tenant_fk


class Notice(TenantRow):
    """One alert, and what the shop's people have heard of it. The alert itself stands in the inbox."""

    __tablename__ = "sync_notices"

    alert_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    kind: Mapped[str] = mapped_column(String(40))
    subject: Mapped[str] = mapped_column(String(80))
    words: Mapped[str] = mapped_column(String(300))
    """A sentence that any of the shop's people may read anywhere: nothing secret, nobody's data."""
    count: Mapped[int] = mapped_column(default=1)
    """How much has come together by now."""
    told_count: Mapped[int] = mapped_column(default=0)
    """How much of it was told; none while it waits for the digest."""
    told_at: Mapped[datetime | None]
    digest_at: Mapped[datetime | None]
    """When the digest is to speak of it."""
    over_at: Mapped[datetime | None]
    """When it was noticed that it is over."""
    created_at: Mapped[datetime] = mapped_column(default=clock.now)

    __table_args__ = (
        Index("ix_sync_notices_cause", "tenant_id", "kind", "subject", "told_at"),
        Index("ix_sync_notices_standing", "tenant_id", "alert_id", postgresql_where=sql("over_at IS NULL")),
        Index("ix_sync_notices_digest", "tenant_id", "digest_at", postgresql_where=sql("digest_at IS NOT NULL")),
        CheckConstraint("(told_at IS NULL) = (told_count = 0)", name="told_says_when"),
        CheckConstraint("count >= 1 AND told_count BETWEEN 0 AND count", name="counts"),
    )


class PostStatus(StrEnum):
    WAITING = "waiting"
    SENT = "sent"
    DROPPED = "dropped"  # refused, or older than anybody wants to hear


class Post(TenantRow):
    """One message for the shop's chat, on its way."""

    __tablename__ = "sync_posts"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    connection_id: Mapped[str] = mapped_column(String(40))
    text: Mapped[str]
    status: Mapped[PostStatus] = mapped_column(String(10), default=PostStatus.WAITING)
    attempts: Mapped[int] = mapped_column(default=0)
    available_at: Mapped[datetime] = mapped_column(default=clock.now)
    error: Mapped[str] = mapped_column(String(40), default="")
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    sent_at: Mapped[datetime | None]

    __table_args__ = (
        tenant_fk("connection_id", "sync_connections"),
        Index("ix_sync_posts_waiting", "tenant_id", "available_at", "id", postgresql_where=sql("status = 'waiting'")),
        CheckConstraint("status IN ('waiting', 'sent', 'dropped')", name="status_known"),
        CheckConstraint("(status = 'sent') = (sent_at IS NOT NULL)", name="sent_says_when"),
    )
