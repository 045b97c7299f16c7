"""The words of the shopper's pages in every language they are kept in: ``app/texts/<language>.json``."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from fastapi import Request, Response

from engine.kit.money import exponent, format_minor, symbol

TEXTS: Final = Path(__file__).parent / "texts"
DEFAULT: Final = "en"
COOKIE: Final = "ic_lang"
_YEAR_SECONDS: Final = 365 * 24 * 3600
_PLACEHOLDER: Final = re.compile(r"\{(\w+)\}")
_TAG: Final = re.compile(r"[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*")
_PREFERENCES_READ: Final = 20
_DOTTED: Final = "AR AT BE BR CL CO DE DK ES GR HR ID IT NL PT RO SI TR"
_SPACED: Final = "BG CZ FI FR HU NO PL SE SK UA"
_COMMA: Final = dict.fromkeys(_DOTTED.split(), ".") | dict.fromkeys(_SPACED.split(), "\u202f")
"""Where a comma parts the cents, with what parts the thousands there (Unicode CLDR); elsewhere it is a point."""


_MONTH_FIRST: Final = frozenset({"", "US", "PH"})
"""Where English says the month before the day; without a region it is the American order."""


@dataclass(frozen=True, slots=True)
class Wording:
    """One language: its tag, its own name, which way it runs, and its words by nested keys."""

    language: str
    words: Mapping[str, Any]

    @property
    def name(self) -> str:
        return str(self.words["language"]["name"])

    @property
    def direction(self) -> str:
        return str(self.words["language"]["dir"])

    def say(self, key: str, **values: object) -> str:
        """The words under a dotted key, ``{placeholders}`` filled. Raises ``KeyError`` for a key that is not there."""
        node: Any = self.words
        for part in key.split("."):
            node = node[part]
        if not isinstance(node, str):
            raise KeyError(key)
        return _PLACEHOLDER.sub(lambda match: str(values[match[1]]), node)

    def part(self, key: str) -> Mapping[str, Any]:
        """A group of words, as a page's script takes them."""
        node: Any = self.words
        for name in key.split("."):
            node = node[name]
        return MappingProxyType(node)

    def state(self, value: str) -> str:
        """The state of an order, a parcel or a return, as people say it."""
        known: Mapping[str, str] = self.words["cards"]["orderStatus"]
        return known.get(value) or value.replace("_", " ").capitalize()

    def day(self, when: date | str, where: str = "") -> str:
        """A day (or what begins with one in ISO 8601) in words, as a ``locale`` orders them: ``November 26, 2026``."""
        found = date.fromisoformat(str(when)[:10])
        month_first = _region(where) in _MONTH_FIRST
        month = self.say(f"hosted.dates.months.{found.month}")
        key = "hosted.dates.day" if month_first else "hosted.dates.dayFirst"
        return self.say(key, day=found.day, month=month, year=found.year)

    def moment(self, when: str, where: str = "") -> str:
        """The same with the time (UTC), of a moment in ISO 8601."""
        return self.say("hosted.dates.moment", date=self.day(when, where), time=when[11:16])

    def sums(self, kind: str, display_text: str) -> str:
        """The name of a sum: the engine names it in English, another language has a word for each kind."""
        if self.language == DEFAULT:
            return display_text
        known: Mapping[str, str] = self.words["cards"]["totals"]
        return known.get(kind, display_text)

    def problem(self, code: str, message: str) -> str:
        """What went wrong: the engine says it in English and exactly, another language has a sentence for each kind."""
        if self.language == DEFAULT or not message:
            return message
        known: Mapping[str, str] = self.words["hosted"]["problems"]
        return known.get(code) or known["other"]

    def page(self, *, assistant_speaks: Sequence[str] = ()) -> dict[str, Any]:
        """Everything the conversation's page says, its cards included. What it says to the assistant in the shopper's
        name is in a language that the assistant understands: ``assistant_speaks``, or any when it is empty.
        """
        heard = not assistant_speaks or self.language in assistant_speaks
        said = self if heard else words(assistant_speaks[0])
        shown = {**self.words["page"], **self.words["cards"], "said": said.words["said"]}
        shown["problems"] = {} if self.language == DEFAULT else self.words["hosted"]["problems"]
        return {name: value for name, value in shown.items() if not heard or name != "assistantSpeaks"}


