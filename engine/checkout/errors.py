"""What a checkout can refuse."""

from __future__ import annotations

from engine.kit.errors import Conflict, DomainError, Kind, NotFound


class NothingToBuy(DomainError):
    code = "cart_empty"
    kind = Kind.UNPROCESSABLE


class NoCheckout(NotFound):
    code = "no_checkout"


class CheckoutIncomplete(DomainError):
    """Not everything needed is there yet; the message names it."""

    code = "not_ready_for_payment"
    kind = Kind.UNPROCESSABLE


class CheckoutBusy(Conflict):
    """A payment for this session is under way: nothing may change until it ends."""

    code = "complete_in_progress"
    retryable = True
    retry_after_seconds = 2


class CheckoutClosed(Conflict):
    code = "checkout_closed"


class ConsentExpired(Conflict):
    code = "confirmation_expired"


class ConsentDecided(Conflict):
    code = "confirmation_decided"


class OptionUnknown(DomainError):
    code = "fulfillment_option_unknown"
    kind = Kind.UNPROCESSABLE
