"""Orders, the shop's own facts, staff stock, and a person to talk to."""

from __future__ import annotations

import re
from collections.abc import Generator

from icommerce_agents.offline import contact, lexicon, slots
from icommerce_agents.offline.asks import Ask
from icommerce_agents.offline.dialogue import Call, Json, Result
from icommerce_agents.offline.language import as_typed, words_of
from icommerce_agents.offline.scene import Scene
from icommerce_agents.offline.script import Goal, Script
from icommerce_agents.offline.tell import cart as tell_cart
from icommerce_agents.offline.tell import service as tell
from icommerce_agents.offline.tell import shop as tell_shop
from icommerce_agents.offline.tell.phrases import failure, say

_STOCK_TALK = lexicon.pattern("stock_talk")


def order_status(ask: Ask, scene: Scene) -> Script:
    """Own orders; by number; or the bare state by number and e-mail."""
    number, email = _number(ask, scene), ask.fields.get("email") or contact.email_in(scene.text) or _email_before(scene)
    if number and email and (contact.email_in(scene.text) or _was_asked_for_email(scene)):
        result = yield Call("find_order_status", {"number": number, "email": email})
        return tell.status(result, scene)
    if number:
        result = yield Call("get_order", {"order": number})
        if result.ok:
            return tell.order(result.value)
        return say("order_not_found", scene.seed, number=number)
    if contact.email_in(scene.text) and _was_asked_for_email(scene):
        return say("order_need_number", scene.seed)
    result = yield Call("list_orders")
    return tell.orders(result, scene)


def _was_asked_for_email(scene: Scene) -> bool:
    return bool(re.search(r"e-?mail", scene.dialogue.said.lower())) and "order" in scene.dialogue.said.lower()


def _number(ask: Ask, scene: Scene) -> str | None:
    """The order number in this message, or the one under discussion while we wait for the e-mail."""
    if found := next((number for text in (*ask.said, ask.text) if (number := slots.order_number(text))), None):
        return found
    if not _was_asked_for_email(scene):
        return None
    if bare := re.fullmatch(r"\D*(\d{4,8})\D*", re.sub(r"\S+@\S+", "", ask.text)):
        return bare.group(1)
    return next((number for text in reversed(scene.dialogue.asked[-4:]) if (number := slots.order_number(text))), None)


def _email_before(scene: Scene) -> str | None:
    if not _was_asked_for_email(scene):
        return None
    return next((email for text in reversed(scene.dialogue.asked[-4:]) if (email := contact.email_in(text))), None)


def order_cancel(_ask: Ask, scene: Scene) -> Script:
    """No tool changes a placed order: a person does."""
    result = yield Call("request_human", _note(scene, "cannot_help"))
    return tell.handoff(result, scene, sorry=False)


def return_item(_ask: Ask, scene: Scene) -> Script:
    result = yield from _fetch_shop(scene)
    if not result.ok:
        return failure(result, scene.seed)
    return say("return_start", scene.seed, policy=tell_shop.shop(result, scene, "returns_policy"))


def human(_ask: Ask, scene: Scene) -> Script:
    result = yield Call("request_human", _note(scene, "asked_for_person"))
    return tell.handoff(result, scene, sorry=False)


def complaint(ask: Ask, scene: Scene) -> Script:
    money = re.search(r"\b(charged|billed|double)\b", ask.plain)
    result = yield Call("request_human", _note(scene, "payment_problem" if money else "complaint"))
    return tell.handoff(result, scene, sorry=True)


def _note(scene: Scene, reason: str) -> Json:
    """What the person taking over should know, at most five short lines."""
    lines = [f"Shopper: {text[:140]}" for text in scene.dialogue.asked[-3:]]
    if scene.lines:
        lines.append(f"Cart: {tell_cart.names(scene.lines)}"[:150])
    if scene.checking_out:
        lines.append("Payment card open" if scene.card else "Checkout running")
    return {"reason": reason, "summary": "\n".join(lines[:5])[:600]}


def _fetch_shop(scene: Scene) -> Generator[Call, Result, Result]:
    """The shop's facts: those the conversation already has, or a call for them."""
    if scene.shop is not None:
        return Result(Call("get_shop_info"), ok=True, value=scene.shop)
    result = yield Call("get_shop_info")
    return result


def shop_topic(topic: str, scene: Scene) -> Script:
    result = yield from _fetch_shop(scene)
    return tell_shop.shop(result, scene, topic)


def shop(topic: str) -> Goal:
    """The goal that answers one topic about the shop."""

    def goal(_ask: Ask, scene: Scene) -> Script:
        return (yield from shop_topic(topic, scene))

    return goal


def stock_by_location(ask: Ask, scene: Scene) -> Script:
    sku = re.search(
        r"\b[A-Z]{2,}-[A-Z0-9]+(?:-[A-Z0-9]+)*\b",
        ask.text.upper() if re.search(r"\b\w+-\w+-\w+", ask.text) else ask.text,
    )
    words = " ".join(words_of(_STOCK_TALK.sub(" ", ask.plain)))
    query = sku.group() if sku else as_typed(words, ask.text)
    if not query and scene.focus:
        query = str(scene.product(scene.focus[0]).get("title") or scene.focus[0])
    if not query:
        return say("stock_which", scene.seed)
    result = yield Call("stock_by_location", {"query": query})
    return tell.stock(result, scene)
