"""What only the protocol knows of a checkout session."""

from __future__ import annotations

from typing import Any

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from engine.kit.tenancy import TenantRow, tenant_fk


class AgentSession(TenantRow):
    """Beside the checkout of an agent: what it said that no other door asks for."""

    __tablename__ = "agent_sessions"

    session_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    locale: Mapped[str | None] = mapped_column(String(35))
    timezone: Mapped[str | None] = mapped_column(String(64))
    order_notes: Mapped[str | None]
    said: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """buyer, fulfillment_details, fulfillment_groups, selected, metadata, quote_id as given; interventions and
    extensions that the agent knows."""
    kept_back: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """affiliate_attribution (by touchpoint), intent_trace, risk_signals: taken in, never given out."""
    refusal: Mapped[dict[str, Any] | None]
    """The last attempt to pay that was refused: code, content and param of its message."""
    consent_id: Mapped[str | None] = mapped_column(String(40))
    """The card that the last attempt to pay rests on."""

    __table_args__ = (tenant_fk("session_id", "checkout_sessions"),)
