"""What a person says, matched to what a shop offers: option values, option names, categories."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from rapidfuzz import fuzz

_SAME: Final = {
    "xs": "extra small",
    "s": "small",
    "m": "medium",
    "l": "large",
    "xl": "extra large",
    "xxl": "2 extra large",
    "2xl": "2 extra large",
    "xxxl": "3 extra large",
    "3xl": "3 extra large",
    "med": "medium",
    "sm": "small",
    "lg": "large",
}
_SPELLED: Final = {"gray": "grey", "colour": "color"}
_CLOSE: Final = 82
"""Likeness from which two words are taken for one, misspelled; ``shirt`` and ``short`` (80) are two."""


_HEAD_ENDS: Final = re.compile(
    r"\b(?:for|with|without|under|over|below|above|that|to|in|on|of|from|which|who|i|my|by)\b"
)


def plain(text: str) -> str:
    """Lower case, one space between words, one spelling: ``"XL"`` → ``extra large``, ``"Gray"`` → ``grey``."""
    words = re.findall(r"[^\W_]+(?:[./][^\W_]+)*", text.casefold())
    joined = " ".join(_SPELLED.get(word, word) for word in words)
    return _SAME.get(joined, joined)


def match_values(wanted: str, offered: Iterable[str]) -> list[str]:
    """The offered values meant by ``wanted``, from the first rule that finds any.

    Equal; named in part (``blue`` → ``slate blue``); naming more (``men's large`` → ``L``); the only one with that
    initial (``R`` → ``regular``); misspelled (``tael`` → ``teal``). Numbers are never guessed at.
    """
    known = {value: plain(value) for value in offered}
    ask = plain(wanted)
    words = set(ask.split())
    if not words:
        return []
    rules: Sequence[Callable[[str], bool]] = (
        lambda value: value == ask,
        lambda value: words <= set(value.split()),
        lambda value: set(value.split()) <= words,
        lambda value: words <= {plain(part) for part in value.split("/")} or words <= set(re.split(r"[ /]", value)),
    )
    for rule in rules:
        if found := [value for value, text in known.items() if rule(text)]:
            return found
    return _by_initial(wanted, known) or _by_spelling(ask, known)


def _by_initial(wanted: str, known: Mapping[str, str]) -> list[str]:
    initial = wanted.strip().casefold()
    if len(initial) != 1 or not initial.isalpha():
        return []
    found = [value for value, text in known.items() if text.startswith(initial) and " " not in text]
    return found if len(found) == 1 else []


def _by_spelling(ask: str, known: Mapping[str, str]) -> list[str]:
    if any(letter.isdigit() for letter in ask) or len(ask) < 4:
        return []
    words = {word for text in known.values() for word in (text, *text.split()) if not any(c.isdigit() for c in word)}
    close = set(_closest(ask, words))
    return [value for value, text in known.items() if close & {text, *text.split()}]


def _closest(ask: str, known: Iterable[str]) -> list[str]:
    """The most alike of ``known``, all of them if several are, when alike enough."""
    likeness = {text: _likeness(ask, text) for text in known}
    best = max(likeness.values(), default=0.0)
    return [text for text, like in likeness.items() if like == best >= _CLOSE]


def _likeness(one: str, other: str) -> float:
    """0 to 100; the same letters in another order are as good as the same word."""
    return 100.0 if sorted(one) == sorted(other) else fuzz.ratio(one, other)


def match_option(name: str, value: str, options: Mapping[str, Sequence[str]]) -> tuple[str, list[str]] | None:
    """Which of ``options`` is meant by ``name`` = ``value`` and which of its values; ``None`` when none is.

    A name the shop does not use (``shade``) is looked up by its value alone.
    """
    names = {plain(known): known for known in options}
    if close := _closest(plain(name), names):
        known = names[close[0]]
        found = match_values(value, options[known])
        return (known, found) if found else None
    for known, values in options.items():
        if found := match_values(value, values):
            return known, found
    return None


def match_categories(wanted: str, categories: Sequence[str]) -> list[str]:
    """The shop's categories meant by ``wanted``: the same, singular or plural, wider (``jackets``), or misspelled."""
    stems = {category: _stems(category) for category in categories}
    ask = _stems(wanted)
    if not ask:
        return []
    rules: Sequence[Callable[[frozenset[str]], bool]] = (
        lambda stem: stem == ask,
        lambda stem: ask <= stem,
        lambda stem: bool(stem) and stem <= ask,
    )
    for rule in rules:
        if found := [category for category, stem in stems.items() if rule(stem)]:
            return found
    texts = {category: " ".join(sorted(stem)) for category, stem in stems.items()}
    texts = {" ".join(sorted(stem)): category for category, stem in stems.items()}
    return [texts[text] for text in _closest(" ".join(sorted(ask)), texts)]


def named_categories(text: str, categories: Sequence[str]) -> frozenset[str]:
    """The categories a question is about: those whose last word is its head noun ("2 person *tent* for winter").

    Where one category's whole name is said, only such categories count: "rain jackets" is not about down jackets.
    """
    phrase = _HEAD_ENDS.split(text.casefold(), maxsplit=1)[0]
    words = [_singular(word) for word in re.findall(r"[a-z0-9]+", phrase.replace("'", ""))]
    if not words:
        return frozenset()
    about = {
        category: _stems(category)
        for category in categories
        if (parts := re.findall(r"[a-z0-9]+", category.replace("'", ""))) and _singular(parts[-1]) == words[-1]
    }
    said = {category for category, stems in about.items() if stems <= set(words)}
    return frozenset(said or about)


def _stems(text: str) -> frozenset[str]:
    words = re.findall(r"[a-z0-9]+", text.casefold().replace("'", ""))
    return frozenset(_singular(word) for word in words if word not in {"and", "the", "for", "of"})


def _singular(word: str) -> str:
    """One stem for ``axe`` and ``axes``, ``knife`` and ``knives``, ``battery`` and ``batteries``."""
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith("s") and not word.endswith("ss") and len(word) > 3:
        word = word[:-2] if word.endswith(("ches", "shes", "sses")) else word[:-1]
    stem = word.removesuffix("e")
    return stem[:-1] + "f" if stem.endswith("v") else stem
