"""Sums as an agent types them, worked out exactly: numbers, ``+ - * /``, signs and brackets, nothing else."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final

_CHARACTERS: Final = frozenset("0123456789+-*/(). ")
_TOKEN: Final = re.compile(r" *(\d+\.?\d*|\.\d+|[-+*/()])")
_LONGEST: Final = 1_000
_DEEPEST: Final = 50


class NoSum(ValueError):
    """What was typed is no sum."""


def calculate(expression: str) -> str:
    """The value in two decimals, as Python prints a float: ``17.99``, ``100.0``. Raises ``NoSum``."""
    if set(expression) - _CHARACTERS:
        raise NoSum("Invalid characters in expression")
    if len(expression) > _LONGEST:
        raise NoSum("Expression too long")
    parser = _Parser(_parts(expression.rstrip()))
    value = parser.sum()
    if parser.next is not None:
        raise NoSum("Invalid expression")
    cents = round(value * 100)
    whole, rest = divmod(abs(cents), 100)
    decimals = f"{rest:02d}"
    sign = "-" if cents < 0 else ""
    return f"{sign}{whole}.{decimals[0] if decimals[1] == '0' else decimals}"


def _parts(expression: str) -> list[str]:
    found, place = [], 0
    while place < len(expression):
        part = _TOKEN.match(expression, place)
        if part is None:
            raise NoSum("Invalid expression")
        found.append(part[1])
        place = part.end()
    return found


class _Parser:
    """Recursive descent over the parts, one left to right pass."""

    def __init__(self, parts: list[str]) -> None:
        self._left = parts[::-1]
        self._depth = 0

    @property
    def next(self) -> str | None:
        return self._left[-1] if self._left else None

    def sum(self) -> Fraction:
        value = self._product()
        while self.next in ("+", "-"):
            value = value + self._product() if self._left.pop() == "+" else value - self._product()
        return value

    def _product(self) -> Fraction:
        value = self._factor()
        while self.next in ("*", "/"):
            sign = self._left.pop()
            factor = self._factor()
            if sign == "/" and not factor:
                raise NoSum("Division by zero")
            value = value * factor if sign == "*" else value / factor
        return value

    def _factor(self) -> Fraction:
        self._depth += 1
        if self._depth > _DEEPEST or not self._left:
            raise NoSum("Invalid expression")
        part = self._left.pop()
        value = self._after(part)
        self._depth -= 1
        return value

    def _after(self, part: str) -> Fraction:
        if part in ("+", "-"):
            value = self._factor()
            return -value if part == "-" else value
        if part == "(":
            value = self.sum()
            if not self._left or self._left.pop() != ")":
                raise NoSum("Invalid expression")
            return value
        if part in ("*", "/", ")"):
            raise NoSum("Invalid expression")
        return Fraction(part if part[-1] != "." else part[:-1])
