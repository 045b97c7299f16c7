"""What handing over and sending can refuse."""

from __future__ import annotations

from typing import ClassVar

from engine.kit.errors import Conflict


class NotReleasable(Conflict):
    """The order is on hold, closed, canceled or was never placed."""

    code = "order_not_releasable"


class NothingToRelease(Conflict):
    """Every unit that has stock was released before."""

    code = "nothing_to_release"


class NotPaid(Conflict):
    """The order's money is neither captured nor authorized."""

    code = "order_not_paid"


class NotCaptured(Conflict):
    """Goods wait for the capture of their money."""

    code = "capture_outstanding"
    retryable: ClassVar[bool] = True


class NotForPickup(Conflict):
    """Nobody comes for it: a carrier brings it."""

    code = "not_for_pickup"


class NothingToShip(Conflict):
    """The fulfillment has no such units left."""

    code = "nothing_to_ship"


class CancelPending(Conflict):
    """The shopper wants units canceled; answer that first."""

    code = "cancel_pending"


class TrackingNumberTaken(Conflict):
    code = "tracking_number_taken"


class StaleVersion(Conflict):
    """Somebody else changed it since it was read."""

    code = "stale_version"


class AlreadyRemedied(Conflict):
    """What is to follow from a lost parcel was decided before."""

    code = "already_remedied"


class MadeUpFor(Conflict):
    """Its goods were sent once more, or paid back, in another way."""

    code = "made_up_for"
