"""A merchant's rules for where orders ship from and when they are handed over."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from engine.kit.policies import Policy
from engine.kit.refusals import worded

Points = Annotated[int, Field(ge=0, le=1_000_000)]
"""What routing adds up: the plan with the fewest points wins."""


class RoutingPolicy(Policy):
    """What a way of sending an order costs, in points. One minor unit of money is ``money`` points."""

    section: ClassVar[str] = "routing"

    parcel: Points = 500
    """Each parcel."""
    money: Points = 1
    """Each minor unit of a location's handling cost, per parcel."""
    distance: Points = 10
    """Each 100 km of a parcel's way."""
    day: Points = 60
    """Each day of handling and travel of a parcel."""
    late: Points = 1_000
    """A parcel that would come after what the shopper was promised."""
    split_line: Points = 150
    """Each place beyond the first that one line is taken from."""
    depth: Points = 40
    """A unit from a shelf with one left; from a shelf with n, an n-th of it."""
    preference: Points = 100
    """Each rank below the first of ``preferred``; a location not named there ranks last."""
    preferred: tuple[str, ...] = ()
    """Location codes, the best first."""
    split_allowed: bool = True
    """Whether an order may leave from more than one place."""
    max_parcels: Annotated[int, Field(ge=1, le=20)] = 4
    km_per_day: Annotated[int, Field(ge=1)] = 800
    """How far a parcel travels in a day."""
    reroute_at_release: bool = True
    """Whether an order may move to a better place between its sale and its release."""

    @property
    def parcels_allowed(self) -> int:
        return self.max_parcels if self.split_allowed else 1


class FulfillmentPolicy(Policy):
    """When work is handed over, and what follows from what happens to it."""

    section: ClassVar[str] = "fulfillment"

    auto_release: bool = False
    """Whether orders are released without anybody's doing."""
    release_after_minutes: Annotated[int, Field(ge=0, le=43_200)] = 30
    """How long after the sale; the time in which a shopper may still change the order freely."""
    partners: dict[str, str] = Field(default_factory=dict)
    """Location code → name of the partner that runs it; a location not named is the merchant's own."""
    own_cancels_at_once: bool = True
    """Whether an own location that has not taken up the work yet agrees to a cancel by itself."""
    short_pick: Annotated[str, Field(pattern="^(reroute|backorder)$"), worded("reroute or backorder")] = "reroute"
    """What happens first to units that were not on the shelf."""
    write_off_short: bool = True
    """Whether units that were not found are taken off the location's stock."""
    lost_after_days: Annotated[int, Field(ge=1, le=365)] = 14
    """How long after the day it was expected a parcel without a sign counts as lost."""

    def partner_of(self, location_code: str) -> str:
        """Who runs a location: a partner's name, or ``own``."""
        return self.partners.get(location_code, "own")
