"""The few tables a letter may hold. A template names one by ``{{ items }}``; text and HTML each set it their way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

_OPEN, _CLOSE = "\ue000", "\ue001"
"""Private characters are not printable: what a letter says about people and goods never holds one (``clean``)."""
_JOINERS: Final = "\u200c\u200d"
NAMES: Final = ("items", "totals", "waiting", "given")
Table = Mapping[str, Any]
"""``{"head": [...], "rows": [[...]], "caption": ...}``; the last column is set to the right."""


def mark(name: str) -> str:
    """What stands in a rendered body where the table goes."""
    return f"{_OPEN}{name}{_CLOSE}"


def marked(paragraph: str) -> str | None:
    """The table's name, when a paragraph is nothing but its mark."""
    text = paragraph.strip()
    if text.startswith(_OPEN) and text.endswith(_CLOSE) and text[1:-1] in NAMES:
        return text[1:-1]
    return None


def clean(value: Any) -> Any:
    """Facts with nothing in them that could break a line of a header or stand for a table."""
    if isinstance(value, str):
        return value if value.isprintable() else "".join(filter(_may_stand, value))
    if isinstance(value, Mapping):
        return {key: clean(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [clean(part) for part in value]
    return value


def _may_stand(letter: str) -> bool:
    return letter.isprintable() or letter in _JOINERS


def as_text(table: Table) -> str:
    """One line a row, the cells of all but the last column joined, the last one after a colon."""
    return "\n".join(_line([str(cell) for cell in row]) for row in table["rows"])


def _line(cells: Sequence[str]) -> str:
    *first, last = cells
    return f"  {' x '.join(first[::-1]) if len(first) == 2 else ' '.join(first)}: {last}"
