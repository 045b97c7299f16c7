"""Orders that were placed: where they are, and changing them. Nothing here changes one: the card's button does."""

from __future__ import annotations

import re
from collections.abc import Generator

from icommerce_agents.offline import contact, lexicon, slots
from icommerce_agents.offline.asks import Ask
from icommerce_agents.offline.choosing import (
    id_of,
    is_sent,
    line_names,
    line_words,
    lines_of,
    named,
    number_of,
    pick_lines,
    pick_order,
    placed,
    with_lines,
)
from icommerce_agents.offline.dialogue import Call, Json, Result
from icommerce_agents.offline.goals import service
from icommerce_agents.offline.language import plain
from icommerce_agents.offline.references import options_for
from icommerce_agents.offline.scene import Scene
from icommerce_agents.offline.script import Script
from icommerce_agents.offline.tell import anything
from icommerce_agents.offline.tell import orders as tell
from icommerce_agents.offline.tell.phrases import failure, listed, say

_NEEDED = {"line_one": "street and number", "city": "city", "postal_code": "ZIP or postal code"}
_PARTS = ("name", "line_one", "line_two", "city", "state", "postal_code", "country")


def track(ask: Ask, scene: Scene) -> Script:
    if not scene.can("track_order") and not _elsewhere(scene):
        return (yield from service.order_status(ask, scene))
    if contact.email_in(scene.text):
        return (yield from service.order_status(ask, scene))
    order = yield from pick_order(ask, scene, sent=True)
    if isinstance(order, str):
        return order
    result = yield Call("track_order", {"order": number_of(order)})
    if not result.ok and result.code == "not_found" and not lines_of(order):
        return say("order_not_found", scene.seed, number=number_of(order))
    return tell.tracking(result, order, scene)


def _elsewhere(scene: Scene) -> bool:
    """Orders are another agent's: it will know whether it can track."""
    return scene.can("transfer_to_customer_service")


def refund_status(ask: Ask, scene: Scene) -> Script:
    order = yield from pick_order(ask, scene)
    if isinstance(order, str):
        return order
    result = yield Call("get_refunds", {"order": number_of(order)})
    return tell.refunds(result, order, scene)


def cancel_order(ask: Ask, scene: Scene) -> Script:
    """The whole order, or the lines named; what was sent already can only come back."""
    if not scene.can("quote_cancel") and not _elsewhere(scene):
        return (yield from service.order_cancel(ask, scene))
    order = yield from pick_order(ask, scene, sent=False)
    if isinstance(order, str):
        return order
    if scene.can("request_human") and not scene.can("quote_cancel") and not _elsewhere(scene):
        return (yield from service.order_cancel(ask, scene))
    rows: list[Json] | None = None
    if _names_part(ask, order):
        order = yield from with_lines(order, scene)
        if isinstance(order, str):
            return order
        rows = [_units(line, units) for line, units in pick_lines(ask, order)]
        if not rows:
            return say("no_such_line", scene.seed, number=number_of(order), lines=line_names(lines_of(order), "and"))
    arguments = {"order": number_of(order), "reason": _reason(ask), "lines": _part(rows, order)}
    result = yield Call("quote_cancel", {key: value for key, value in arguments.items() if value})
    return tell.quote(result, scene)


def _names_part(ask: Ask, order: Json) -> bool:
    """Whether something of the order is named, or something that is not in it: that is never the whole order."""
    if ask.previous and ask.previous.get("lines"):
        return True
    if pick_lines(ask, order):
        return True
    newest = re.sub(r"(?i)\b[a-z]{2,4}-\d{3,}\b", " ", plain(ask.said[0]))
    return bool(_A_PART.search(newest))


def _units(line: Json, units: int | None) -> Json:
    most = int(line.get("cancelable") or line.get("quantity") or 1)
    return {"line_id": id_of(line, "line_id"), "quantity": min(units or most, most)}


