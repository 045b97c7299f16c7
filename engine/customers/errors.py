"""What an address, a contact, a code or a customer can be refused for."""

from __future__ import annotations

from engine.kit.errors import Conflict, InvalidInput, Kind


class AddressIncomplete(InvalidInput):
    code = "address_incomplete"


class SameAddress(InvalidInput):
    """It is kept already."""

    code = "nothing_to_change"


class ContactInvalid(InvalidInput):
    code = "contact_invalid"


class CodeWrong(InvalidInput):
    """Wrong, used, too old or tried too often: which of them is nobody's business."""

    code = "email_code_wrong"
    kind = Kind.UNPROCESSABLE

    def __init__(self) -> None:
        super().__init__("This code does not fit. Please check it, or ask for a new one.", param="code")


class AlreadyKnown(Conflict):
    code = "already_signed_in"


class NotMergeable(Conflict):
    code = "customers_not_mergeable"


class PointsShort(Conflict):
    code = "points_short"


class TooMuchKept(Conflict):
    code = "too_many_addresses"
