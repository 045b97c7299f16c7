"""Card numbers never reach a store, a log or a model: they are masked where text comes in (trust rule 5)."""

from __future__ import annotations

import re
from typing import Final

_RUN: Final = re.compile(r"\d(?:[\s.\-\u2010-\u2015]{0,3}\d){12,}")
_GROUP: Final = re.compile(r"\d+")
_SHORTEST: Final = 13
_LONGEST: Final = 19


def mask_cards(text: str) -> str:
    """``text`` with every Luhn-valid number of 13 to 19 digits cut to its last four, whatever separates the groups.

    A number is looked for at the edges of digit groups, so that one inside a longer number (a tracking number) stays.
    """
    return _RUN.sub(lambda match: _mask_run(match.group()), text)


def _mask_run(run: str) -> str:
    groups = list(_GROUP.finditer(run))
    for first in range(len(groups)):
        for last in range(len(groups) - 1, first - 1, -1):
            digits = "".join(group.group() for group in groups[first : last + 1])
            if _SHORTEST <= len(digits) <= _LONGEST and _luhn(digits):
                head, tail = run[: groups[first].start()], run[groups[last].end() :]
                return f"{head}•••• {digits[-4:]}{mask_cards(tail)}"
    return run


def _luhn(digits: str) -> bool:
    """ISO/IEC 7812-1 annex B."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0
