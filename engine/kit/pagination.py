"""Keyset paging: a cursor is the sort key of the last row, signed by nothing because it grants nothing."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Generic, TypeVar

from engine.kit.errors import InvalidInput

T = TypeVar("T")
Key = list[str | int]
_LARGEST: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """``items`` in order, and the cursor of the next page (``None`` on the last)."""

    items: Sequence[T]
    next_cursor: str | None = None


def encode_cursor(key: Key) -> str:
    raw = json.dumps(key, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def decode_cursor(cursor: str, *, size: int) -> Key:
    """The key in ``cursor``. Raises ``InvalidInput`` when it is not one of ours."""
    try:
        key = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, binascii.Error, RecursionError):
        raise _not_ours() from None
    if not isinstance(key, list) or len(key) != size or not all(_can_be(part) for part in key):
        raise _not_ours()
    return key


def cursor_moment(part: str | int) -> datetime:
    """The moment that is part of a cursor. Raises ``InvalidInput`` when it is none."""
    try:
        moment = datetime.fromisoformat(str(part))
    except ValueError:
        raise _not_ours() from None
    if moment.tzinfo is None:
        raise _not_ours()
    return moment


def cursor_number(part: str | int) -> int:
    """The number that is part of a cursor. Raises ``InvalidInput`` when it is none."""
    if not isinstance(part, int):
        raise _not_ours()
    return part


def _can_be(part: object) -> bool:
    """Whether the database can compare with it."""
    if isinstance(part, str):
        return "\0" not in part and part.encode(errors="replace").decode() == part
    return isinstance(part, int) and abs(part) <= _LARGEST


def _not_ours() -> InvalidInput:
    return InvalidInput("The cursor is not one of ours.", param="cursor")
