"""The shop's people and their browsers, as everything that asks who acts has to know them."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from engine.kit import clock
from engine.kit.identity import Role
from engine.kit.tenancy import Base, TenantRow


class MemberStatus(StrEnum):
    ACTIVE = "active"
    DISABLED = "disabled"


class StaffMember(TenantRow):
    """One of a shop's people. Somebody who works for two shops is a member of each."""

    __tablename__ = "staff_members"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    email: Mapped[str] = mapped_column(String(254))
    """In lower case."""
    name: Mapped[str] = mapped_column(String(80))
    person: Mapped[str] = mapped_column(String(80))
    """The name in the one spelling by which people are told apart; a key that names it is this person's. Fixed."""
    role: Mapped[Role] = mapped_column(String(20))
    status: Mapped[MemberStatus] = mapped_column(String(20), default=MemberStatus.ACTIVE)
    demo: Mapped[bool] = mapped_column(default=False)
    """One of a demo shop's own people: in demo mode anybody may be them."""
    invited_by: Mapped[str] = mapped_column(String(80))
    invited_at: Mapped[datetime] = mapped_column(default=clock.now)
    invite_hash: Mapped[str | None] = mapped_column(String(64))
    """Of the newest link, until it is used."""
    invite_until: Mapped[datetime | None]
    joined_at: Mapped[datetime | None]
    """The first sign-in."""
    last_seen_at: Mapped[datetime | None]
    disabled_at: Mapped[datetime | None]

    __table_args__ = (
        Index("uq_staff_members_email", "tenant_id", "email", unique=True),
        Index("uq_staff_members_person", "tenant_id", "person", unique=True),
        Index("uq_staff_members_invite", "tenant_id", "invite_hash", unique=True),
        CheckConstraint("role IN ('support', 'supervisor', 'ops', 'admin')", name="role"),
        CheckConstraint("(status = 'disabled') = (disabled_at IS NOT NULL)", name="status"),
        CheckConstraint("(invite_hash IS NULL) = (invite_until IS NULL)", name="invite"),
    )

    @property
    def active(self) -> bool:
        return self.status == MemberStatus.ACTIVE


class StaffSession(Base):
    """A browser in which one of the shop's people is signed in: its cookie's hash alone."""

    __tablename__ = "staff_sessions"

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    tenant_id: Mapped[str] = mapped_column(String(40))
    member_id: Mapped[str] = mapped_column(String(40))
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    seen_at: Mapped[datetime] = mapped_column(default=clock.now)
    """To a few minutes."""
    expires_at: Mapped[datetime]
    """Whatever is done in it."""

    __table_args__ = (
        Index("ix_staff_sessions_member", "tenant_id", "member_id"),
        Index("ix_staff_sessions_expiry", "expires_at"),
    )
