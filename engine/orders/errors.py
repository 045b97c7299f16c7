"""What a change of an order can be refused for. Each has a code of its own: tools and evals tell them apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from engine.kit.errors import Conflict, DomainError, Kind, OverLimit

if TYPE_CHECKING:
    from engine.orders.changes.schemas import ChangeView


class ChangeRefused(DomainError):
    """A rule of the shop says no; the message says which."""

    code = "change_refused"
    kind = Kind.UNPROCESSABLE


class WrongStatus(Conflict):
    """The order is past the point where this can be changed."""

    code = "wrong_status"


class WindowClosed(Conflict):
    code = "change_window_closed"


class InvalidReason(ChangeRefused):
    code = "invalid_reason"

    def __init__(self, allowed: Sequence[str]) -> None:
        super().__init__(f"The reason must be one of: {', '.join(allowed)}.")
        self.allowed = tuple(allowed)


class CountMismatch(ChangeRefused):
    """More units are named than the order has."""

    code = "count_mismatch"


class SameItem(ChangeRefused):
    code = "same_item"


class WrongProduct(ChangeRefused):
    code = "wrong_product"


class ItemUnavailable(ChangeRefused):
    code = "unavailable"


class OverQuota(ChangeRefused):
    """More of some goods than one order or one customer may have."""

    code = "over_quota"


class AlreadyChanged(ChangeRefused):
    """Items were changed as often as the shop allows."""

    code = "already_changed"


class MethodNotOwned(ChangeRefused):
    code = "not_owned_method"


class SameMethod(ChangeRefused):
    code = "same_method"


class InsufficientBalance(ChangeRefused):
    code = "insufficient_balance"


class NotDeliverable(ChangeRefused):
    """The goods cannot go to that address."""

    code = "not_deliverable"


class NothingToChange(ChangeRefused):
    code = "nothing_to_change"


class OverStaffLimit(OverLimit):
    """More than staff may give back without the shopper's consent or another's approval."""

    code = "over_staff_limit"


class ConsentNeeded(ChangeRefused):
    """Only the shopper can agree to this."""

    code = "consent_needed"


class OrderBusy(Conflict):
    """Another change of this order is under way."""

    code = "order_busy"
    retryable = True
    retry_after_seconds = 2


class ChangeEnded(Conflict):
    """The change was decided, replaced or ran out."""

    code = "change_ended"


class ChangeOutdated(Conflict):
    """The order or its prices moved since the quote: nothing happened, ``fresh`` says what it would be now."""

    code = "change_outdated"

    def __init__(self, message: str, *, fresh: ChangeView | None = None) -> None:
        super().__init__(message)
        self.fresh = fresh


class BankAsks(Conflict):
    """The card's bank wants to see its customer before it pays: nothing happened. ``url`` is where it does."""

    code = "authentication_required"
    retryable = True

    def __init__(self, message: str, *, url: str) -> None:
        super().__init__(message)
        self.url = url
