"""What signing in leaves behind. The people and their sessions are in ``engine.kit.members``: all ask for them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from engine.kit import clock
from engine.kit.tenancy import TenantRow, tenant_fk


class StaffCode(TenantRow):
    """A wish to sign in by e-mail. It is written down for any address; only a member's is sent a code."""

    __tablename__ = "staff_codes"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    browser_hash: Mapped[str] = mapped_column(String(64))
    """Of the secret that the asking browser holds: a code opens nothing in any other."""
    member_id: Mapped[str | None] = mapped_column(String(40))
    code_hash: Mapped[str] = mapped_column(String(64))
    attempts: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]

    __table_args__ = (
        tenant_fk("member_id", "staff_members", ondelete="CASCADE"),
        Index("uq_staff_codes_browser", "tenant_id", "browser_hash", unique=True),
        Index("ix_staff_codes_member", "tenant_id", "member_id"),
        Index("ix_staff_codes_expiry", "tenant_id", "expires_at"),
    )
