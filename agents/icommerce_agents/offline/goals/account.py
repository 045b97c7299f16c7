"""The shopper's own: signing in, saved addresses, credit, complaints; and what the shop offers around a product."""

from __future__ import annotations

import re
from collections.abc import Generator

from icommerce_agents.offline import contact, lexicon, shapes
from icommerce_agents.offline.asks import Ask
from icommerce_agents.offline.choosing import id_of, named, number_of, order_words, telling, title_of
from icommerce_agents.offline.dialogue import Call, Json, Result
from icommerce_agents.offline.goals import service
from icommerce_agents.offline.goals.orders import address_name, saved_address
from icommerce_agents.offline.goals.shopping import choices
from icommerce_agents.offline.language import plain, words_of
from icommerce_agents.offline.references import products_meant
from icommerce_agents.offline.scene import Scene
from icommerce_agents.offline.script import Script
from icommerce_agents.offline.slots import order_number
from icommerce_agents.offline.tell import anything
from icommerce_agents.offline.tell import orders as tell
from icommerce_agents.offline.tell.phrases import failure, joined, listed, say

_POSTAL = lexicon.pattern("postal", re.IGNORECASE)
_HANDED = frozenset({"human", "lawyer", "person", "manager"})


def sign_in(ask: Ask, scene: Scene) -> Script:
    if any(value.lower().startswith("yes") for value in scene.dialogue.briefing.get("signed_in", ())):
        return say("already_signed_in", scene.seed)
    email = ask.fields.get("email") or next((found for text in ask.said if (found := contact.email_in(text))), None)
    if email is None:
        return say("sign_in_email", scene.seed)
    result = yield Call("send_sign_in_code", {"email": email})
    return say("code_sent", scene.seed) if result.ok else failure(result, scene.seed)


def complaint(ask: Ask, scene: Scene) -> Script:
    """Passed on in the shopper's words; where no tool takes complaints, a person does."""
    if not scene.can("complain") and scene.can("request_human"):
        return (yield from service.complaint(ask, scene))
    if len(telling(ask.said[0])) < 1 and not ask.turns[1:] and len(words_of(ask.plain)) < 7:
        return say("complaint_what", scene.seed)
    order = _order_of(ask, scene)
    words = " / ".join(text.strip() for text in reversed(ask.said))[:600]
    result = yield Call("complain", {"text": words} | ({"order": order} if order else {}))
    if not result.ok:
        return failure(result, scene.seed)
    reference = result.value.get("reference") or result.value.get("number")
    return say("complained", scene.seed, reference=f"; your reference is {reference}" if reference else "")


def _order_of(ask: Ask, scene: Scene) -> str | None:
    number = next((found for text in ask.said if (found := order_number(text))), None)
    orders = named(ask.said, list(scene.orders.values()), order_words)
    return number or (number_of(orders[0]) if len(orders) == 1 else scene.order or None)


def saved_addresses(_ask: Ask, scene: Scene) -> Script:
    result = yield Call("list_addresses")
    if not result.ok:
        return failure(result, scene.seed)
    rows = scene.addresses or []
    return (
        "\n".join([say("addresses", scene.seed), *(f"- {address_name(row)}" for row in rows)])
        if rows
        else say("addresses_none", scene.seed)
    )


def use_address(ask: Ask, scene: Scene) -> Script:
    """One of the saved addresses for the purchase in progress."""
    row = yield from _known_address(ask, scene)
    if isinstance(row, str):
        return row
    reference = str(row.get("address_ref") or row.get("ref") or id_of(row))
    result = yield Call("use_address", {"address_ref": reference})
    if not result.ok:
        return failure(result, scene.seed)
    scene.settle = True
    return say("noted", scene.seed, what=f", {address_name(row)} it is")


def _known_address(ask: Ask, scene: Scene) -> Generator[Call, Result, Json | str]:
    row = yield from saved_address(ask, scene)
    if row is None and scene.addresses is None:
        result = yield Call("list_addresses")
        if not result.ok:
            return failure(result, scene.seed)
    rows = scene.addresses or []
    if row is None and len(rows) > 1:
        return say("which_saved_address", scene.seed, choices=listed(map(address_name, rows[:5]), "or"))
    return row or (rows[0] if rows else say("addresses_none", scene.seed))


