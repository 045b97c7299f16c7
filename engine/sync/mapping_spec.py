"""How a mapping is written: for each place in the target where its value comes from."""

from __future__ import annotations

from typing import Annotated, Any, Final, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

MOST_RULES: Final = 300
MOST_LOOKED_UP: Final = 5_000
Path = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[A-Za-z0-9_.-]+$")]


class Written(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Step(Written):
    """One transform and what it is told; without anything to tell, its name alone will do."""

    name: str
    args: dict[str, Any] = {}

    @model_validator(mode="before")
    @classmethod
    def _by_name(cls, data: Any) -> Any:
        if isinstance(data, str):
            return {"name": data}
        if isinstance(data, dict) and "args" not in data:
            return {"name": data.get("name"), "args": {key: one for key, one in data.items() if key != "name"}}
        return data


class Rule(Written):
    """Exactly one of ``path`` (JMESPath), ``constant`` and ``each`` (JMESPath to a list, and the ``fields`` of each).

    What was found goes through ``transform`` in order, then through ``lookup``. Where nothing was found there is
    ``default``; without one the place stays empty, and a place that must not be refuses the document. Inside of
    ``each`` a path reads the item, with ``whole`` the whole document.
    """

    path: str | None = None
    constant: Any = None
    each: str | None = None
    fields: dict[Path, Rule] | None = None
    transform: list[Step] = []
    lookup: str | None = None
    default: Any = None
    whole: bool = False

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        given = self.model_fields_set
        if len(given & {"path", "constant", "each"}) != 1:
            raise ValueError("say one of path, constant and each")
        if (self.each is None) != (self.fields is None):
            raise ValueError("each has fields, and nothing else has")
        if "constant" in given and given & {"transform", "lookup", "default", "whole"}:
            raise ValueError("a constant is what it is")
        if self.each is not None and given & {"transform", "lookup", "default"}:
            raise ValueError("each is a list of its fields")
        return self


class Lookup(Written):
    """A table by text. What is not in it is ``otherwise``; without one it is refused."""

    values: Annotated[dict[str, Any], Field(max_length=MOST_LOOKED_UP)]
    otherwise: Any = None


class Spec(Written):
    """``fields``: place in the target, with dots between names, → where its value comes from."""

    fields: Annotated[dict[Path, Rule], Field(min_length=1, max_length=MOST_RULES)]
    lookups: dict[str, Lookup] = {}
