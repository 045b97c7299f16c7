"""A merchant's rules for stock."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from engine.kit.policies import Policy

Units = Annotated[int, Field(ge=0)]


class InventoryPolicy(Policy):
    """Values are minor units of the shop's currency, at cost."""

    section: ClassVar[str] = "inventory"
    variance_auto_approve_units: Units = 2
    """A count that is off by no more than this, line by line, needs nobody's approval…"""
    variance_auto_approve_value: Units = 5_000
    """… if all of its lines together are worth no more than this."""
    adjust_limit_units: Units = 20
    """The most one person may write on and off in any 24 hours; more is counted, and somebody else approves."""
    adjust_limit_value: Units = 50_000
    reservation_minutes: Annotated[int, Field(ge=1, le=10_080)] = 30
    """How long units put aside by hand stay so."""
    low_stock_at: Units | None = None
    """Alert when no more than this is sellable at a place that says nothing itself; ``None``: only those that do."""
    lead_days: Units = 14
    """Days that getting more takes when an item does not say and none is on its way."""
    over_receipt_percent: Annotated[int, Field(ge=0, le=100)] = 0
    """How much more than ordered a supplier may bring."""
