"""What stock can refuse."""

from __future__ import annotations

from engine.kit.errors import Conflict, DomainError, Forbidden, Kind, OverLimit


class OutOfStock(Conflict):
    code = "out_of_stock"
    retryable = False

    def __init__(self, message: str, *, variant_id: str, available: int) -> None:
        super().__init__(message)
        self.variant_id = variant_id
        self.available = available


class NotReserved(Conflict):
    """The order line has fewer units there than were asked for."""

    code = "not_reserved"


class BelowReserved(Conflict):
    """Fewer would be there than are promised: free the promised units first."""

    code = "below_reserved"


class NotStocked(DomainError):
    """A bundle or an item nobody counts has no stock of its own."""

    code = "not_stocked"
    kind = Kind.UNPROCESSABLE


class OverReceipt(Conflict):
    """More came than was expected."""

    code = "over_receipt"


class NeedsCount(OverLimit):
    """Too much for one person to write off or on: count it, and somebody else approves."""

    code = "needs_count"


class OwnCount(Forbidden):
    """Whoever opened or handed in a count does not approve it."""

    code = "own_count"
