"""Adding up, exactly: what a model should not do in its head."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from typing import Annotated, Final

from pydantic import Field

from engine.kit.errors import InvalidInput
from tools.naming import SHOP
from tools.spec import Access, Outcome, ToolContext, tool

LENGTH: Final = 300
_DEEPEST: Final = 40
_TOKEN: Final = re.compile(r"\s*(?:(\d{1,15}(?:\.\d{0,15})?|\.\d{1,15})|([-+*/()]))")


class InvalidExpression(InvalidInput):
    code = "invalid_expression"


@tool(access=Access.READ, agents=SHOP)
def calculate(
    context: ToolContext,  # noqa: ARG001 (every tool has one)
    expression: Annotated[str, Field(description="Numbers with + - * / and ( ).", max_length=LENGTH)],
) -> Outcome:
    """Work out a sum exactly, rounded to two decimals: totals, differences, prices per unit."""
    return Outcome({"value": rounded(evaluate(expression))})


def rounded(value: Fraction) -> str:
    """Two decimals, halves to even: ``17.50``."""
    cents = round(value * 100)
    return f"{'-' if cents < 0 else ''}{abs(cents) // 100}.{abs(cents) % 100:02}"


def evaluate(text: str) -> Fraction:
    """The exact value of an expression of numbers, ``+ - * /``, signs and brackets. Raises ``InvalidExpression``."""
    if len(text) > LENGTH:
        raise InvalidExpression(f"An expression has at most {LENGTH} characters.", param="expression")
    reader = _Reader(list(_tokens(text)))
    value = reader.sum(0)
    if reader.next is not None:
        raise _wrong()
    return value


def _tokens(text: str) -> Iterator[str]:
    place, text = 0, text.rstrip()
    while place < len(text):
        found = _TOKEN.match(text, place)
        if found is None:
            raise _wrong()
        yield found[1] or found[2]
        place = found.end()


def _wrong() -> InvalidExpression:
    return InvalidExpression("Only numbers with + - * / and ( ) can be worked out.", param="expression")


class _Reader:
    """A sum of products of signed factors; nothing is ever run."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens, self._place = tokens, 0

    @property
    def next(self) -> str | None:
        return self._tokens[self._place] if self._place < len(self._tokens) else None

    def take(self) -> str:
        found = self.next
        if found is None:
            raise _wrong()
        self._place += 1
        return found

    def sum(self, depth: int) -> Fraction:
        value = self.product(depth)
        while self.next in {"+", "-"}:
            plus = self.take() == "+"
            other = self.product(depth)
            value = value + other if plus else value - other
        return value

    def product(self, depth: int) -> Fraction:
        value = self.factor(depth)
        while self.next in {"*", "/"}:
            if self.take() == "*":
                value *= self.factor(depth)
                continue
            by = self.factor(depth)
            if not by:
                raise InvalidExpression("Nothing can be divided by zero.", param="expression")
            value *= Fraction(by.denominator, by.numerator)
        return value

    def factor(self, depth: int) -> Fraction:
        if depth > _DEEPEST:
            raise _wrong()
        found = self.take()
        if found in {"+", "-"}:
            value = self.factor(depth + 1)
            return value if found == "+" else -value
        if found == "(":
            value = self.sum(depth + 1)
            if self.take() != ")":
                raise _wrong()
            return value
        if not found[0].isdigit() and found[0] != ".":
            raise _wrong()
        return Fraction(found)
