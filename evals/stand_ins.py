"""People in a conversation that leaves its shop: what is personal becomes a stand-in, the same everywhere."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from engine.conversations.masking import mask_cards

STAND_INS: Final[Mapping[str, str]] = {
    "name": "Pat Person",
    "line_one": "1 Main St",
    "line_two": "Unit 1",
    "city": "Portland",
    "postal_code": "97204",
    "phone": "+1 503 555 0100",
    "phone_number": "+1 503 555 0100",
    "email": "someone@example.com",
    "tracking_number": "TRACKING",
}
_ALIASES: Final[Mapping[str, str]] = {
    "full_name": "name",
    "first_name": "name",
    "last_name": "name",
    "recipient": "name",
    "street": "line_one",
    "line1": "line_one",
    "line2": "line_two",
    "zip": "postal_code",
}
_OF_PEOPLE: Final = frozenset({"email", "line_one", "postal_code", "phone", "phone_number"})
"""Where one of these stands, a ``name`` beside it is a person's."""
_EMAIL: Final = re.compile(r"[\w.+%-]+@[\w-]+(?:\.[\w-]+)+")
_PHONE: Final = re.compile(r"(?<![\w-])\+?(?:\(\d{2,4}\)|\d)[\d ().-]{6,16}\d(?![\w-])")
_STREET: Final = re.compile(
    r"\b\d{1,6} (?:[NSEW]\.? )?(?:[A-Za-z][\w'.-]* ){1,4}"
    r"(?:street|st|avenue|ave|road|rd|lane|ln|drive|dr|boulevard|blvd|court|ct|way|place|pl|square|terrace)\b\.?",
    re.IGNORECASE,
)
_INTRODUCED: Final = re.compile(
    r"\b(?i:my name is|name's|i am|i'm|this is|name:|(?:ship|send|deliver)(?: it| them)? to|gift for)"
    r"\s+([A-Z][\w'-]+(?:\s+[A-Z][\w'-]+){0,2})"
)
"""How people say who they, or others, are."""
_LEAST_DIGITS: Final = 9


class Mask:
    """Replaces what is known to be personal, and what looks like it."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}

    def know(self, field: str, value: Any) -> None:
        """``value`` is somebody's ``field``; a part of a name, too."""
        field = _ALIASES.get(field, field)
        if not isinstance(value, str) or field not in STAND_INS or len(value.strip()) < 2:
            return
        self._known[value.strip().casefold()] = STAND_INS[field]
        if field == "name":
            for place, part in enumerate(value.split()):
                if len(part) > 2:
                    self._known.setdefault(part.casefold(), "Person" if place else "Pat")

    def call(self, value: str | None, stand_in: str) -> None:
        """``value`` is called this from now on."""
        if value:
            self._known[value.casefold()] = stand_in

    def learn(self, value: Any) -> None:
        """Everything personal in a tool's arguments or results, or a row as a dict."""
        if isinstance(value, dict):
            fields = {_ALIASES.get(key, key) for key in value}
            for key, one in value.items():
                if _ALIASES.get(key, key) != "name" or fields & _OF_PEOPLE or key in _ALIASES:
                    self.know(key, one)
                self.learn(one)
        elif isinstance(value, list):
            for one in value:
                self.learn(one)

    def hear(self, message: str) -> None:
        """Names in a shopper's own words."""
        for name in _INTRODUCED.findall(message):
            self.know("name", name)

    def text(self, text: str) -> str:
        text = mask_cards(text)
        for said in sorted(self._known, key=len, reverse=True):
            stand_in = self._known[said]
            text = re.sub(rf"(?<!\w){re.escape(said)}(?!\w)", stand_in, text, flags=re.IGNORECASE)
        text = _EMAIL.sub(STAND_INS["email"], text)
        text = _STREET.sub(lambda _: STAND_INS["line_one"], text)
        return _PHONE.sub(_phone, text)

    def value(self, value: Any) -> Any:
        """The same of every text in it; a state goes with its city."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            masked = {key: self.value(one) for key, one in value.items()}
            return masked | ({"state": "OR"} if {"state", "city"} <= value.keys() else {})
        return [self.value(one) for one in value] if isinstance(value, list) else value


def _phone(found: re.Match[str]) -> str:
    digits = sum(character.isdigit() for character in found.group())
    return STAND_INS["phone"] if digits >= _LEAST_DIGITS else found.group()