def _part(rows: list[Json] | None, order: Json) -> list[Json] | None:
    """The rows, unless they are the whole order."""
    whole = (
        rows
        and len(rows) == len(lines_of(order))
        and all(
            row["quantity"] == int(line.get("quantity") or 1) for row, line in zip(rows, lines_of(order), strict=True)
        )
    )
    return None if not rows or whole else rows


_REASONS = lexicon.pattern("says_why")
_A_PART = lexicon.pattern("part_of_order")


def _reason(ask: Ask) -> str | None:
    """The shopper's words, where they say why; the tool's own codes are found by the toolbox."""
    return next((plain(text) for text in ask.said if _REASONS.search(plain(text))), None)


def change_address(ask: Ask, scene: Scene) -> Script:
    order = yield from pick_order(ask, scene, sent=False)
    if isinstance(order, str):
        return order
    address = yield from _address(ask, scene)
    if isinstance(address, str):
        return address
    result = yield Call("quote_address_change", {"order": number_of(order)} | address)
    return tell.quote(result, scene)


def _address(ask: Ask, scene: Scene) -> Generator[Call, Result, Json | str]:
    """The address typed, over several messages if need be, or a saved one that is named."""
    typed: Json = {}
    for place, text in enumerate(ask.said):
        typed = _of_address(contact.extract(text, expects_address=place == 0 and bool(ask.question)).fields) | typed
    typed = _of_address(ask.fields) | typed
    if not typed.keys() & _NEEDED.keys():
        saved = yield from saved_address(ask, scene)
        if saved is not None:
            return saved
    lacking = [label for key, label in _NEEDED.items() if not typed.get(key)]
    if lacking or not typed.get("name"):
        known = (scene.orders.get(scene.order) or {}).get("ship_to") or {}
        if not lacking and isinstance(known, dict) and known.get("name"):
            return {"name": known["name"]} | typed
        if not lacking:
            return typed
        return say("new_address", scene.seed, missing=listed(lacking))
    return typed


def _of_address(fields: Json) -> Json:
    return {key: fields[key] for key in _PARTS if fields.get(key)}


def saved_address(ask: Ask, scene: Scene) -> Generator[Call, Result, Json | str | None]:
    """A saved address that the words name (``work``, ``home``, a city); a question where several could be meant."""
    wanted = next((text for text in ask.said if _SAVED.search(plain(text))), None)
    if wanted is None:
        return None
    if scene.addresses is None:
        result = yield Call("list_addresses")
        if not result.ok:
            return None
    rows = scene.addresses or []
    found = placed(ask.said, rows) or [row for row in rows if label_fits(wanted, row)]
    found = found or named(ask.said, rows, anything.row) or rows
    if not found:
        return None
    if len(found) > 1:
        return say("which_saved_address", scene.seed, choices=listed(map(address_name, found[:5]), "or"))
    return found[0]


_SAVED = lexicon.pattern("saved_address")
_ALIKE = {"office": "work", "job": "work", "house": "home", "mom": "mother"}


def label_fits(text: str, row: Json) -> bool:
    """Whether a saved address is called what the words say."""
    label = str(row.get("label") or row.get("name") or row.get("title") or "").lower()
    asked = set(re.findall(r"[a-z]+", plain(text)))
    asked |= {_ALIKE[word] for word in asked if word in _ALIKE} | {k for k, v in _ALIKE.items() if v in asked}
    return any(word in asked for word in re.findall(r"[a-z]+", label) if len(word) > 2)


def address_name(row: Json) -> str:
    label = str(row.get("label") or row.get("name") or "")
    where = listed([str(row[key]) for key in ("line_one", "city") if row.get(key)])
    return f"{label} ({where})" if label and where else label or where or anything.row(row)


