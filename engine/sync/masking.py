"""What is written down of a request and its answer: everything but secrets and card numbers, within bounds."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import quote, quote_plus

from engine.conversations.masking import mask_numbers

MOST_BYTES: Final = 16_384
MASK: Final = "••••"
_CUT: Final = " … cut"
_LOOKED_AT: Final = 4 * MOST_BYTES
"""Characters: what a secret is cut in two by lies beyond what is kept."""
_LONGEST: Final = 64 * MOST_BYTES
_A_VALUE: Final = 2
_DEEPEST: Final = 40
_SECRET_NAME: Final = re.compile(
    r"(?:^|[_-])(?:secret|password|passwd|pwd|assertion|authorization|signature|hmac)(?:$|[_-])"
    r"|api[_-]?key|private[_-]?key|(?:access|refresh|auth|bearer|id)[_-]?token|^token$|consumer[_-]?key|credential",
    re.IGNORECASE,
)

_PAIR: Final = re.compile(r"""(?<![^\s?&"'<>])([^\s?&"'<>=]{1,60})=[^\s?&"'<>\\]+""")
"""``name=value`` of a form or of an address."""


class Mask:
    """Takes a connection's live secrets out of whatever is told or written of it."""

    __slots__ = ("_words",)

    def __init__(self, secrets: Iterable[str]) -> None:
        self._words = sorted({word for value in secrets for word in _spellings(value)}, key=len, reverse=True)

    def __repr__(self) -> str:
        return f"Mask({len(self._words)})"

    def words(self, text: str) -> str:
        """Text without live secrets, and without fields of a form or an address that are named like one."""
        for word in self._words:
            if word in text:
                text = text.replace(word, MASK)
        return mask_numbers(_PAIR.sub(_emptied, text))

    def document(self, value: Any) -> str:
        """A document as compact JSON that fits the journal, its secret fields emptied whatever they hold."""
        return self.text(_json(_Telling(_LOOKED_AT).tell(value)))

    def whole(self, value: Any) -> str:
        """The same of any length that is read."""
        return self.words(_json(_Telling(_LONGEST).tell(value))).replace("\0", "")

    def text(self, value: str) -> str:
        """Text that fits the journal."""
        return cut(self.words(value[:_LOOKED_AT]).replace("\0", ""))

    def body(self, content: bytes, parsed: Any = None) -> str:
        """An answer's body, as JSON where it is."""
        if parsed is not None:
            return self.document(parsed)
        return self.text(content[:_LOOKED_AT].decode("utf-8", "replace"))


def cut(text: str, most: int = MOST_BYTES) -> str:
    """The text, or its beginning, in at most ``most`` bytes."""
    raw = text.encode("utf-8", "replace")
    if len(raw) <= most:
        return raw.decode()
    return raw[: most - len(_CUT.encode())].decode("utf-8", "ignore") + _CUT


class _Telling:
    """The beginning of a document, its secret fields emptied: of a large one no more is looked at than is kept."""

    def __init__(self, most: int) -> None:
        self._left = most

    def tell(self, value: Any, depth: int = 0) -> Any:
        self._left -= _A_VALUE
        if depth > _DEEPEST and isinstance(value, Mapping | list | tuple):
            return "…"
        if isinstance(value, Mapping):
            return {str(name): self._field(str(name), one, depth) for name, one in value.items() if self._left > 0}
        if isinstance(value, list | tuple):
            return [self.tell(one, depth + 1) for one in value if self._left > 0]
        if isinstance(value, str):
            value = value[: max(self._left, 0)]
            self._left -= len(value)
        return value

    def _field(self, name: str, value: Any, depth: int) -> Any:
        self._left -= len(name)
        return MASK if _SECRET_NAME.search(name) and _holds(value) else self.tell(value, depth + 1)


def _json(told: Any) -> str:
    return json.dumps(told, ensure_ascii=False, separators=(",", ":"), default=str)


def _emptied(pair: re.Match[str]) -> str:
    return f"{pair[1]}={MASK}" if _SECRET_NAME.search(pair[1]) else pair[0]


def _holds(value: Any) -> bool:
    """Whether there is anything to hide: a list of errors about ``token`` is none."""
    return isinstance(value, str | int | float) and not isinstance(value, bool) and value != ""


def _spellings(value: str) -> set[str]:
    """As it stands in text, in JSON and in an address."""
    in_json = json.dumps(value)[1:-1]
    return {value, in_json, json.dumps(value, ensure_ascii=False)[1:-1], quote(value, safe=""), quote_plus(value)}
