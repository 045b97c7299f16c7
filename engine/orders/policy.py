"""A merchant's rules for orders that exist: what may be changed, until when, how often, and by which reasons."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from engine.kit.caps import Caps, in_home
from engine.kit.policies import Policy
from engine.kit.refusals import worded

Changeable = Literal["cancel", "address", "payment_method", "items"]
RefundTo = Literal["original", "store_credit", "account", "method"]
"""Where money goes back to: the way it was paid, the buyer's store credit, a gift card or credit that they name, or
another of their saved ways to pay, where its gateway gives money that it did not take.
"""
_ALL: tuple[Changeable, ...] = ("cancel", "address", "payment_method", "items")
Minutes = Annotated[int, Field(ge=0, le=5_256_000)]
"""At most ten years."""


class Reason(BaseModel):
    """One entry of the closed list of reasons to cancel."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    code: Annotated[str, Field(pattern=r"[a-z][a-z0-9_]{0,59}"), worded("small letters, digits and _, a letter first")]
    text: Annotated[str, Field(min_length=1, max_length=120)]


class OrdersPolicy(Policy):
    """Windows count from the moment the order was paid; ``None`` means as long as the goods are still here."""

    section: ClassVar[str] = "orders"

    allowed_changes: tuple[Changeable, ...] = _ALL
    change_window_minutes: Minutes | None = None
    cancel_window_minutes: Minutes | None = None
    cancel_reasons: Annotated[tuple[Reason, ...], Field(min_length=1, max_length=50)] = (
        Reason(code="no_longer_needed", text="No longer needed"),
        Reason(code="ordered_by_mistake", text="Ordered by mistake"),
        Reason(code="found_cheaper", text="Found cheaper elsewhere"),
        Reason(code="takes_too_long", text="Takes too long"),
        Reason(code="other", text="Another reason"),
    )
    cancel_in_part: bool = True
    """Whether some units may be canceled while others are kept; ``False``: only all that is not shipped, at once."""
    cancel_after_shipping_began: bool = True
    """Whether the unshipped rest of an order that was shipped in part may be canceled."""
    items_changes_per_order: Annotated[int, Field(ge=0)] | None = None
    allow_after_item_change: tuple[Changeable, ...] = _ALL
    """What may still be changed once items were."""
    payment_change_requires_other_method: bool = True
    address_keeps_prices: bool = False
    """Whether shipping and taxes stay as agreed to wherever the order is sent; else they are today's there."""
    refund_to: tuple[RefundTo, ...] = ("original", "store_credit", "account")
    after_release: Literal["ask", "refuse"] = "ask"
    """Goods that a warehouse or partner has in hand: ask it to give them back, or refuse at once."""
    quote_minutes: Annotated[int, Field(ge=1, le=120)] = 10
    staff_refund_limit: Caps = in_home(20_000)
    """The most that staff may give back by one change without the shopper's consent or an approval, by currency;
    ``None``: no limit but those of payments.
    """

    def reason_text(self, code: str) -> str | None:
        """The words of a reason; ``None`` for one that is not on the list."""
        return next((reason.text for reason in self.cancel_reasons if reason.code == code), None)
