"""What a return can be refused for. Each has a code of its own."""

from __future__ import annotations

from collections.abc import Sequence

from engine.kit.errors import Conflict, DomainError, Kind, NotFound


class ReturnRefused(DomainError):
    """A rule of the shop says no; the message says which."""

    code = "return_refused"
    kind = Kind.UNPROCESSABLE


class ReturnedBefore(ReturnRefused):
    """Of this order as many returns and exchanges were asked for as the shop allows."""

    code = "returned_before"


class NotDelivered(ReturnRefused):
    code = "not_delivered"


class ReturnWindowClosed(ReturnRefused):
    code = "return_window_closed"


class FinalSale(ReturnRefused):
    code = "final_sale"


class ConditionRefused(ReturnRefused):
    code = "condition_refused"


class UnknownReason(ReturnRefused):
    code = "invalid_reason"

    def __init__(self, allowed: Sequence[str]) -> None:
        super().__init__(f"The reason must be one of: {', '.join(allowed)}.")
        self.allowed = tuple(allowed)


class TooManyUnits(ReturnRefused):
    """More units are named than can still come back."""

    code = "too_many_units"


class ExchangeRefused(ReturnRefused):
    code = "exchange_refused"


class DifferenceUnpaid(Conflict):
    """What goods in exchange cost more could not be taken when the old ones were here."""

    code = "difference_unpaid"


class OrderDisputed(Conflict):
    """The card's bank is asked about the order's money: nothing else may give it back meanwhile."""

    code = "order_disputed"


class NoReturn(NotFound):
    code = "no_return"


class WrongStep(Conflict):
    """The return is past, or not yet at, the point where this can be done."""

    code = "wrong_step"


class NotInspected(Conflict):
    code = "not_inspected"


class ReturnMoved(Conflict):
    """What giving it up would do has changed since its card was shown; nothing happened."""

    code = "return_changed"
