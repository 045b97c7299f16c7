"""What an agent can be refused, beyond what a checkout refuses."""

from __future__ import annotations

from engine.kit.errors import Conflict, DomainError, InvalidInput, Kind, NotFound


class AllOutOfStock(DomainError):
    code = "out_of_stock"
    kind = Kind.UNPROCESSABLE


class SessionUnknown(NotFound):
    code = "not_found"


class ItemUnknown(InvalidInput):
    code = "invalid_item_id"


class CurrencyNotSold(InvalidInput):
    code = "unsupported_currency"


class SessionClosed(Conflict):
    """Completed, canceled or expired: nothing changes any more."""

    code = "session_closed"


class AuthenticationMissing(InvalidInput):
    code = "requires_3ds"


class PersonalData(InvalidInput):
    code = "pii_not_allowed"


class AddressChanged(Conflict):
    code = "address_changed"


class Unserviceable(DomainError):
    code = "unserviceable"
    kind = Kind.UNPROCESSABLE
