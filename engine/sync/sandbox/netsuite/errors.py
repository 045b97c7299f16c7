"""How NetSuite's REST services say no."""

from __future__ import annotations

from typing import Final

from engine.sync.sandbox.wire import Answer, Json, Refused

_TITLES: Final = {
    400: "Bad Request",
    401: "Unauthorized",
    404: "Not Found",
    405: "Method Not Allowed",
    409: "Conflict",
    429: "Too Many Requests",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
}


def problem(status: int, detail: str, code: str, path: str = "") -> Answer:
    """The error body, with ``o:errorDetails``."""
    told: Json = {"detail": detail, "o:errorCode": code}
    if path:
        told["o:errorPath"] = path
    content = {
        "type": f"https://www.rfc-editor.org/rfc/rfc9110.html#name-{status}",
        "title": _TITLES.get(status, "Error"),
        "status": status,
        "o:errorDetails": [told],
    }
    kind = {"content-type": "application/vnd.oracle.resource+json; type=error"}
    return Answer(status, content, kind)


def refuse(detail: str, code: str = "INVALID_CONTENT", path: str = "", status: int = 400) -> Refused:
    """A refusal, to be raised."""
    return Refused(problem(status, detail, code, path))


def missing(kind: str, number: str) -> Refused:
    detail = f"The record instance does not exist. Provide a valid record instance ID. ({kind} {number})"
    return refuse(detail, "NONEXISTENT_ID", status=404)
