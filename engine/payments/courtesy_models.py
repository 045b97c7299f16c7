"""What people of the shop gave away: codes, gift cards and store credit that nobody paid for."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, CheckConstraint, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from engine.kit import clock
from engine.kit.tenancy import AppendOnly, TenantRow


class CourtesyKind(StrEnum):
    CODE = "code"
    GIFT_CARD = "gift_card"
    STORE_CREDIT = "store_credit"
    PROMOTION = "promotion"


class Courtesy(TenantRow, AppendOnly):
    """One thing given away: what the limits count beside refunds."""

    __tablename__ = "courtesies"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    """The discount (``.`` and its version, where it was changed) or the stored-value account."""
    kind: Mapped[CourtesyKind] = mapped_column(String(12))
    actor: Mapped[str] = mapped_column(String(80))
    buyer: Mapped[str | None] = mapped_column(String(40))
    """The customer (or, for want of one, the session identity) who got it, where it is for somebody."""
    amount: Mapped[int] = mapped_column(BigInteger)
    """What it may come to, minor units."""
    currency: Mapped[str] = mapped_column(String(3))
    approved: Mapped[str | None] = mapped_column(String(40))
    """The approval it rests on; the limits count only what has none."""
    at: Mapped[datetime] = mapped_column(default=clock.now)

    __table_args__ = (CheckConstraint("amount >= 0", name="counts_up"), Index("ix_courtesies_at", "tenant_id", "at"))
