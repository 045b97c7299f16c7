"""A merchant's rules for promotions."""

from __future__ import annotations

from typing import ClassVar

from engine.kit.policies import Policy


class PromotionsPolicy(Policy):
    """What becomes of a promotion's use when its order does not last."""

    section: ClassVar[str] = "promotions"

    give_back_on_cancel: bool = True
    """Whether an order that is canceled as a whole gives its uses back. One whose payment fails always does."""
