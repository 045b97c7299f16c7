"""What a clause asks for: the rules of ``data/rules.yaml`` first, then the nearest example."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, lru_cache

from icommerce_agents.offline import lexicon, semantics, slots
from icommerce_agents.offline.language import words_of
from icommerce_agents.offline.scene import CART_WRITES, Scene

_NEEDS = {
    "refine": "search",
    "more": "search",
    "details": "known",
    "compare": "known",
    "recommend": "listing",
    "decline": "checkout",
    "shipping_choose": "checkout",
    "swap": "cart",
    "set_quantity": "cart",
}
_INSTEAD = {
    "refine": "browse",
    "more": "browse",
    "details": "browse",
    "compare": "browse",
    "recommend": "browse",
    "decline": "no",
    "shipping_choose": "shipping_options",
    "swap": "refine",
    "set_quantity": "add",
}


@dataclass(frozen=True, slots=True)
class _Rule:
    intent: str
    any: tuple[re.Pattern[str], ...]
    unless: tuple[re.Pattern[str], ...]
    needs: frozenset[str]
    without: frozenset[str]

    def fits(self, plain: str, flags: frozenset[str]) -> bool:
        if not self.needs <= flags or self.without & flags:
            return False
        return any(p.search(plain) for p in self.any) and not any(p.search(plain) for p in self.unless)


@cache
def _rules() -> tuple[_Rule, ...]:
    return tuple(
        _Rule(
            row["intent"],
            tuple(re.compile(p) for p in row["any"]),
            tuple(re.compile(p) for p in row.get("not", ())),
            frozenset(row.get("needs", ())),
            frozenset(row.get("without", ())),
        )
        for row in lexicon.load("rules")
    )


def flags_of(scene: Scene) -> frozenset[str]:
    """What the rules may ask about the scene."""
    true = {
        "cart": bool(scene.lines),
        "checkout": scene.checking_out,
        "card": scene.card,
        "listing": bool(scene.listing or scene.focus),
        "focus": bool(scene.focus),
        "known": bool(scene.products),
        "search": scene.search is not None,
        "staff": scene.staff,
        "added": scene.last_tool in CART_WRITES,
    }
    return frozenset(name for name, on in true.items() if on)


@lru_cache(maxsize=4096)
def by_rule(plain: str, flags: frozenset[str]) -> str | None:
    """The intent a rule gives a clause. The same clause is asked about several times in a turn."""
    full = flags | {"color"} if slots.options(plain) else flags
    return next((rule.intent for rule in _rules() if rule.fits(plain, full)), None)


def classify(plain: str, flags: frozenset[str]) -> tuple[str | None, bool]:
    """The intent of a clause, and whether a rule was sure of it."""
    if intent := by_rule(plain, flags):
        return intent, True
    if _names_a_thing(plain):
        return "browse", False
    near = _near(plain)
    return (possible(near[0], flags), False) if near else (None, False)


def _names_a_thing(plain: str) -> bool:
    """``warm socks``: a few words, the last of them a thing shops sell."""
    words = [word for word in words_of(plain) if word not in lexicon.words("filler")]
    return (
        0 < len(words) <= 4
        and words[-1] in lexicon.words("nouns")
        and not re.search(r"\b(my|cart|order|address|email)\b", plain)
    )


@lru_cache(maxsize=256)
def _near(plain: str) -> tuple[str, float] | None:
    return semantics.nearest_intent(plain)


def possible(intent: str, flags: frozenset[str]) -> str:
    """The intent, or what it comes down to when the scene lacks what it needs."""
    while intent in _NEEDS and _NEEDS[intent] not in flags:
        intent = _INSTEAD[intent]
    return intent
