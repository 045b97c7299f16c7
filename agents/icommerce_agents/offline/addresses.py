"""Postal addresses out of a sentence: American by usaddress, Canadian, British and others by their postal code."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cache

import usaddress

from icommerce_agents.offline import lexicon

_ZIP = re.compile(r"\b(\d{5}(?:-\d{4})?)\b")
_CANADA = re.compile(r"\b([ABCEGHJ-NPRSTVXY]\d[A-Z])[ -]?(\d[A-Z]\d)\b", re.IGNORECASE)
_BRITAIN = re.compile(r"\b([A-Z]{1,2}\d[A-Z\d]?)\s?(\d[ABD-HJLNP-UW-Z]{2})\b", re.IGNORECASE)
_PO_BOX = re.compile(r"\bP\.?\s?O\.?\s?Box\s+\d+", re.IGNORECASE)
_UNIT = re.compile(
    r"(?:^|[,\s])((?:apt|apartment|suite|ste|unit|flat|floor|fl|room|rm|building|bldg)\.?\s*#?\s*[\w-]+|#\s?\w+)(?=$|[,\s.])",
    re.IGNORECASE,
)
_CUES = re.compile(
    r"\b(?:in|at|to|my|the|is|on|for|address|addr|please|ship|send|deliver|delivery|shipping|zip(?: code)?|postal code|city|state)\b[\s:]*",
    re.IGNORECASE,
)
_NUMBERED = r"\d{1,6}[A-Za-z]?(?:-\d+)?"


@dataclass(frozen=True, slots=True)
class Address:
    line_one: str = ""
    line_two: str = ""
    city: str = ""
    state: str = ""
    postal_code: str = ""
    country: str = ""
    start: int = 0
    """Where it begins and ends in the text it was found in."""
    end: int = 0


def find(text: str) -> Address | None:
    """The address in ``text``, however much of one there is; ``None`` when nothing looks like one."""
    postal = _postal(text)
    start = _street_start(text)
    place = _place(text) if start is None else None
    if start is None and postal is None and place is None:
        return None
    begin = start if start is not None else _place_start(text, postal, place)
    end = _end(text, begin, postal, place)
    span = text[begin:end].strip(" ,.;")
    foreign = postal is not None and postal[1] != "US"
    country = _country(span) or (postal[1] if postal else "")
    parsed = _by_parts(span, postal, country) if foreign or country not in {"", "US"} else _american(span)
    return None if parsed is None else replace(parsed, start=begin, end=end)


def _postal(text: str) -> tuple[str, str, int, int] | None:
    """Postal code, its country, and where it stands."""
    for pattern, country in ((_CANADA, "CA"), (_BRITAIN, "GB")):
        if found := pattern.search(text):
            return f"{found[1]} {found[2]}".upper(), country, found.start(), found.end()
    zips = [found for found in _ZIP.finditer(text) if not _starts_street(text[found.start() :])]
    if not zips or re.search(r"(?:order|#|code)\s*#?$", text[: zips[-1].start()].rstrip(), re.IGNORECASE):
        return None
    country = _country(text[zips[-1].start() :]) or _country(text) or "US"
    return zips[-1][1], country, zips[-1].start(), zips[-1].end()


@cache
def _street_pattern() -> re.Pattern[str]:
    words = "|".join(sorted(lexicon.street_words(), key=len, reverse=True))
    return re.compile(rf"{_NUMBERED}\s+(?:[A-Za-z0-9.'’-]+\s+){{0,4}}?(?:{words})\b\.?", re.IGNORECASE)


def _starts_street(text: str) -> bool:
    return _street_pattern().match(text) is not None


def _street_start(text: str) -> int | None:
    starts = [found.start() for pattern in (_street_pattern(), _PO_BOX) if (found := pattern.search(text))]
    generic = re.search(rf"(?:^|[\s,:])({_NUMBERED}\s+[A-Z][\w.'’-]+(?:\s+[\w'’-]+){{0,3}}\s*,)", text)
    european = re.search(
        r"(?:^|[,:]\s*|\bat\s+|\bto\s+)([A-Z][\w'’-]*(?:straße|strasse|str\.|weg|platz|gasse|laan|straat|gatan)\s+\d+\w?)",
        text,
    )
    starts += [found.start(1) for found in (generic, european) if found and _postal(text)]
    if not starts:
        return None
    start = min(starts)
    unit = re.search(r"((?:flat|apt|apartment|unit|suite)\s*#?\w+\s*,?\s*)$", text[:start], re.IGNORECASE)
    return unit.start(1) if unit else start


@cache
def _state_names() -> str:
    names = [*lexicon.places("us_states"), *lexicon.places("canada")]
    return "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))


def _place(text: str) -> re.Match[str] | None:
    """``Denver, Colorado`` or ``Denver, CO`` without a street."""
    codes = "|".join({*lexicon.places("us_states").values(), *lexicon.places("canada").values()})
    return re.search(rf"\b([A-Z][\w.'’-]+(?:\s[A-Z][\w.'’-]+){{0,2}}),\s*((?i:{_state_names()})|{codes})\b", text)


def _place_start(text: str, postal: tuple[str, str, int, int] | None, place: re.Match[str] | None) -> int:
    if place is not None:
        return place.start()
    assert postal is not None
    before = re.search(
        rf"((?:[A-Z][\w.'’-]+\s*){{1,3}},?\s*(?:(?i:{_state_names()})|[A-Z]{{2}})?\s*,?\s*)$", text[: postal[2]]
    )
    return before.start(1) if before else postal[2]


def _end(text: str, begin: int, postal: tuple[str, str, int, int] | None, place: re.Match[str] | None) -> int:
    if postal is not None and postal[3] > begin:
        return postal[3] + _trailing_country(text[postal[3] :])
    if place is not None:
        return place.end()
    state = list(re.finditer(rf",?\s*\b((?i:{_state_names()})|[A-Z]{{2}})\b", text[begin:]))
    stop = re.search(
        r"[;\n?!]|\.\s+[A-Z]|\.$|\s(?:and|but|then|also|with|via|by)\s|,\s*(?:please|express|expedited|standard|my|and|by)\b",
        text[begin:],
    )
    limit = begin + stop.start() if stop else len(text)
    ends = [begin + found.end() for found in state if begin + found.end() <= limit]
    return ends[-1] if ends and ends[-1] > begin + 10 else limit


@cache
def _country_pattern() -> re.Pattern[str]:
    names = "|".join(re.escape(name) for name in sorted(lexicon.places("countries"), key=len, reverse=True))
    return re.compile(rf"^[\s,.]*\b({names})(?![\w])", re.IGNORECASE)


def _trailing_country(text: str) -> int:
    found = _country_pattern().match(text)
    city = re.match(r"\s+[A-ZÄÖÜ][\w-]+(?:\s[A-ZÄÖÜ][\w-]+)?", text)  # "10115 Berlin, Germany"
    if found is None and city and (after := _country_pattern().match(text[city.end() :])):
        return city.end() + after.end()
    return found.end() if found else 0


def _country(span: str) -> str:
    for part in reversed(re.split(r",|\s(?=\S+$)", span)):
        code = lexicon.places("countries").get(part.strip(" .").lower())
        if code:
            return code
    tail = re.search(r"([A-Za-z]+ [A-Za-z]+)$", span.strip(" ."))
    return lexicon.places("countries").get(tail.group(1).lower(), "") if tail else ""


def state_code(name: str) -> str:
    """``Colorado`` → ``CO``; an unknown name stays as it is."""
    key = name.strip(" .,").lower()
    for known in ("us_states", "canada"):
        if code := lexicon.places(known).get(key):
            return code
    return name.strip(" .,").upper() if len(key) == 2 else name.strip(" .,")


_ONE = frozenset(
    {
        "AddressNumber",
        "AddressNumberPrefix",
        "AddressNumberSuffix",
        "StreetNamePreDirectional",
        "StreetNamePreModifier",
        "StreetNamePreType",
        "StreetName",
        "StreetNamePostType",
        "StreetNamePostDirectional",
        "StreetNamePostModifier",
        "USPSBoxType",
        "USPSBoxID",
        "USPSBoxGroupType",
        "USPSBoxGroupID",
    }
)
_TWO = frozenset({"OccupancyType", "OccupancyIdentifier", "SubaddressType", "SubaddressIdentifier", "BuildingName"})


def _american(span: str) -> Address | None:
    """An American address, whole or in part."""
    span = _CUES.sub("", span) if not re.match(r"\d", span) else span
    span = _spell_states(span)
    groups: dict[str, list[str]] = {"one": [], "two": [], "PlaceName": [], "StateName": [], "ZipCode": []}
    for token, label in usaddress.parse(span):
        group = "one" if label in _ONE else "two" if label in _TWO else label
        if group in groups:
            groups[group].append(token.strip(" ,.") if group != "one" else token.strip(" ,"))
    joined = {name: " ".join(tokens) for name, tokens in groups.items()}
    country = "US" if joined["ZipCode"] or joined["StateName"] else ""
    state = state_code(joined["StateName"]) if joined["StateName"] else ""
    if state in lexicon.places("canada").values():
        country = "CA"
    found = Address(joined["one"], joined["two"], joined["PlaceName"], state, joined["ZipCode"], country)
    return found if any((found.line_one, found.city, found.postal_code, found.state)) else None


def _spell_states(span: str) -> str:
    """State names in an address become codes, where they stand at its end (usaddress splits long names badly)."""
    found = re.search(
        rf"(?<=[\s,])({_state_names()})(?=[\s,.]*(?:\d{{5}}(?:-\d{{4}})?)?[\s,.]*(?:usa?|united states)?[\s.]*$)",
        span,
        re.IGNORECASE,
    )
    return span if found is None else span[: found.start()] + state_code(found.group(1)) + span[found.end() :]


def _by_parts(span: str, postal: tuple[str, str, int, int] | None, country: str) -> Address | None:
    """Street, city, region and postal code between commas, for the rest of the world."""
    code = postal[0] if postal else ""
    pattern = r"\s?".join(re.escape(piece) for piece in code.split()) if code else r"(?!)"
    parts = [re.sub(pattern, "", part, flags=re.IGNORECASE).strip(" .") for part in span.split(",")]
    parts = [part for part in parts if part and lexicon.places("countries").get(part.lower()) is None]
    parts = [_without_country(part) for part in parts]
    unit = next((part for part in parts if _UNIT.fullmatch(part)), "")
    rest = [part for part in parts if part != unit]
    if not rest:
        return Address(postal_code=code, country=country) if code else None
    state = state_code(rest[-1]) if len(rest) > 1 and _is_region(rest[-1]) else ""
    places = rest[1:-1] if state else rest[1:]
    city, state = _split_region(places[-1], state) if places else ("", state)
    one, two = _split_unit(rest[0])
    return Address(one, unit or two, city, state, code, country)


def _is_region(part: str) -> bool:
    return part.upper() in lexicon.places("canada").values() or part.lower() in lexicon.places("canada")


def _split_region(place: str, state: str) -> tuple[str, str]:
    """``Ottawa ON`` → city and province."""
    words = place.rsplit(" ", 1)
    if not state and len(words) == 2 and _is_region(words[1]):
        return words[0], state_code(words[1])
    return place, state


def _split_unit(line: str) -> tuple[str, str]:
    found = _UNIT.search(line)
    if found is None or found.start() == 0:
        return line, ""
    return line[: found.start()].strip(" ,"), found.group(1)


def _without_country(part: str) -> str:
    words = part.rsplit(" ", 1)
    return (
        words[0]
        if len(words) == 2 and lexicon.places("countries").get(words[1].lower()) and len(words[1]) > 2
        else part
    )
