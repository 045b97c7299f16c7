"""Work of the shop's staff: stock, orders that do not move, routing, exceptions and jobs."""

from __future__ import annotations

import re
from collections.abc import Generator

from icommerce_agents.offline import lexicon, shapes, slots
from icommerce_agents.offline.asks import Ask
from icommerce_agents.offline.dialogue import Call, Json, Result
from icommerce_agents.offline.goals import service
from icommerce_agents.offline.language import as_typed, plain, words_of
from icommerce_agents.offline.scene import Scene
from icommerce_agents.offline.script import Goal, Script
from icommerce_agents.offline.tell import anything
from icommerce_agents.offline.tell.phrases import failure, joined, say

_SKU = re.compile(r"(?<![\w-])(?=[A-Za-z0-9-]*[A-Za-z])[A-Za-z0-9]{2,}(?:-[A-Za-z0-9]+)+(?![\w-])")
_ORDER = re.compile(r"^[A-Za-z]{2,4}-\d{3,}$")
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
    result = yield Call("stock_movements", {"sku": query})
    return _told(result, scene)


def item_of(ask: Ask) -> str | None:
    """The SKU, or the words that could be a title; the newest message first."""
    for text in ask.said:
        if sku := next((str(s) for s in _SKU.findall(text) if not _ORDER.match(s) and "_" not in s), None):
            return sku.upper() if sku.islower() else sku
    for text in ask.said:
        if words := _title_words(text, moved=ask.intent == "transfer_stock"):
            return as_typed(words, text)
    return None


def _title_words(text: str, *, moved: bool) -> str:
    bare = plain(text)
    for pattern in (_FROM, _TO, _AT) if moved else (_AT,):
        bare = pattern.sub(" ", bare)
    return " ".join(word for word in words_of(bare) if word not in _TALK and not word.isdigit())


def of_order(ability: str) -> Goal:
    """Something about one order, by its number."""

    def goal(ask: Ask, scene: Scene) -> Script:
        number = _order_in(ask) or scene.order or None
        if number is None:
            return say("ops_which_order", scene.seed)
        result = yield Call(ability, {"order": number})
        return _told(result, scene)

    return goal


def _order_in(ask: Ask) -> str | None:
    found = (slots.order_number(text) or (slots.bare_number(text) if ask.question else None) for text in ask.said)
    return next((number for number in found if number), None)


def find_order(ask: Ask, scene: Scene) -> Script:
    number = _order_in(ask)
    if number is None:
        return say("ops_which_order", scene.seed)
    result = yield Call("find_order", {"order": number})
    return _told(result, scene)


def cannot_hold(_ask: Ask, scene: Scene) -> Script:
    """No tool puts an order on hold: say so instead of doing something near it."""
    yield from ()
    return say("not_offline", scene.seed, what="no tool here puts an order on hold")


def retry_job(ask: Ask, scene: Scene) -> Script:
    """What was given up of one platform is sent again; nothing else can be run again from here."""
    platform = next((found.group() for text in ask.said if (found := _PLATFORM.search(text))), None)
    if platform is None:
        work = yield Call("background_work")
        if not work.ok:
            return failure(work, scene.seed)
        seen = list(dict.fromkeys(_PLATFORM.findall(str(work.value))))
        if len(seen) != 1:
            told = anything.told(work.value) or say("nothing_found", scene.seed)
            return joined(
                told,
                say(
                    "not_offline",
                    scene.seed,
                    what="only one platform's webhooks can be sent again from here, and I need its id",
                ),
            )
        platform = seen[0]
    result = yield Call("resend_webhooks", {"platform_id": platform})
    return _proposal(result, scene)


_PLATFORM = re.compile(r"\bagp_[0-9A-Za-z]+")


def transfer_stock(ask: Ask, scene: Scene) -> Script:
    """Item, units and both ends; the one that is missing is asked for."""
    sku, units = item_of(ask), units_of(ask)
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
    arguments = {"source": away, "destination": here, "lines": [{"sku": sku, "quantity": units}]}
    return (yield from proposed("propose_transfer", arguments, scene))


def count_stock(ask: Ask, scene: Scene) -> Script:
    """Units that were counted are a correction against what the stock says; without any, somebody is asked to count."""
    sku, units, place = item_of(ask), units_of(ask), _place(ask, _AT, "ops_where")
    for value, question in ((sku, "ops_which_item"), (place, "ops_where")):
        if value is None:
            return say(question, scene.seed)
    if units is None or not scene.can("propose_stock_correction"):
        return (yield from proposed("propose_count", {"location": place, "skus": [sku]}, scene))
    stock = yield Call("stock_by_location", {"query": sku})
    if not stock.ok:
        return failure(stock, scene.seed)
    known = _on_hand(stock.value, str(sku), str(place))
    if known is None:
        return say("stock_none", scene.seed, query=f"{sku} at {place}")
    if known == units:
        return say("count_agrees", scene.seed, sku=sku, place=place, units=units)
    arguments = {
        "sku": sku,
        "location": place,
        "delta": units - known,
        "reason": f"Counted {units}, stock said {known}.",
    }
    return (yield from proposed("propose_stock_correction", arguments, scene))


def _on_hand(stock: Json, sku: str, place: str) -> int | None:
    """Units of the item at the place, as the result has them."""
    for item in shapes.rows(stock, "items"):
        for where in item.get("locations") or ():
            named = {str(where.get(key) or "").lower() for key in ("code", "name")}
            if str(item.get("sku")).upper() == sku.upper() and place.lower() in named:
                return int(where.get("on_hand") or 0)
    return None


def proposed(ability: str, arguments: Json, scene: Scene) -> Generator[Call, Result, str]:
    result = yield Call(ability, arguments)
    return _proposal(result, scene)


def _proposal(result: Result, scene: Scene) -> str:
    return say("proposed", scene.seed, what=anything.told(result.value)) if result.ok else failure(result, scene.seed)


def units_of(ask: Ask) -> int | None:
    for text in ask.said:
        bare = _SKU.sub(" ", plain(text))
        for place in (_FROM, _TO, _AT):
            bare = place.sub(" ", bare)
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
            return _as_typed(places[-1], ask.text)
    return None


def _as_typed(words: str, text: str) -> str:
    """Codes are written as they were typed, not as plain words."""
    found = re.search(re.escape(words), text, re.IGNORECASE)
    return found.group() if found else words


def _between(ask: Ask, which: int) -> str | None:
    for text in ask.said:
        if found := re.search(rf"\bbetween {_PLACE} and {_PLACE}", text, re.IGNORECASE):
            return _bare_place(found.group(which))
    return None


def _bare_place(name: str) -> str | None:
    bare = re.sub(r"(?i)\b(?:the|our|at|in|from|to|warehouse|location|store(?! \d)|please|it is|it's)\b", " ", name)
    return " ".join(bare.strip(" .!?,").split()) or None
