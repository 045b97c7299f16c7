"""Figures in a text: amounts of money, lengths of time and percentages, and numbers that name an order or a parcel."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

_CODES: Final = (
    "USD|EUR|GBP|JPY|CAD|AUD|NZD|CHF|SEK|NOK|DKK|PLN|CZK|HUF|RON|TRY|INR|CNY|HKD|SGD|KRW|TWD|THB|BRL|MXN|ZAR|ILS"
)
_MARKS: Final = {
    "$": "$", "us$": "$", "usd": "$", "dollar": "$", "dollars": "$", "bucks": "$", "cent": "¢", "cents": "¢", "¢": "¢",
    "ca$": "CAD", "c$": "CAD", "a$": "AUD", "nz$": "NZD", "€": "EUR", "euro": "EUR", "euros": "EUR", "£": "GBP",
    "pound": "GBP", "pounds": "GBP", "¥": "JPY", "yen": "JPY", "₹": "INR", "₩": "KRW", "₺": "TRY", "₪": "ILS",
    "zł": "PLN",
}  # fmt: skip
_DOLLARS: Final = frozenset({"$", "CAD", "AUD", "NZD", "HKD", "SGD", "TWD"})
_NUMBER: Final = r"\d+(?:[.,'\u2019\u00a0\u202f]\d+)*"
_BEFORE: Final = rf"US\$|CA\$|NZ\$|A\$|C\$|[$€£¥₹₩₺₪]|\b(?:{_CODES})\b"
_AFTER: Final = rf"[$€£¥₹₩₺₪¢]|zł|(?:{_CODES}|dollars?|bucks|euros?|pounds?|yen|cents?)\b"
_MONEY: Final = re.compile(
    rf"(?P<before>{_BEFORE})\s?-?\s?(?P<first>{_NUMBER})(?P<k>k\b)?|(?<![\w.,])(?P<second>{_NUMBER})\s?(?P<after>{_AFTER})",
    re.IGNORECASE,
)
_BARE_AMOUNT: Final = re.compile(
    r"(?<![\w.,-])(?:\d{1,3}(?:,\d{3})*\.\d{2}|\d{1,3}(?:\.\d{3})+,\d{2})(?![\w.]*\d)(?!\s?%)"
)
_UNITS: Final = {"percent": "%", "%": "%"} | {unit: unit for unit in ("hour", "day", "week", "month", "year")}
_MEASURE: Final = re.compile(
    rf"(?<![\w.,])(?P<low>{_NUMBER})(?:\s?(?:-|\u2013|to|and)\s?(?P<high>{_NUMBER}))?[\s-]?"
    r"(?:(?:business|working|calendar)[\s-])?(?P<unit>%|percent\b|hours?\b|days?\b|weeks?\b|months?\b|years?\b)",
    re.IGNORECASE,
)
_SAME: Final = {
    "hour": (("day", 24),),
    "day": (("hour", 24), ("week", 7)),
    "week": (("day", 7),),
    "month": (("year", 12),),
    "year": (("month", 12),),
}
"""Which other unit a length may have been given in, and how many of the smaller make the larger."""
_DATE: Final = re.compile(r"\b\d{4}-\d{2}-\d{2}(?:[T ][\d:.]+(?:Z|[+-]\d{2}:?\d{2})?)?\b")
_PLAIN_NUMBER: Final = re.compile(rf"(?<![\w.]){_NUMBER}(?![\w]*\d)")
_REFERENCE: Final = re.compile(
    r"\b(?:[A-Z]{1,6}-?\d{4,}[A-Z0-9-]*|[A-Z]{1,6}(?:-[A-Z0-9]+)*-\d{3,}|[A-Z0-9]*\d{8,}[A-Z0-9]*)\b"
)


@dataclass(frozen=True, slots=True)
class Amount:
    """``currency`` is a code, ``$`` for a dollar nobody says which, ``None`` for a bare number."""

    value: Decimal
    currency: str | None

    def may_be(self, other: Amount) -> bool:
        """Whether both can mean the same money."""
        if self.value != other.value:
            return False
        if self.currency is None or other.currency is None or self.currency == other.currency:
            return True
        return "$" in {self.currency, other.currency} and {self.currency, other.currency} <= _DOLLARS


@dataclass(frozen=True, slots=True)
class Measure:
    """A length of time or a percentage."""

    value: Decimal
    unit: str

    def also_as(self) -> Iterator[Decimal]:
        """The number as somebody may have given it in this or a related unit."""
        yield self.value
        smaller_first = {"hour": 0, "day": 1, "week": 2, "month": 3, "year": 4}
        for unit, size in _SAME.get(self.unit, ()):
            larger = smaller_first[self.unit] > smaller_first[unit]
            yield self.value * size if larger else self.value / size


def amounts(text: str) -> list[Amount]:
    """Every amount of money, with and without a currency (then only if it has two decimals)."""
    found = [_amount(match) for match in _MONEY.finditer(text)]
    rest = _MONEY.sub(" ", text)
    return found + [Amount(number(match.group()), None) for match in _BARE_AMOUNT.finditer(rest)]


def measures(text: str) -> list[Measure]:
    """Every length of time and percentage; both ends of a range."""
    found = []
    for match in _MEASURE.finditer(text):
        unit = _UNITS[match["unit"].lower().removesuffix("s") if match["unit"] != "%" else "%"]
        found += [Measure(number(value), unit) for value in (match["low"], match["high"]) if value]
    return found


def references(text: str) -> list[str]:
    """Order, parcel and article numbers, in capitals."""
    return _REFERENCE.findall(text.upper())


def numbers(text: str) -> list[Decimal]:
    """Every plain number, money and dates aside."""
    rest = _DATE.sub(" ", _MONEY.sub(" ", text))
    return [number(match.group()) for match in _PLAIN_NUMBER.finditer(rest)]


def number(text: str) -> Decimal:
    """``1,299.00``, ``1.299,00``, ``49,90`` and ``1'299`` as people mean them."""
    plain = re.sub(r"['\u2019\u00a0\u202f]", "", text)
    marks = [mark for mark in ".," if mark in plain]
    if len(marks) == 2:
        decimal = max(marks, key=plain.rfind)
        return Decimal(plain.replace("," if decimal == "." else ".", "").replace(decimal, "."))
    if not marks:
        return Decimal(plain)
    groups = plain.split(marks[0])
    thousands = all(len(group) == 3 for group in groups[1:]) and groups[0] != "0"
    if thousands or len(groups) > 2:
        return Decimal("".join(groups))
    return Decimal(".".join(groups))


def _amount(match: re.Match[str]) -> Amount:
    value = number(match["first"] or match["second"])
    mark = (match["before"] or match["after"]).lower()
    currency = _MARKS.get(mark) or mark.upper()
    if currency == "¢":
        return Amount(value / 100, "$")
    return Amount(value * 1000 if match["k"] else value, currency)