def store_credit(_ask: Ask, scene: Scene) -> Script:
    result = yield Call("use_store_credit")
    if not result.ok:
        return failure(result, scene.seed)
    scene.settle = True
    return ""


def promotions(_ask: Ask, scene: Scene) -> Script:
    result = yield Call("list_discounts")
    return tell.listing(result, scene, "discounts", "discounts_none")


def goes_with(ask: Ask, scene: Scene) -> Script:
    """What fits a product that is named, spoken about or in the cart."""
    product = yield from _product(ask, scene)
    if product is None:
        return say("nothing_shown", scene.seed)
    if product.startswith("?"):
        return product[1:]
    result = yield Call("recommend_products", {"item_id": product})
    if not result.ok:
        return failure(result, scene.seed)
    rows = [row for key in result.value for row in shapes.rows(result.value, key)]
    if not rows:
        return say("goes_with_none", scene.seed)
    lines = [
        f"{place}. {joined(title_of(row) + ',', str(row.get('price') or ''))}"
        for place, row in enumerate(rows[:6], start=1)
    ]
    return "\n".join([say("goes_with", scene.seed), *lines])


def availability(ask: Ask, scene: Scene) -> Script:
    """Units and the day of delivery for a place; asks for the postal code where none is known."""
    product = yield from _product(ask, scene)
    if product is None:
        return say("nothing_shown", scene.seed)
    if product.startswith("?"):
        return product[1:]
    postal = _postal(ask, scene)
    if postal is None and _wants_a_day(ask):
        return say("available_where", scene.seed)
    result = yield Call("check_availability", {"item_id": product} | ({"postal_code": postal} if postal else {}))
    return anything.told(result.value) if result.ok else failure(result, scene.seed)


def _postal(ask: Ask, scene: Scene) -> str | None:
    typed = ask.fields.get("postal_code") or next(
        (f.group(1) for text in ask.said if (f := _POSTAL.search(text))), None
    )
    known = (scene.checkout or {}).get("ship_to") or {}
    return typed.upper() if typed else known.get("postal_code") or scene.given.get("postal_code")


def _wants_a_day(ask: Ask) -> bool:
    return any(
        re.search(r"\b(?:when|by|before|arrive|deliver\w*|how (?:fast|soon|long)|here|reach|day|week)\b", plain(t))
        for t in ask.said
    )


def _product(ask: Ask, scene: Scene) -> Generator[Call, Result, str | None]:
    """The product meant: shown before, in the cart, or found by its name. A question begins with ``?``."""
    for text in ask.said:
        bare = _POSTAL.sub(" ", plain(text))
        if text is not ask.said[-1] and not telling(bare) and not re.search(r"\b(?:it|this|that|these|one)\b", bare):
            continue
        known = _shown(bare, scene)
        if len(known) == 1:
            return known[0]
        if telling(bare) and not known:
            found = yield Call("search_products", {"query": " ".join(telling(bare))})
            items = found.value.get("items") or ()
            return str(items[0]["id"]) if found.ok and items else None
        if len(known) > 1:
            return "?" + say("which_thing", scene.seed, choices=choices(known, scene))
    return None


def _shown(bare: str, scene: Scene) -> list[str]:
    rows = [{"title": product.get("title"), "id": key} for key, product in scene.products.items()]
    rows += [
        {"title": line.get("title"), "id": line.get("product_id") or line.get("variant_id")} for line in scene.lines
    ]
    found = [str(row["id"]) for row in named([bare], rows, title_of)]
    if found:
        return list(dict.fromkeys(found))
    if (
        telling(bare)
        and re.search(r"\bthe \w+|\bmy \w+|\ba \w+", bare)
        and not re.search(r"\b(it|this|that|these|one)\b", bare)
    ):
        return []
    return products_meant(bare, scene) or [str(line.get("product_id")) for line in scene.lines[:1]]
