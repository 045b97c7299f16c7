"""Words of the protocol: moments, and objects without what is not known."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from typing import Any

Body = dict[str, Any]


def moment(at: datetime) -> str:
    """RFC 3339, in UTC."""
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def days(first: date, last: date) -> Body:
    """From the beginning of one day to the end of another."""
    return {
        "earliest": moment(datetime.combine(first, time.min, UTC)),
        "latest": moment(datetime.combine(max(first, last), time(23, 59, 59), UTC)),
    }


def known(members: Mapping[str, Any]) -> Body:
    """An object without what is not known: no member is null or an empty text."""
    return {name: value for name, value in members.items() if value is not None and value != ""}
