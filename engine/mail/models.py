"""Letters: each is written once, by its key, and then sent until a mail server has taken it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, Computed, Index, String
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from engine.kit import clock
from engine.kit.tenancy import TenantRow


class MailStatus(StrEnum):
    QUEUED = "queued"
    SENT = "sent"  # taken by a mail server, or shown on a demo shop's outbox page: ``channel`` says which
    FAILED = "failed"  # refused for good, tried too often, or too late


class Channel(StrEnum):
    SMTP = "smtp"
    OUTBOX = "outbox"


class Mail(TenantRow):
    __tablename__ = "mails"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    key: Mapped[str] = mapped_column(String(200))
    """What it is about: the same key is never written twice."""
    topic: Mapped[str] = mapped_column(String(80))
    template: Mapped[str] = mapped_column(String(40))
    subject_id: Mapped[str] = mapped_column(String(40))
    customer_id: Mapped[str | None] = mapped_column(String(40))
    to_address: Mapped[str]
    address_key: Mapped[str] = mapped_column(Computed("lower(to_address)", persisted=True), deferred=True)
    from_name: Mapped[str]
    from_address: Mapped[str]
    reply_to: Mapped[str]
    """Empty: answers go to the sender."""
    subject: Mapped[str]
    text: Mapped[str]
    html: Mapped[str]
    status: Mapped[MailStatus] = mapped_column(String(10))
    channel: Mapped[Channel | None] = mapped_column(String(10))
    attempts: Mapped[int] = mapped_column(default=0)
    available_at: Mapped[datetime] = mapped_column(default=clock.now)
    lease_until: Mapped[datetime | None]
    error: Mapped[str] = mapped_column(default="")
    """Why it was not sent, without a word of the mail server's that could name anybody."""
    secret: Mapped[bool] = mapped_column(default=False, server_default=sql("false"))
    """Its body holds a code: nobody reads it here, and it is erased once the letter has gone out (``sending``)."""
    expires_at: Mapped[datetime | None]
    """After this it is not sent any more."""
    erased_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    sent_at: Mapped[datetime | None]

    __table_args__ = (
        Index("uq_mails_key", "tenant_id", "key", unique=True),
        Index("ix_mails_created", "tenant_id", "created_at", "id"),
        Index("ix_mails_subject", "tenant_id", "subject_id"),
        Index("ix_mails_address", "tenant_id", "address_key"),
        Index("ix_mails_due", "tenant_id", "available_at", "id", postgresql_where=sql("status = 'queued'")),
        Index(
            "ix_mails_to_erase",
            "tenant_id",
            "id",
            postgresql_where=sql("secret AND erased_at IS NULL"),
        ),
        CheckConstraint("status IN ('queued', 'sent', 'failed')", name="status_known"),
        CheckConstraint(
            "(status = 'sent') = (sent_at IS NOT NULL) AND (status = 'sent') = (channel IS NOT NULL)",
            name="sent_says_when_and_how",
        ),
    )
