"""Postal addresses out of a sentence: American by usaddress, Canadian, British and others by their postal code."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import usaddress

from icommerce_agents.offline import lexicon

_ZIP = re.compile(r"\b(\d{5}(?:-\d{4})?)\b")
_CANADA = lexicon.pattern("canada_code", re.IGNORECASE)
_BRITAIN = lexicon.pattern("britain_code", re.IGNORECASE)
_PO_BOX = re.compile(r"\bP\.?\s?O\.?\s?Box\s+\d+", re.IGNORECASE)
_UNIT = lexicon.pattern("unit", re.IGNORECASE)
_CUES = lexicon.pattern("address_cues", re.IGNORECASE)
_STREET = lexicon.pattern("street", re.IGNORECASE)


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


def _starts_street(text: str) -> bool:
    return _STREET.match(text) is not None


def _street_start(text: str) -> int | None:
    starts = [found.start() for pattern in (_STREET, _PO_BOX) if (found := pattern.search(text))]
    loose = [lexicon.pattern(name).search(text) for name in ("street_any", "street_european")]
    starts += [found.start(1) for found in loose if found and _postal(text)]
    if not starts:
        return None
    start = min(starts)
    unit = lexicon.pattern("unit_before", re.IGNORECASE).search(text[:start])
    return unit.start(1) if unit else start


def _place(text: str) -> re.Match[str] | None:
    """``Denver, Colorado`` or ``Denver, CO`` without a street."""
    return lexicon.pattern("place").search(text)


def _place_start(text: str, postal: tuple[str, str, int, int] | None, place: re.Match[str] | None) -> int:
    if place is not None:
        return place.start()
    assert postal is not None
    before = lexicon.pattern("place_before").search(text[: postal[2]])
    return before.start(1) if before else postal[2]


def _end(text: str, begin: int, postal: tuple[str, str, int, int] | None, place: re.Match[str] | None) -> int:
    if postal is not None and postal[3] > begin:
        return postal[3] + _trailing_country(text[postal[3] :])
    if place is not None:
        return place.end()
    state = list(lexicon.pattern("state_last").finditer(text[begin:]))
    stop = lexicon.pattern("address_stop").search(text[begin:])
    limit = begin + stop.start() if stop else len(text)
    ends = [begin + found.end() for found in state if begin + found.end() <= limit]
    return ends[-1] if ends and ends[-1] > begin + 10 else limit


def _trailing_country(text: str) -> int:
    found = lexicon.pattern("country_first", re.IGNORECASE).match(text)
    city = re.match(r"\s+[A-ZÄÖÜ][\w-]+(?:\s[A-ZÄÖÜ][\w-]+)?", text)  # "10115 Berlin, Germany"
    if found is None and city and (after := lexicon.pattern("country_first", re.IGNORECASE).match(text[city.end() :])):
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


_ONE = ("AddressNumber", "StreetName", "USPSBox")
_TWO = ("Occupancy", "Subaddress", "BuildingName")


def _american(span: str) -> Address | None:
    """An American address, whole or in part."""
    span = _CUES.sub("", span) if not re.match(r"\d", span) else span
    span = _spell_states(span)
    groups: dict[str, list[str]] = {"one": [], "two": [], "PlaceName": [], "StateName": [], "ZipCode": []}
    for token, label in usaddress.parse(span):
        group = "one" if label.startswith(_ONE) else "two" if label.startswith(_TWO) else label
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
    found = lexicon.pattern("state_spelled", re.IGNORECASE).search(span)
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