def change_payment(ask: Ask, scene: Scene) -> Script:
    order = yield from pick_order(ask, scene)
    if isinstance(order, str):
        return order
    if scene.methods is None:
        result = yield Call("list_payment_methods")
        if not result.ok:
            return failure(result, scene.seed)
    methods = scene.methods or []
    if not methods:
        return say("payment_missing", scene.seed)
    found = placed(ask.said, methods) or named(ask.said, methods, anything.row) or methods
    if len(found) > 1:
        return say(
            "new_payment", scene.seed, choices=listed((row.get("label") or row.get("brand") for row in found), "or")
        )
    result = yield Call("quote_payment_change", {"order": number_of(order), "payment_method_ref": found[0].get("ref")})
    return tell.quote(result, scene)


def change_items(ask: Ask, scene: Scene) -> Script:
    """Before it is sent: another color, size or number. After that it is an exchange."""
    order = yield from pick_order(ask, scene, sent=False)
    if isinstance(order, str):
        return order
    if is_sent(order) and scene.can("quote_return"):
        from icommerce_agents.offline.goals.returns import exchange_item

        return (yield from exchange_item(ask, scene))
    order = yield from with_lines(order, scene)
    if isinstance(order, str):
        return order
    lines = [line for line, _ in pick_lines(ask, order)] or lines_of(order)
    if len(lines) > 1:
        return say("which_lines_swap", scene.seed, choices=line_names(lines))
    variant = yield from other_variant(ask, scene, lines[0], "change_to_what")
    if isinstance(variant, str):
        return variant
    swap = {"line_id": id_of(lines[0], "line_id"), "to_variant_id": variant["id"]}
    wanted = next((n for text in ask.said if (n := slots.quantity(plain(text)))), int(lines[0].get("quantity") or 1))
    result = yield Call("quote_item_change", {"order": number_of(order), "swaps": [swap | {"quantity": wanted}]})
    return tell.quote(result, scene)


def other_variant(ask: Ask, scene: Scene, line: Json, question: str) -> Generator[Call, Result, Json | str]:
    """The variant wanted instead of a line's own, by the options that the words name."""
    product = yield from _product_of(line, scene)
    if isinstance(product, str):
        return product
    wanted: Json = {}
    for text in ask.said:
        wanted = (
            options_for(re.sub(r"\bfrom \w+(?: \w+)? to\b|\binstead of \w+", " to ", plain(text)), product) | wanted
        )
    now = {str(k).lower(): str(v).lower() for k, v in (line.get("options") or {}).items()}
    meant = now | {str(k).lower(): str(v).lower() for k, v in wanted.items()}
    others = [v for v in product.get("variants") or () if v.get("id") != line.get("variant_id")]
    found = [v for v in others if wanted and all(_is_value(v, key, value) for key, value in meant.items())]
    if found:
        return dict(found[0])
    offered = [f"{name}: {', '.join(map(str, values))}" for name, values in (product.get("options") or {}).items()]
    return say(question, scene.seed, choices=f"It comes in {'; '.join(offered)}." if offered else "")


def _is_value(variant: Json, name: str, value: str) -> bool:
    own = {str(k).lower(): str(v).lower() for k, v in (variant.get("options") or {}).items()}
    return name in own and (own[name] == value or value in own[name].split())


def _product_of(line: Json, scene: Scene) -> Generator[Call, Result, Json | str]:
    named_by = str(line.get("product_id") or line.get("variant_id") or "")
    known = scene.products.get(str(line.get("product_id"))) or scene.products.get(scene.product_of(named_by) or "")
    if known and known.get("variants"):
        return known
    if not named_by:
        found = yield Call("search_products", {"query": line_words(line)})
        items = found.value.get("items") or ()
        return dict(items[0]) if found.ok and items else say("nothing_found", scene.seed)
    result = yield Call("get_product", {"product_id": named_by})
    return result.value if result.ok else failure(result, scene.seed)


def reorder(ask: Ask, scene: Scene) -> Script:
    order = yield from pick_order(ask, scene)
    if isinstance(order, str):
        return order
    result = yield Call("reorder", {"order": number_of(order)})
    if not result.ok:
        return failure(result, scene.seed)
    return say("reordered", scene.seed, what=anything.told(result.value))
