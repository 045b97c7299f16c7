"""A merchant's rules for promotions."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from engine.kit.caps import Caps, in_home
from engine.kit.policies import Policy


class PromotionsPolicy(Policy):
    """How much one person may let a promotion give away, and what becomes of its use when its order does not last.

    Limits are by currency, ``None`` for none; in a currency that is not listed everything takes an
    approval.
    """

    section: ClassVar[str] = "promotions"

    give_back_on_cancel: bool = True
    """Whether an order that is canceled as a whole gives its uses back. One whose payment fails always does."""
    percent_without_approval: Annotated[int, Field(ge=0, le=100)] | None = 50
    """Of what is bought, taken off in percent or given for nothing."""
    amount_without_approval: Caps = in_home(5_000)
    """Taken off by one use of what is worth money."""
    total_without_approval: Caps = in_home(100_000)
    """Taken off by all uses of what is worth money; without ``usage_limit`` there is no end to it."""
    endless_without_approval: bool = True
    """Whether one in percent may do without ``usage_limit``."""
