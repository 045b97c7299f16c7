"""Work of the shop's staff: stock, orders that do not move, routing, exceptions and jobs."""

from __future__ import annotations

import re
from collections.abc import Generator

from icommerce_agents.offline import contact, lexicon, slots
from icommerce_agents.offline.asks import Ask
from icommerce_agents.offline.dialogue import Call, Json, Result
from icommerce_agents.offline.goals import service
from icommerce_agents.offline.language import plain, words_of
from icommerce_agents.offline.scene import Scene
from icommerce_agents.offline.script import Goal, Script
from icommerce_agents.offline.tell import anything
from icommerce_agents.offline.tell.phrases import failure, say

_SKU = re.compile(r"(?<![\w-])(?=[A-Za-z0-9-]*[A-Za-z])[A-Za-z0-9]{2,}(?:-[A-Za-z0-9]+)+(?![\w-])")
_ORDER = re.compile(r"^[A-Za-z]{2,4}-\d{3,}$")
_JOB = lexicon.pattern("job")
_UNITS = lexicon.pattern("units")
_PLACE = r"((?:the )?[A-Za-z][\w-]*(?: (?!to\b|from\b|and\b|is\b|are\b|please\b|for\b|of\b|by\b|on\b)[\w-]+){0,2})"
_FROM = re.compile(rf"\b(?:from|out of|leaving)\s+{_PLACE}", re.IGNORECASE)
_TO = re.compile(rf"\b(?:over to|into|to)\s+{_PLACE}", re.IGNORECASE)
_AT = re.compile(rf"\b(?:at|in|on the shelf (?:at|in))\s+{_PLACE}", re.IGNORECASE)
_TALK = lexicon.words("stock_words") | lexicon.words("filler")


def _told(result: Result, scene: Scene) -> str:
    if not result.ok:
        return failure(result, scene.seed)
    return anything.told(result.value) or say("nothing_found", scene.seed)


def plainly(ability: str) -> Goal:
    """A report that needs nothing said."""

    def goal(_ask: Ask, scene: Scene) -> Script:
        result = yield Call(ability)
        return _told(result, scene)

    return goal


def stock_by_location(ask: Ask, scene: Scene) -> Script:
    return (yield from service.stock_by_location(ask, scene))


def stock_movements(ask: Ask, scene: Scene) -> Script:
    query = item_of(ask)
    if query is None:
        return say("ops_which_item", scene.seed)
    result = yield Call("stock_movements", {"query": query})
    return _told(result, scene)


def item_of(ask: Ask) -> str | None:
    """The SKU, or the words that could be a title; the newest message first."""
    for text in ask.said:
        if sku := next((s.upper() for s in _SKU.findall(text) if not _ORDER.match(s) and "_" not in s), None):
            return sku
    for text in ask.said:
        if words := _title_words(text):
            return words
    return None


def _title_words(text: str) -> str:
    bare = plain(text)
    for pattern in (_FROM, _TO, _AT):
        bare = pattern.sub(" ", bare)
    return " ".join(word for word in words_of(bare) if word not in _TALK and not word.isdigit())


def of_order(ability: str) -> Goal:
    """Something about one order, by its number."""

    def goal(ask: Ask, scene: Scene) -> Script:
        number = _order_in(ask) or scene.order or None
        if number is None:
            return say("ops_which_order", scene.seed)
        result = yield Call(ability, {"order": number, "reason": _why(ask)})
        return _told(result, scene)

    return goal


def _order_in(ask: Ask) -> str | None:
    found = (slots.order_number(text) or (slots.bare_number(text) if ask.question else None) for text in ask.said)
    return next((number for number in found if number), None)


def _why(ask: Ask) -> str | None:
    found = (re.search(r"(?:,|\bbecause\b|\bsince\b|-)\s*(.{4,120})$", plain(text)) for text in ask.said)
    return next((match.group(1) for match in found if match), None)


def find_order(ask: Ask, scene: Scene) -> Script:
    for text in ask.said:
        query = contact.email_in(text) or slots.order_number(text) or _name_in(text)
        if query:
            result = yield Call("find_order", {"query": query})
            return _told(result, scene)
    return say("ops_which_order", scene.seed)


def _name_in(text: str) -> str | None:
    found = re.search(r"\b(?:of|for|from|by|named?|called)\s+((?:[A-Z][\w'-]+\s?){1,3})", text)
    return found.group(1).strip() if found else None


