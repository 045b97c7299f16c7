"""What the fake shop answers, by words in the message."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from tests.browser import fake_data as data

if TYPE_CHECKING:
    from tests.browser.fake_server import FakeShop, Thread

JSON = dict[str, Any]
LONG = " ".join(f"Word {number} of a long and patient answer about tents." for number in range(1, 121))


async def answer(shop: FakeShop, thread: Thread, run_id: str, body: JSON) -> None:
    """One turn: the words that were said, then from RUN_STARTED to its end."""
    turn = Turn(shop, thread, run_id)
    if "message" in body:
        turn.hear(body["message"])
        await asyncio.sleep(shop.token_seconds)
    thread.add("RUN_STARTED", threadId=thread.id, runId=run_id)
    await asyncio.sleep(shop.token_seconds)
    if "message" in body:
        await turn.said(body["message"])
    elif "action" in body:
        await turn.acted(body["action"]["name"], body["action"].get("args", {}))
    else:
        await turn.decided(body["resume"][0])
    if not turn.failed:
        thread.add("RUN_FINISHED", threadId=thread.id, runId=run_id, outcome=outcome(thread))


def outcome(thread: Thread) -> JSON:
    cards = thread.open_cards()
    if not cards:
        return {"type": "success"}
    interrupts = [
        {
            "id": card["id"],
            "reason": "confirmation",
            "message": "Confirm your order",
            "expiresAt": card["expires_at"],
            "responseSchema": {},
            "metadata": {"checkout": card["checkout"]},
        }
        for card in cards
    ]
    return {"type": "interrupt", "interrupts": interrupts}


class Turn:
    def __init__(self, shop: FakeShop, thread: Thread, run_id: str) -> None:
        self.shop, self.thread, self.run_id = shop, thread, run_id
        self.failed = False

    def hear(self, text: str) -> None:
        """The shopper's words, with numbers of cards masked as the shop does."""
        message_id = f"usr_{self.run_id}"
        self.thread.add("TEXT_MESSAGE_START", messageId=message_id, role="user")
        self.thread.add("TEXT_MESSAGE_CONTENT", messageId=message_id, delta=text.replace("4242424242424242", "••••"))
        self.thread.add("TEXT_MESSAGE_END", messageId=message_id)

    async def said(self, text: str) -> None:
        if self.thread.mode != "agent":
            return
        self.thread.add("CUSTOM", name="agent", value={"agent": "commerce", "title": "Shopping assistant"})
        for word, script in SCRIPTS.items():
            if word in text.lower():
                await script(self)
                return
        await self.say("I can help with **tents**, your cart and your orders.")

    async def acted(self, name: str, args: JSON) -> None:
        if name in {"add_to_cart", "update_cart_line"}:
            await self.tool(name)
            before = self.thread.cart.get(args["variant_id"], 0) if name == "add_to_cart" else 0
            self.put(args["variant_id"], before + args["quantity"])
            self.thread.card("cart", data.cart(self.thread.cart))
        elif name in {"request_confirmation", "use_payment_method"}:
            await self.confirmation()
        elif name == "view_product":
            self.thread.card("product", data.DETAIL)
        elif name == "show_more":
            self.thread.card("products", {"title": "tent", "items": data.TENTS[2:], "next_cursor": None})
        elif name == "request_human":
            await self.person()
        elif name == "retry":
            await self.say("Here we are again.")

    async def decided(self, resume: JSON) -> None:
        asked = self.thread.message(resume["interruptId"])
        card = asked["data"]
        await self.shop.going("decision")
        if card["status"] != "open":
            return
        if asked["activity_type"] != "confirmation":
            made = card | {"status": "claimed", "choice": resume["payload"].get("choice")}
            self.thread.card(asked["activity_type"], made, card["id"])
            return
        approved = resume["payload"]["approved"]
        self.status(card, "approved" if approved else "declined")
        if not approved:
            await self.say("No problem, nothing was charged.")
            return
        await asyncio.sleep(self.shop.token_seconds * 20)
        self.shop.captures.append(card["id"])
        self.status(self.thread.message(card["id"])["data"], "claimed")
        self.thread.card("receipt", data.receipt(data.cart(self.thread.cart)))
        self.thread.cart.clear()
        self.thread.add("STATE_SNAPSHOT", snapshot={"cart": data.cart({})})

    def status(self, card: JSON, status: str) -> None:
        self.thread.card("confirmation", card | {"status": status}, card["id"])
        self.thread.add("CUSTOM", name="confirm.resolved", value={"id": card["id"], "status": status})

    def put(self, variant_id: str, quantity: int) -> None:
        self.thread.cart[variant_id] = quantity
        self.thread.add("STATE_SNAPSHOT", snapshot={"cart": data.cart(self.thread.cart)})

    async def say(self, text: str, name: str = "Shopping assistant") -> None:
        message_id = f"msg_{len(self.thread.log)}"
        self.thread.add("TEXT_MESSAGE_START", messageId=message_id, role="assistant", name=name)
        for start in range(0, len(text), 6):
            self.thread.add("TEXT_MESSAGE_CONTENT", messageId=message_id, delta=text[start : start + 6])
            await asyncio.sleep(self.shop.token_seconds)
            await self.shop.going(text[: start + 6])
        self.thread.add("TEXT_MESSAGE_END", messageId=message_id)

    async def tool(self, name: str) -> None:
        call_id = f"call_{len(self.thread.log)}"
        self.thread.add("TOOL_CALL_START", toolCallId=call_id, toolCallName=name)
        await asyncio.sleep(self.shop.token_seconds)
        await self.shop.going(name)
        self.thread.add("TOOL_CALL_END", toolCallId=call_id)

    async def products(self) -> None:
        await self.tool("search_products")
        self.thread.card("products", {"title": "two-person tent", "items": data.TENTS, "next_cursor": "c2"})
        await self.say(
            "I found five tents. My pick for two people:\n\n"
            "- **Fellwalker 2**: two doors, 1.9 kg, $279.00\n"
            "- **Stormcairn**: for snow and storms\n\n"
            "Shall I put the first one in your [cart](/cart)?"
        )
        items = ["Add the first one", "Compare the first three", "Anything cheaper?"]
        self.thread.card("suggestions", {"items": items})

    async def checkout(self) -> None:
        await self.tool("start_checkout")
        self.thread.card("checkout", data.checkout(data.cart(self.thread.cart or {"var_1_0": 1}), ready=False), "cs_1")
        await self.say("Where shall we send it, and to which e-mail does the receipt go?")

    async def abroad(self) -> None:
        self.thread.card("checkout", data.abroad(data.cart(self.thread.cart or {"var_1_0": 1})), "cs_1")

    async def sale(self) -> None:
        self.thread.card("products", {"title": "sale", "items": [data.ON_SALE], "next_cursor": None})

    async def confirmation(self) -> None:
        if not self.thread.cart:
            self.put("var_1_0", 2)
        for card in self.thread.open_cards():
            self.status(card, "superseded")
        await self.tool("request_confirmation")
        card_id = f"cnf_{next(self.shop.ids)}"
        held = data.cart(self.thread.cart)
        self.thread.card("confirmation", data.confirmation(held, card_id, seconds=self.shop.expires_seconds), card_id)
        await self.say("Here is everything in one place. Press **Pay** when it looks right.")

    async def person(self) -> None:
        self.thread.mode = "waiting_human"
        reference = "HND-2201"
        mode = {"mode": "waiting_human", "reference": reference}
        self.thread.card("handoff", mode | {"reason": "asked", "hours": "Monday to Friday, 9 to 5"})
        self.thread.add("CUSTOM", name="conversation.mode", value=mode)

    async def compare(self) -> None:
        await self.tool("compare_products")
        self.thread.card("comparison", data.COMPARISON)
        await self.say("The Fellwalker 1 is the lightest.")

    async def detail(self) -> None:
        self.thread.card("product", data.DETAIL)

    async def orders(self) -> None:
        self.thread.card("orders", {"items": [data.order(data.cart({"var_1_0": 1, "var_3_0": 1}), shipped=True)]})

    async def track(self) -> None:
        self.thread.card("order_timeline", data.order(data.cart({"var_1_0": 1, "var_3_0": 1}), shipped=True), "ord_1")
        await self.say("Your parcel reached the Portland depot this morning.")

    async def decline(self) -> None:
        message = "Your bank declined the card. Nothing was charged."
        self.thread.card("payment_problem", {"code": "card_declined", "message": message, "retryable": True})

    async def stock(self) -> None:
        self.thread.card("stock", data.STOCK)

    async def hostile(self) -> None:
        self.thread.card("products", {"title": "<i>x</i>", "items": [data.HOSTILE], "next_cursor": None})
        await self.say(
            "<img src=x onerror=alert(1)> **<b>hi</b>** [click](javascript:alert(1)) "
            "[away](https://example.com/x) [home](/help)"
        )

    async def long(self) -> None:
        await self.say(LONG)

    async def error(self) -> None:
        self.failed = True
        message = "The assistant could not finish this answer."
        self.thread.add("RUN_ERROR", runId=self.run_id, message=message, code="model_unavailable")


SCRIPTS: dict[str, Callable[[Turn], Awaitable[None]]] = {
    "compare": Turn.compare,
    "detail": Turn.detail,
    "where is": Turn.track,
    "orders": Turn.orders,
    "on sale": Turn.sale,
    "from abroad": Turn.abroad,
    "tent": Turn.products,
    "check out": Turn.checkout,
    "pay": Turn.confirmation,
    "decline": Turn.decline,
    "stock": Turn.stock,
    "hostile": Turn.hostile,
    "long": Turn.long,
    "break": Turn.error,
    "person": Turn.person,
}
