"""Sending things back: what can come back, returns and exchanges, and what became of them."""

from __future__ import annotations

import re
from collections.abc import Generator

from icommerce_agents.offline import slots
from icommerce_agents.offline.asks import Ask
from icommerce_agents.offline.choosing import id_of, line_names, lines_of, number_of, pick_lines, pick_order, placed
from icommerce_agents.offline.dialogue import Call, Json, Result
from icommerce_agents.offline.goals import service
from icommerce_agents.offline.goals.orders import other_variant
from icommerce_agents.offline.language import plain
from icommerce_agents.offline.scene import Scene
from icommerce_agents.offline.script import Script, nearest
from icommerce_agents.offline.semantics import likeness
from icommerce_agents.offline.shapes import coded
from icommerce_agents.offline.tell import anything
from icommerce_agents.offline.tell import orders as tell
from icommerce_agents.offline.tell.phrases import failure, listed, say

_RETURN = re.compile(r"\b(?:return|exchange) (?:number |no\.? ?|is |#|: ?)*[a-z]{2,4}-\d{3,}", re.IGNORECASE)
_SAID = 0.42
"""Likeness from which a reason of the shop's list was said."""


def return_item(ask: Ask, scene: Scene) -> Script:
    if not scene.can("quote_return") and not scene.can("transfer_to_customer_service"):
        return (yield from service.return_item(ask, scene))
    return (yield from _back(ask, scene, exchange=False))


def exchange_item(ask: Ask, scene: Scene) -> Script:
    if not scene.can("quote_return") and not scene.can("transfer_to_customer_service"):
        return (yield from service.return_item(ask, scene))
    return (yield from _back(ask, scene, exchange=True))


def _back(ask: Ask, scene: Scene, *, exchange: bool) -> Script:  # noqa: PLR0911 (one way out per question)
    order = yield from pick_order(ask, scene, sent=True)
    if isinstance(order, str):
        return order
    terms = yield from _terms(order, scene)
    if isinstance(terms, str):
        return terms
    lines = [line for line in lines_of(terms) if int(line.get("units") or line.get("quantity") or 0)]
    if not lines or terms.get("possible") is False:
        return say("nothing_returnable", scene.seed, number=number_of(order), message=terms.get("message") or "")
    chosen = pick_lines(ask, {"lines": lines}) or ([(lines[0], None)] if len(lines) == 1 else [])
    if not chosen:
        return say("which_lines", scene.seed, choices=line_names(lines))
    reason = _reason(ask, terms, exchange=exchange)
    if reason is None:
        return say("why_return", scene.seed, reasons=listed(_texts(terms)[:4], "or"))
    rows = []
    for line, units in chosen:
        row: Json = {"line_id": id_of(line, "line_id"), "quantity": units or 1, "reason": reason}
        if exchange:
            variant = yield from other_variant(ask, scene, line, "exchange_to_what")
            if isinstance(variant, str):
                return variant
            row["exchange_variant_id"] = variant["id"]
        rows.append(row)
    result = yield Call("quote_return", {"order": number_of(order), "lines": rows})
    return tell.quote(result, scene)


def _terms(order: Json, scene: Scene) -> Generator[Call, Result, Json | str]:
    """What of the order can come back, from the conversation or by asking."""
    known = scene.returnable.get(number_of(order))
    if known is not None:
        return known
    result = yield Call("get_return_options", {"order": number_of(order)})
    return result.value if result.ok else failure(result, scene.seed)


def _texts(terms: Json) -> list[str]:
    return [text.lower() for _, text in coded(terms.get("reasons"))]


def _codes(terms: Json) -> list[str]:
    return [code for code, _ in coded(terms.get("reasons"))]


def _reason(ask: Ask, terms: Json, *, exchange: bool) -> str | None:
    """The shop's code for what the shopper said; an answer to our question always is one."""
    codes, texts = _codes(terms), _texts(terms)
    if not codes:
        return plain(ask.said[0])
    if ask.question == "why_return":
        return nearest(plain(ask.said[0]), codes, texts)
    said = [part for text in ask.said for part in _parts(plain(text))]
    near = likeness(said, [f"{text}" for text in texts])
    place = int(near.max(axis=0).argmax())
    if near.max() >= _SAID:
        return codes[place]
    fits = [code for code in codes if "fit" in code or "size" in code]
    return fits[0] if exchange and fits else None


def _parts(text: str) -> list[str]:
    """The whole and its clauses: a reason is often only one of them."""
    parts = [
        part.strip() for part in re.split(r",|\bbecause\b|\bsince\b|\bbut\b|\band\b|\. ", text) if len(part.split()) > 1
    ]
    return list(dict.fromkeys([text, *parts]))


def return_options(ask: Ask, scene: Scene) -> Script:
    order = yield from pick_order(ask, scene, sent=True)
    if isinstance(order, str):
        return order
    result = yield Call("get_return_options", {"order": number_of(order)})
    return anything.told(result.value) if result.ok else failure(result, scene.seed)


def return_status(ask: Ask, scene: Scene) -> Script:
    """One return by its number, or all of them."""
    known = {str(row.get("number")) for row in scene.returns or ()}
    number = next((told for text in ask.said if (told := slots.order_number(text))), None)
    if number and (number in known or (number not in scene.orders and _RETURN.search(plain(ask.said[0])))):
        found = yield Call("get_return", {"number": number})
        return anything.told(found.value) if found.ok else failure(found, scene.seed)
    result = yield Call("list_returns")
    return tell.listing(result, scene, "returns", "returns_none")


def return_sent(ask: Ask, scene: Scene) -> Script:
    row = yield from _pick_return(ask, scene)
    if isinstance(row, str):
        return row
    result = yield Call("mark_return_sent", {"return_id": id_of(row, "return_id")})
    return tell.done(result, scene, "return_noted")


def return_cancel(ask: Ask, scene: Scene) -> Script:
    row = yield from _pick_return(ask, scene)
    if isinstance(row, str):
        return row
    result = yield Call("quote_return_cancel", {"return_id": id_of(row, "return_id")})
    return tell.quote(result, scene)


_OVER = frozenset({"closed", "declined", "canceled", "expired"})


def _pick_return(ask: Ask, scene: Scene) -> Generator[Call, Result, Json | str]:
    """The open return that is meant."""
    from icommerce_agents.offline.choosing import named

    if scene.returns is None:
        result = yield Call("list_returns")
        if not result.ok:
            return failure(result, scene.seed)
    rows = [row for row in scene.returns or () if row.get("status") not in _OVER]
    if not rows:
        return say("returns_none", scene.seed)
    found = placed(ask.said, rows) or named(ask.said, rows, anything.row) or rows
    if len(found) > 1:
        names = [f"{row.get('number')} ({listed(line.get('title') for line in lines_of(row))})" for row in found[:5]]
        return say("which_return", scene.seed, choices=listed(names, "or"))
    return found[0]