def job_status(ask: Ask, scene: Scene) -> Script:
    job = _job_in(ask)
    result = yield Call("get_job_status", {"job": job} if job else {})
    return _told(result, scene)


def retry_job(ask: Ask, scene: Scene) -> Script:
    job = _job_in(ask) or _failed_job(scene)
    if job is None:
        return say("ops_which_job", scene.seed)
    result = yield Call("retry_job", {"job": job})
    return _told(result, scene)


def _job_in(ask: Ask) -> str | None:
    """An id, or a name such as ``nightly import``; ``the jobs`` names none."""
    for text in ask.said:
        if found := re.search(r"\bjob_[0-9A-Za-z]+\b", text):
            return found.group()
    for text in ask.said:
        found = _JOB.search(plain(text))
        words = (
            [w for w in words_of(found.group(1)) if w not in _TALK and w not in {"job", "failed", "that", "background"}]
            if found
            else []
        )
        if words:
            return " ".join(words)
    return plain(ask.said[0]) if ask.question == "ops_which_job" else None


def _failed_job(scene: Scene) -> str | None:
    """The one failed job that a result has just shown."""
    from icommerce_agents.offline.choosing import id_of
    from icommerce_agents.offline.shapes import rows

    seen = [
        row
        for result in scene.dialogue.earlier[-3:]
        if result.call.name == "get_job_status"
        for row in rows(result.value)
    ]
    failed = [row for row in seen if str(row.get("status")) in {"failed", "dead", "error"}]
    return id_of(failed[0], "job_id") or str(failed[0].get("name")) if len(failed) == 1 else None


def transfer_stock(ask: Ask, scene: Scene) -> Script:
    """Item, units and both ends; the one that is missing is asked for."""
    sku, units = item_of(ask), _units(ask)
    away = _place(ask, _FROM, "ops_from_where") or _between(ask, 1)
    here = _place(ask, _TO, "ops_to_where") or _between(ask, 2)
    for value, question in (
        (sku, "ops_which_item"),
        (units, "ops_how_many"),
        (away, "ops_from_where"),
        (here, "ops_to_where"),
    ):
        if value is None:
            return say(question, scene.seed)
    arguments = {"sku": sku, "from_location": away, "to_location": here, "quantity": units}
    return (yield from _proposed("propose_transfer", arguments, scene))


def count_stock(ask: Ask, scene: Scene) -> Script:
    sku, units, place = item_of(ask), _units(ask), _place(ask, _AT, "ops_where")
    for value, question in ((sku, "ops_which_item"), (place, "ops_where"), (units, "ops_how_many")):
        if value is None:
            return say(question, scene.seed)
    return (yield from _proposed("propose_count", {"sku": sku, "location": place, "quantity": units}, scene))


def _proposed(ability: str, arguments: Json, scene: Scene) -> Generator[Call, Result, str]:
    result = yield Call(ability, arguments)
    return say("proposed", scene.seed, what=anything.told(result.value)) if result.ok else failure(result, scene.seed)


def _units(ask: Ask) -> int | None:
    for text in ask.said:
        bare = _SKU.sub(" ", plain(text))
        for place in (_FROM, _TO, _AT):
            bare = place.sub(" ", bare) if not re.search(rf"{place.pattern[:14]}\s*\d", bare) else bare
        if found := re.search(r"\bto (\d{1,5})\b(?!\s*-)", bare) or _UNITS.search(bare):
            return int(found.group(1))
    return None


def _place(ask: Ask, pattern: re.Pattern[str], question: str) -> str | None:
    """A location as it was said, without "the" and "warehouse"."""
    if ask.question == question:
        return _bare_place(ask.said[0])
    for text in ask.said:
        named = [found.group(1) for found in pattern.finditer(text) if not _SKU.fullmatch(found.group(1))]
        if places := [place for name in named if (place := _bare_place(name))]:
            return places[-1]
    return None


def _between(ask: Ask, which: int) -> str | None:
    for text in ask.said:
        if found := re.search(rf"\bbetween {_PLACE} and {_PLACE}", text, re.IGNORECASE):
            return _bare_place(found.group(which))
    return None


def _bare_place(name: str) -> str | None:
    bare = re.sub(r"(?i)\b(?:the|our|at|in|from|to|warehouse|location|store(?! \d)|please|it is|it's)\b", " ", name)
    return " ".join(bare.strip(" .!?,").split()) or None