@cache
def languages() -> tuple[str, ...]:
    """Every language there are words in, the default first."""
    found = sorted(file.stem for file in TEXTS.glob("*.json"))
    return (DEFAULT, *(tag for tag in found if tag != DEFAULT))


@cache
def words(language: str) -> Wording:
    """The words of a language. Raises ``KeyError`` for one there are none in."""
    if language not in languages():
        raise KeyError(language)
    return Wording(language, MappingProxyType(json.loads((TEXTS / f"{language}.json").read_text(encoding="utf-8"))))


def offered(settings: Mapping[str, Any]) -> tuple[str, ...]:
    """The languages of a shop's pages, its own first: the rule ``languages`` names them, else all that there are."""
    ruled = settings.get("policies", {}).get("languages", {})
    named = [tag for tag in ruled.get("offered") or languages() if tag in languages()] or [DEFAULT]
    home = str(ruled.get("home") or settings.get("locale") or "").replace("_", "-").split("-")[0].lower()
    first = home if home in named else named[0]
    return (first, *(tag for tag in named if tag != first))


def chosen(request: Request, settings: Mapping[str, Any] = MappingProxyType({})) -> Wording:
    """The wording for a request: ``?lang=``, else the choice remembered, else what the browser asks for, else the
    shop's own.
    """
    there = offered(settings)
    for asked in (request.query_params.get("lang"), request.cookies.get(COOKIE)):
        if asked in there:
            return words(asked)
    return words(_accepted(request.headers.get("accept-language", ""), there))


def remember(request: Request, response: Response, wording: Wording) -> None:
    """Keep a choice made by ``?lang=`` in a cookie that holds the language and nothing else."""
    if request.query_params.get("lang") == wording.language != request.cookies.get(COOKIE):
        secure = request.url.scheme == "https"
        response.set_cookie(COOKIE, wording.language, max_age=_YEAR_SECONDS, samesite="lax", secure=secure)


def locale(home: str, language: str) -> str:
    """How numbers and dates are written: a language as written where the shop is, ``en-US`` in ``es`` is ``es-US``.
    Digits are the ones that prices and part numbers are printed with.
    """
    tag = home.replace("_", "-")
    if not _TAG.fullmatch(tag):
        tag = DEFAULT
    own, *rest = tag.split("-")
    if own.lower() == language:
        return tag
    region = next((part.upper() for part in rest if len(part) == 2), "")
    return "-".join([part for part in (language, region) if part]) + "-u-nu-latn"


def money(amount: int, currency: str, where: str) -> str:
    """An amount in minor units as a ``locale`` writes it: ``129900, "EUR", "de-DE"`` → ``1.299,00 €``."""
    group = _COMMA.get(_region(where))
    if group is None:
        return format_minor(amount, currency)
    places = exponent(currency)
    whole, rest = divmod(abs(amount), 10**places)
    number = f"{whole:,}".replace(",", group) + (f",{rest:0{places}d}" if places else "")
    return f"{'-' if amount < 0 else ''}{number}\u00a0{symbol(currency)}"


def _region(where: str) -> str:
    return next((part for part in where.split("-")[1:] if len(part) == 2 and part.isupper()), "")


def _accepted(header: str, there: Sequence[str]) -> str:
    """RFC 9110, 12.5.4: the offered language with the highest weight; a region falls back to its language."""
    best, weight = there[0], 0.0
    for entry in header.split(",")[:_PREFERENCES_READ]:
        tag, _, quality = entry.strip().partition(";q=")
        language = tag.strip().split("-")[0].lower()
        told = _weight(quality)
        if language in there and told > weight:
            best, weight = language, told
    return best


def _weight(text: str) -> float:
    if not text:
        return 1.0
    try:
        return min(1.0, max(0.0, float(text)))
    except ValueError:
        return 0.0
