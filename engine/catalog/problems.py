"""What a model refuses, said with the place of each fault."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError, WrapValidator

from engine.kit.errors import InvalidInput

_OURS: Final = "Value error, "


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """``field`` is a path such as ``variants.0.price``; empty for what is wrong with the whole."""

    field: str
    words: str

    def __str__(self) -> str:
        return f"{self.field}: {self.words}" if self.field else self.words


class InvalidFields(InvalidInput):
    """Everything that is wrong with what was sent; the message names the first, ``problems`` all."""

    code = "invalid_fields"

    def __init__(self, problems: list[FieldProblem]) -> None:
        super().__init__("; ".join(str(one) for one in problems[:5]), param=problems[0].field or "body")
        self.problems = problems


def worded(words: str) -> WrapValidator:
    """What does not fit its type is refused in these words, not in those of its pattern."""

    def judge(value: Any, check: Callable[[Any], Any]) -> Any:
        try:
            return check(value)
        except ValidationError:
            raise ValueError(words) from None

    return WrapValidator(judge)


def problems_of(error: ValidationError) -> list[FieldProblem]:
    """Each fault of a model, without what was sent."""
    return [
        FieldProblem(".".join(str(part) for part in one["loc"]), str(one["msg"]).removeprefix(_OURS))
        for one in error.errors(include_input=False, include_url=False, include_context=False)
    ]


def first_problem(error: ValidationError) -> InvalidFields:
    """The faults as a refusal."""
    return InvalidFields(problems_of(error))
