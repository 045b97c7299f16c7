"""Keyset paging: a cursor is the sort key of the last row, signed by nothing because it grants nothing."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from engine.kit.errors import InvalidInput

T = TypeVar("T")
Key = list[str | int]


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
    except (ValueError, binascii.Error):
        raise InvalidInput("The cursor is not one of ours.", param="cursor") from None
    if not isinstance(key, list) or len(key) != size or not all(isinstance(part, str | int) for part in key):
        raise InvalidInput("The cursor is not one of ours.", param="cursor")
    return key
