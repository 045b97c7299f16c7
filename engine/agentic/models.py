"""Whose agents buy here."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from engine.kit import clock
from engine.kit.tenancy import TenantRow


class PlatformStatus(StrEnum):
    ACTIVE = "active"
    SUSPENDED = "suspended"  # its keys open nothing


class AgentPlatform(TenantRow):
    """A platform whose agents buy from this shop. Its keys come and go; what it bought stays its own."""

    __tablename__ = "agent_platforms"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str] = mapped_column(String(80))
    trusted: Mapped[bool] = mapped_column(default=True)
    """Whether a delegated token that it brings says that a human agreed; else the human is asked on our own page."""
    status: Mapped[PlatformStatus] = mapped_column(String(10), default=PlatformStatus.ACTIVE)
    webhook_url: Mapped[str | None]
    """Where it hears of its orders."""
    webhook_secrets_sealed: Mapped[bytes | None]
    """One or two signing secrets (the second while one is being replaced), as sealed JSON, newest first."""
    created_at: Mapped[datetime] = mapped_column(default=clock.now)

    __table_args__ = (
        CheckConstraint("status IN ('active', 'suspended')", name="status_known"),
        UniqueConstraint("tenant_id", "name", name="uq_agent_platforms_name"),
    )
