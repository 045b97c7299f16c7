"""The two ways in which the Admin API says no: within the payload, or instead of it."""

from __future__ import annotations

from engine.sync.sandbox.wire import Json


class UserErrors(Exception):
    """``userErrors`` of a payload; nothing was changed."""

    def __init__(self, *errors: Json) -> None:
        super().__init__("; ".join(error["message"] for error in errors))
        self.errors = list(errors)


def user_error(message: str, *field: str, code: str | None = None) -> Json:
    return {"field": list(field) or None, "message": message, "code": code}


def refuse(message: str, *field: str, code: str | None = None) -> UserErrors:
    """One user error, to be raised."""
    return UserErrors(user_error(message, *field, code=code))


class TopLevel(Exception):
    """An entry of ``errors`` with a code; the field is null."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.extensions = {"code": code}
