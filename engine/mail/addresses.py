"""Addresses a letter may go to or come from."""

from __future__ import annotations

from email_validator import EmailNotValidError, validate_email


def checked_address(text: str) -> str:
    """The address as it is sent to. Raises ``ValueError`` for what no mail server could take."""
    try:
        found = validate_email(text, check_deliverability=False, test_environment=True)
    except EmailNotValidError as error:
        raise ValueError(str(error)) from None
    return found.normalized


def domain_of(address: str) -> str:
    """What stands behind the @, in ASCII."""
    domain = address.rpartition("@")[2] or "invalid"
    return domain.encode("idna").decode() if not domain.isascii() else domain
