"""What a model refuses, said with the place of each fault."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import ValidationError

from engine.kit.errors import InvalidInput
from engine.kit.refusals import in_words


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


def problems_of(error: ValidationError) -> list[FieldProblem]:
    """Each fault of a model, without what was sent."""
    return [
        FieldProblem(".".join(str(part) for part in one["loc"]), in_words(one))
        for one in error.errors(include_input=False, include_url=False)
    ]


def first_problem(error: ValidationError) -> InvalidFields:
    """The faults as a refusal."""
    return InvalidFields(problems_of(error))
