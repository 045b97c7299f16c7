"""What may not be said: secrets, whoever asks for them. Card masking of what comes in is the engine's."""

from __future__ import annotations

import re
from typing import Final

from engine.conversations.masking import mask_cards

_PREFIXES: Final = ("vt_", "sk_", "sk-", "rk_", "whsec_", "icm_", "card_")
_SECRET: Final = re.compile(r"(?<![A-Za-z0-9])(?:vt_|sk[_-]|rk_|whsec_|icm_|card_(?=\w*\d))[A-Za-z0-9_\-]{6,}")
_WORD_AT_END: Final = re.compile(r"[A-Za-z0-9_\-]+$")
WITHHELD: Final = "[withheld]"


def withhold_secrets(text: str) -> str:
    """``text`` without delegated tokens, keys, card tokens and card numbers."""
    return mask_cards(_SECRET.sub(WITHHELD, text))


class StreamGuard:
    """The same for text that comes in pieces: holds back a last word only while it may become a secret."""

    def __init__(self) -> None:
        self._held = ""

    def feed(self, delta: str) -> str:
        """What may be shown now."""
        text = self._held + delta
        word = _WORD_AT_END.search(text)
        cut = word.start() if word and _may_be_secret(word.group()) else len(text)
        self._held = text[cut:]
        return withhold_secrets(text[:cut])

    def rest(self) -> str:
        """What was held back, at the end of the message."""
        text, self._held = self._held, ""
        return withhold_secrets(text)


def _may_be_secret(word: str) -> bool:
    return any(word.startswith(prefix[: len(word)]) for prefix in _PREFIXES)
