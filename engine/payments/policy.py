"""What a merchant may decide about refunds and stored value."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from engine.kit.policies import Policy

Limit = Annotated[int, Field(ge=0)] | None
Days = Annotated[int, Field(ge=1, le=36_500)]


class PaymentsPolicy(Policy):
    """Refunds and stored value. Limits bind what is given back without the shopper's consent and without an approval.
    They are written in minor units of the shop's own currency, cumulative, and ``None`` for none; of orders in another
    currency the same number counts, each currency by itself.
    """

    section: ClassVar[str] = "payments"

    refund_limit_per_order: Limit = 20_000
    refund_limit_per_customer_day: Limit = 30_000
    """In any 24 hours."""
    refund_limit_per_day: Limit = 200_000
    """Of the whole shop, in any 24 hours."""
    refund_order: Literal["stored_value_first", "card_first"] = "stored_value_first"
    """Which tender of a split payment gets its money back first; within a kind, the last one in."""
    gift_card_days: Days | None = None
    """How long a new gift card lives; ``None`` for ever."""
    store_credit_days: Days | None = None
    refunded_value_days: Days = 90
    """An account that a refund is credited to lives at least this much longer."""
