"""A long answer in the journal: its readable beginning, and behind that all of it, packed.

Only answers that say nothing of people are kept so: what is packed is found by nobody who looks for a person's name.
"""

from __future__ import annotations

import base64
import zlib
from typing import Final

from engine.sync.masking import MOST_BYTES, cut

_SIGN: Final = "\npacked:"
_READABLE: Final = 1_000
"""Bytes of the beginning for which there has to be room."""


def packed(text: str) -> str:
    """The text within the journal's bounds; its beginning alone where it does not fit even when it is packed."""
    if len(text.encode()) <= MOST_BYTES:
        return text
    tail = _SIGN + base64.b85encode(zlib.compress(text.encode())).decode()
    room = MOST_BYTES - len(tail)
    return cut(text, room) + tail if room >= _READABLE else cut(text)


def readable(kept: str) -> str:
    """What a person is shown of it."""
    return kept.partition(_SIGN)[0]


def whole(kept: str) -> str:
    """All that was kept of it."""
    beginning, sign, tail = kept.partition(_SIGN)
    return zlib.decompress(base64.b85decode(tail)).decode() if sign else beginning
