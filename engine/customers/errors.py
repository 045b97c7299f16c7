"""What an address or contact can lack."""

from __future__ import annotations

from engine.kit.errors import InvalidInput


class AddressIncomplete(InvalidInput):
    code = "address_incomplete"


class ContactInvalid(InvalidInput):
    code = "contact_invalid"
