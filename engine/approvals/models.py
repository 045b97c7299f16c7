"""An approval: what exactly was asked for, who asked, who said yes, and what became of it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import BigInteger, CheckConstraint, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from engine.kit import clock
from engine.kit.tenancy import TenantRow, tenant_fk


class ApprovalKind(StrEnum):
    REFUND = "refund"
    GOODWILL = "goodwill"
    GIFT_CARD = "gift_card"
    DISCOUNT = "discount"
    WRITE_OFF = "write_off"
    STOCK_ADJUSTMENT = "stock_adjustment"
    ORDER_CHANGE = "order_change"
    RETURN_REFUND = "return_refund"
    WARRANTY = "warranty"
    SET_APART = "set_apart"
    PROMOTION = "promotion"
    REPLACEMENT = "replacement"


class ApprovalStatus(StrEnum):
    PENDING = "pending"
    CLAIMED = "claimed"  # enough people said yes: it is being carried out
    APPROVED = "approved"  # carried out
    FAILED = "failed"  # said yes to, and refused when it was carried out
    DECLINED = "declined"
    EXPIRED = "expired"


_LIVE: Final = text("status IN ('pending', 'claimed')")


class Approval(TenantRow):
    __tablename__ = "approvals"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    kind: Mapped[ApprovalKind] = mapped_column(String(20))
    subject_id: Mapped[str] = mapped_column(String(60))
    subject_version: Mapped[str] = mapped_column(String(200))
    """How the subject stood when it was asked for: on another day it is another question."""
    digest: Mapped[str] = mapped_column(String(64))
    """Of kind, arguments, amount and the subject's version: what is said yes to is this and nothing else."""
    args: Mapped[dict[str, Any]]
    amount: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(String(3))
    rule: Mapped[str] = mapped_column(String(80))
    """Which limit it is above."""
    reason: Mapped[str]
    """In the requester's words, for staff."""
    requested_by: Mapped[str] = mapped_column(String(80))
    requested_who: Mapped[str] = mapped_column(String(80))
    """The person behind the key."""
    thread_id: Mapped[str | None] = mapped_column(String(40))
    case_id: Mapped[str | None] = mapped_column(String(40))
    status: Mapped[ApprovalStatus] = mapped_column(String(10), default=ApprovalStatus.PENDING)
    needed: Mapped[int] = mapped_column(default=1)
    """How many people have to say yes."""
    agreed: Mapped[list[Any]] = mapped_column(default=list)
    """[{by, who, at}] of those who have."""
    decided_by: Mapped[str | None] = mapped_column(String(80))
    """Whose word was the last: the yes that made it enough, or the no."""
    decided_at: Mapped[datetime | None]
    note: Mapped[str] = mapped_column(default="")
    """The decider's, for staff."""
    expires_at: Mapped[datetime]
    warned_at: Mapped[datetime | None]
    lease_until: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(default=0)
    outcome: Mapped[dict[str, Any] | None]
    failure_code: Mapped[str | None] = mapped_column(String(60))
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    finished_at: Mapped[datetime | None]

    __table_args__ = (
        tenant_fk("thread_id", "threads"),
        tenant_fk("case_id", "cases"),
        CheckConstraint("needed > 0", name="somebody_is_needed"),
        CheckConstraint("(status = 'approved') = (outcome IS NOT NULL)", name="approved_has_outcome"),
        Index("uq_approvals_live", "tenant_id", "digest", unique=True, postgresql_where=_LIVE),
        Index("ix_approvals_subject", "tenant_id", "subject_id"),
        Index("ix_approvals_pending", "tenant_id", "expires_at", postgresql_where=text("status = 'pending'")),
        Index("ix_approvals_claimed", "tenant_id", "lease_until", postgresql_where=text("status = 'claimed'")),
    )
