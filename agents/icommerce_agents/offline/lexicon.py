"""The model's words, read once from ``data/``."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any

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
