"""Card numbers and gift card codes never reach a store, a log or a model: they are masked where text comes in (trust
rule 5).
"""

from __future__ import annotations

import re
from typing import Final

_RUN: Final = re.compile(r"\d(?:[\s.\-\u2010-\u2015]{0,3}\d){12,}")
_PRINTED: Final = re.compile(
    r"(?<!\d)\d{4}[\W_]{1,5}(?:\d{4}[\W_]{1,5}\d{4}[\W_]{1,5}\d{1,7}|\d{6}[\W_]{1,5}\d{4,5})(?!\d)"
)
"""The groups that are printed on cards, whatever stands between them."""
_CODE: Final = re.compile(r"(?<![0-9A-Za-z])(?:[2-9A-HJ-NP-Z]{4}[ -]?){3}[2-9A-HJ-NP-Z]{4}(?![0-9A-Za-z])")
_TYPED_CODE: Final = re.compile(r"(?<![0-9a-z])(?:[2-9a-hj-np-z]{4}-?){3}[2-9a-hj-np-z]{4}(?![0-9a-z])", re.IGNORECASE)
"""A gift card's code as it is given out, and as it is typed."""
_GROUP: Final = re.compile(r"\d+")
_SHORTEST: Final = 13
_LONGEST: Final = 19


def mask_cards(text: str) -> str:
    """``text`` with every Luhn-valid number of 13 to 19 digits, and every gift card's code, cut to its last four,
    whatever separates the groups.

    A number is looked for at the edges of digit groups, so that one inside a longer number (a tracking number) stays.
    """
    return _TYPED_CODE.sub(_mask_code, _CODE.sub(_mask_code, mask_numbers(text)))


def mask_numbers(text: str) -> str:
    """The same of cards alone: for ids that programs make, which may look like a gift card's code."""
    spaced = _PRINTED.sub(lambda match: _mask_run(match.group()), text)
    return _RUN.sub(lambda match: _mask_run(match.group()), spaced)


def _mask_code(match: re.Match[str]) -> str:
    """Codes mix letters and digits; a word, or a number alone, is none."""
    said = match.group()
    digits = sum(character.isdigit() for character in said)
    letters = sum(character.isalpha() for character in said)
    return f"•••• {said[-4:]}" if digits and letters else said


def _mask_run(run: str) -> str:
    groups = list(_GROUP.finditer(run))
    kept, written, first = [], 0, 0
    while first < len(groups):
        found = _card_at(groups[first : first + _LONGEST])
        if found:
            count, digits = found
            kept.append(f"{run[written : groups[first].start()]}•••• {digits[-4:]}")
            written = groups[first + count - 1].end()
            first += count
        else:
            first += 1
    return "".join(kept) + run[written:]


def _card_at(groups: list[re.Match[str]]) -> tuple[int, str] | None:
    """The longest card number that begins with the first group: how many groups, and its digits."""
    digits, found = "", None
    for count, group in enumerate(groups, start=1):
        digits += group.group()
        if len(digits) > _LONGEST:
            break
        if len(digits) >= _SHORTEST and _luhn(digits):
            found = (count, digits)
    return found


def _luhn(digits: str) -> bool:
    """ISO/IEC 7812-1 annex B."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0
