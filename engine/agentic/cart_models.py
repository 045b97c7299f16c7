"""A platform's cart: what an agent has gathered before it checks out."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from engine.kit import clock
from engine.kit.tenancy import TenantRow


class AgentCart(TenantRow):
    """Priced like a checkout that nobody has an address for. It ends by time, or when it is canceled."""

    __tablename__ = "agent_carts"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    owner_id: Mapped[str] = mapped_column(String(40))
    """The platform, or the key, that made it."""
    currency: Mapped[str] = mapped_column(String(3))
    lines: Mapped[list[Any]]
    """[{variant_id, quantity}] in the agent's order."""
    buyer: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """As the agent sent it."""
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    updated_at: Mapped[datetime] = mapped_column(default=clock.now)
    expires_at: Mapped[datetime]
    canceled_at: Mapped[datetime | None]

    __table_args__ = (Index("ix_agent_carts_expires_at", "tenant_id", "expires_at"),)

    ship_to = None
    fulfillment_option_id = None
    payment_method = None

    @property
    def ways(self) -> dict[str, Any]:
        return {}

    @property
    def discount_codes(self) -> list[str]:
        return []

    @property
    def tenders(self) -> list[Any]:
        return []
