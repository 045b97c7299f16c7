"""What a merchant may decide about refunds and stored value."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from engine.kit.caps import Caps, in_home
from engine.kit.policies import Policy

Days = Annotated[int, Field(ge=1, le=36_500)]


class PaymentsPolicy(Policy):
    """Refunds and stored value. Limits bind what is given back without the shopper's consent and without an approval.
    They are written by currency, cumulative, each currency by itself; ``None`` is none. A bare number is
    of the shop's own currency, and in a currency that is not listed everything takes an approval.
    """

    section: ClassVar[str] = "payments"

    refund_limit_per_order: Caps = in_home(20_000)
    refund_limit_per_customer_day: Caps = in_home(30_000)
    """In any 24 hours, as are those that follow. They count refunds, and what was given away beside them: codes, gift
    cards and store credit.
    """
    refund_limit_per_person_day: Caps = in_home(100_000)
    """By one person's say-so, all their keys together."""
    refund_limit_per_day: Caps = in_home(200_000)
    """Of the whole shop."""
    refund_order: Literal["stored_value_first", "card_first"] = "stored_value_first"
    """Which tender of a split payment gets its money back first; within a kind, the last one in."""
    gift_card_days: Days | None = None
    """How long a new gift card lives; ``None`` for ever."""
    store_credit_days: Days | None = None
    refunded_value_days: Days = 90
    """An account that a refund is credited to lives at least this much longer."""
    failing_cards_per_minute: Annotated[int, Field(ge=1, le=100_000)] = 100
    """Cards of one agent platform that may fail, at the vault or at the bank, before it takes no more for a while."""
