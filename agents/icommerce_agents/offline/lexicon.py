"""The model's words, read once from ``data/``."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from importlib import resources
from typing import Any, Final

import yaml

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@cache
def load(name: str) -> Any:
    """The content of ``data/<name>.yaml``."""
    text = resources.files("icommerce_agents.offline").joinpath("data", f"{name}.yaml").read_text(encoding="utf-8")
    return yaml.load(text, Loader=_LOADER)  # noqa: S506 (a safe loader, in C where there is one)


@cache
def table(name: str) -> dict[str, Any]:
    """One mapping of the lexicon."""
    found: dict[str, Any] = load("lexicon")[name]
    return found


@cache
def words(name: str) -> frozenset[str]:
    """One word list of the lexicon."""
    return frozenset(str(word) for word in load("lexicon")[name])


@cache
def places(name: str) -> dict[str, str]:
    """Lower-case place names to codes."""
    return {str(key): str(value) for key, value in load("places")[name].items()}


@cache
def street_words() -> frozenset[str]:
    return frozenset(load("places")["streets"])


@cache
def pattern(name: str, flags: int = 0) -> re.Pattern[str]:
    """A regular expression of ``data/patterns.yaml``, the patterns and word lists it names filled in."""
    return re.compile(_filled(name), flags)


@cache
def _filled(name: str) -> str:
    found = load("patterns").get(name)
    text = _WORD_LISTS[name]() if found is None else "".join(found) if isinstance(found, list) else str(found)
    return re.sub(r"\{\{(\w+)\}\}", lambda inner: _filled(inner.group(1)), text)


def _alternatives(names: Iterable[str]) -> str:
    """The longest first, so that a name is not cut short by another that begins it."""
    return "|".join(re.escape(name) for name in sorted(names, key=lambda name: (-len(name), name)))


_WORD_LISTS: Final[Mapping[str, Callable[[], str]]] = {
    "sizes": lambda: _alternatives(table("sizes")),
    "ordinals": lambda: _alternatives(table("ordinals")),
    "colors": lambda: _alternatives(words("colors")),
    "shades": lambda: _alternatives(words("color_shades")),
    "street_words": lambda: _alternatives(street_words()),
    "states": lambda: _alternatives([*places("us_states"), *places("canada")]),
    "state_codes": lambda: _alternatives({*places("us_states").values(), *places("canada").values()}),
    "countries": lambda: _alternatives(places("countries")),
}
