"""What the model knows how to do (``data/abilities.yaml``), read once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

from icommerce_agents.offline import lexicon

TRANSFER = "transfer_to_"


@dataclass(frozen=True, slots=True)
class Argument:
    """``kind`` is text, int, flag, map, texts or rows; ``fields`` are those of a row."""

    kind: str
    says: str
    required: bool = False
    coded: bool = False
    """One of the shop's own codes: words are brought to the nearest."""
    fields: Mapping[str, Argument] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ability:
    name: str
    says: tuple[str, ...]
    arguments: Mapping[str, Argument]


@cache
def abilities() -> Mapping[str, Ability]:
    """Every ability by its name."""
    return {name: _ability(name, row) for name, row in lexicon.load("abilities").items()}


def _ability(name: str, row: dict[str, object]) -> Ability:
    says, given = row["says"], row.get("args") or {}
    assert isinstance(says, list)
    assert isinstance(given, dict)
    return Ability(name, tuple(map(str, says)), {key: _argument(value) for key, value in given.items()})


def _argument(row: list[object]) -> Argument:
    kind, says, *fields = row
    inner = fields[0] if fields else {}
    assert isinstance(inner, dict)
    bare = str(kind).rstrip("!")
    return Argument(
        kind="text" if bare == "code" else bare,
        says=str(says),
        required=str(kind).endswith("!"),
        coded=bare == "code",
        fields={key: _argument(value) for key, value in inner.items()},
    )


def name_words(name: str) -> str:
    """``quote_item_change`` and ``quoteItemChange`` as words."""
    return " ".join(re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[_\-.]+", " ", name).lower().split())
