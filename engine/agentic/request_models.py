"""What agents asked and were answered, without what is secret or says who somebody is."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Identity, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from engine.kit.tenancy import TenantRow


class AgentRequest(TenantRow):
    __tablename__ = "agent_requests"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True, autoincrement=True)
    at: Mapped[datetime]
    caller_id: Mapped[str] = mapped_column(String(40))
    """The platform, or the key of none."""
    key_id: Mapped[str] = mapped_column(String(40))
    request_id: Mapped[str] = mapped_column(String(255))
    operation: Mapped[str] = mapped_column(String(80))
    """``POST /checkout_sessions/{id}/complete``, or the name of a tool."""
    subject_id: Mapped[str] = mapped_column(String(60))
    """The session, cart or order; empty where there is none."""
    version: Mapped[str] = mapped_column(String(10))
    status: Mapped[int]
    replayed: Mapped[bool]
    ms: Mapped[int]
    asked: Mapped[dict[str, Any]]
    """The body, masked; empty for one that was refused."""
    answered: Mapped[dict[str, Any]]
    """What became of it: an error's code and place; a session's id, status, total and message codes."""

    __table_args__ = (
        Index("ix_agent_requests_at", "tenant_id", "at"),
        Index("ix_agent_requests_subject", "tenant_id", "subject_id", "id"),
        Index("ix_agent_requests_request", "tenant_id", "request_id"),
    )
