"""What a merchant may decide about points, and about addresses."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from engine.kit.policies import Policy


class LoyaltyPolicy(Policy):
    """Points: what earns them, how long they live, and what they are worth as store credit."""

    section: ClassVar[str] = "loyalty"

    enabled: bool = False
    earn_on: Literal["paid", "delivered"] = "delivered"
    points_per_unit: Annotated[int, Field(ge=0, le=1_000)] = 1
    """For every whole unit that is kept of an order's goods, without tax and shipping. An order that is not in the
    shop's own currency earns none: a point is worth the same wherever it came from, and nobody converts.
    """
    expiry_days: Annotated[int, Field(ge=1, le=36_500)] | None = 365
    """How long points live; ``None`` for ever."""
    points_per_credit_unit: Annotated[int, Field(ge=1, le=1_000_000)] = 100
    """How many points become one unit of store credit in the shop's currency."""
    redeem_minimum: Annotated[int, Field(ge=1)] = 500
    """Fewer points are not redeemed at a time."""


class AddressesPolicy(Policy):
    """Addresses kept for customers, and new ones of orders that are placed: how closely they are looked at."""

    section: ClassVar[str] = "addresses"

    check: Literal["known_places", "as_given"] = "known_places"
    """`known_places`: every part is there, and state and postal code are ones of the country. `as_given`: any words, or
    none. The country is one we know either way, and a checkout takes known places only.
    """

    @property
    def as_given(self) -> bool:
        return self.check == "as_given"
