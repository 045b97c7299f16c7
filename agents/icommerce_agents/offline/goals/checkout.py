"""From the cart to the payment card. Nothing here, or anywhere in the model, pays: only the card's button does."""

from __future__ import annotations

import re
from collections.abc import Generator, Sequence

from rapidfuzz import fuzz

from icommerce_agents.offline import slots
from icommerce_agents.offline.asks import Ask
from icommerce_agents.offline.dialogue import Call, Json, Result
from icommerce_agents.offline.goals.cart import buy
from icommerce_agents.offline.scene import Scene
from icommerce_agents.offline.script import Script
from icommerce_agents.offline.tell import checkout as tell
from icommerce_agents.offline.tell.phrases import failure, joined, listed, say

_FAST = re.compile(r"\b(fastest|quickest|fast|faster|quick|quickly|asap|as soon as possible|rush|hurry|soonest)\b")
_CHEAP = re.compile(r"\b(cheapest|cheap|cheaply|slowest|least expensive|lowest|free)\b")
_SPEEDS = (
    "express",
    "expedited",
    "overnight",
    "next day",
    "priority",
    "standard",
    "economy",
    "ground",
    "2-day",
    "two-day",
)
_FAST_WORDS = frozenset({"express", "expedited", "overnight", "next day", "priority"})


def checkout(ask: Ask, scene: Scene) -> Script:
    """Begin or go on; "buy it" about something only looked at puts it in the cart first."""
    looked_at = scene.focus[:1] if scene.last_tool in {"get_product", "search_products", "compare_products"} else []
    pointed = re.search(r"\b(it|this|that|them|these|those)\b", ask.plain) and re.search(
        r"\b(buy|order|purchase|get)\b", ask.plain
    )
    if looked_at and pointed and not any(line.get("product_id") in looked_at for line in scene.lines):
        return (yield from buy(ask, scene))
    if scene.cart_known and not scene.lines:
        return say("nothing_to_buy", scene.seed)
    scene.settle = scene.stale = True
    return ""


def contact(ask: Ask, scene: Scene) -> Script:
    """Names, e-mails, addresses go to the checkout as far as they were said."""
    if scene.cart_known and not scene.lines and not scene.checking_out:
        return say("keep_details", scene.seed)
    result = yield Call("update_checkout", _with_earlier(ask.fields, scene))
    if not result.ok:
        return failure(result, scene.seed)
    scene.settle = True
    return tell.noted(ask.fields, scene.seed)


def _with_earlier(fields: dict[str, str], scene: Scene) -> Json:
    """The other half of an address given in two messages."""
    parts = ("line_one", "line_two", "city", "state", "postal_code", "country")
    if not any(part in fields for part in parts) or (scene.checkout or {}).get("ship_to") or "line_one" in fields:
        return dict(fields)
    return {key: value for key, value in scene.given.items() if key in parts} | fields


def shipping_choose(ask: Ask, scene: Scene) -> Script:
    if not (scene.checkout or {}).get("fulfillment_options"):
        result = yield Call("get_checkout")
        if not result.ok:
            return failure(result, scene.seed)
    view = scene.checkout or {}
    rows = [row for row in view.get("fulfillment_options") or () if isinstance(row, dict)]
    if not rows:
        scene.settle = False
        return say("shipping_after_address", scene.seed)
    row = pick_shipping(ask.plain, rows)
    if row is None:
        return say("shipping_which", scene.seed, options=tell.options(view, "or"))
    result = yield Call("update_checkout", {"fulfillment_option_id": row["id"]})
    if not result.ok:
        return failure(result, scene.seed)
    scene.settle = scene.shipping_told = True
    return tell.shipping_set(scene.checkout or {}, scene)


def pick_shipping(plain: str, rows: Sequence[Json]) -> Json | None:
    """The option meant by its name, by speed or by price."""
    named = [word for word in _SPEEDS if re.search(rf"\b{word.replace('-', '[- ]')}\b", plain)]
    for word in named:
        hit = [row for row in rows if word.replace("-", " ") in str(row.get("title", "")).lower().replace("-", " ")]
        if hit:
            return hit[0]
    if _FAST.search(plain) or _FAST_WORDS & set(named):
        return min(rows, key=_days)
    if _CHEAP.search(plain) or named:
        return min(rows, key=lambda row: slots.amount_of(str(row.get("price", ""))) or 0)
    best = max(rows, key=lambda row: fuzz.partial_ratio(str(row.get("title", "")).lower(), plain))
    return best if fuzz.partial_ratio(str(best.get("title", "")).lower(), plain) >= 80 else None


def _days(row: Json) -> tuple[int, int]:
    numbers = [int(number) for number in re.findall(r"\d+", str(row.get("days", "")))]
    return (numbers[-1], numbers[0]) if numbers else (999, 999)


def shipping_options(_ask: Ask, scene: Scene) -> Script:
    """Within a checkout its own options; before that, the shop's prices."""
    if not scene.checking_out:
        from icommerce_agents.offline.goals.service import shop_topic

        return (yield from shop_topic("shop_shipping", scene))
    if not (scene.checkout or {}).get("fulfillment_options"):
        result = yield Call("get_checkout")
        if not result.ok:
            return failure(result, scene.seed)
    view = scene.checkout or {}
    if not view.get("fulfillment_options"):
        return say("shipping_after_address", scene.seed)
    row = tell.chosen(view)
    chosen = (
        f"{tell.shipping_title(row)} is selected." if row else say("shipping_which", scene.seed, options="see above")
    )
    return joined(say("shipping_list", scene.seed, options=tell.options(view), chosen=chosen))


def payment_methods(_ask: Ask, scene: Scene) -> Script:
    result = yield Call("list_payment_methods")
    if not result.ok:
        return failure(result, scene.seed)
    if not scene.methods:
        return say("payment_none", scene.seed)
    return joined(
        say("payment_list", scene.seed, methods=tell.methods(scene.methods)), say("payment_card_entry", scene.seed)
    )


def payment_choose(ask: Ask, scene: Scene) -> Script:
    if not scene.methods:
        result = yield Call("list_payment_methods")
        if not result.ok:
            return failure(result, scene.seed)
    row = _pick_method(ask.plain, scene.methods or [])
    if row is None:
        return _which_method(scene)
    result = yield Call("update_checkout", {"payment_method_ref": row.get("ref")})
    if not result.ok:
        return failure(result, scene.seed)
    scene.settle = True
    return say("payment_chosen", scene.seed, label=row.get("label"))


def _pick_method(plain: str, rows: Sequence[Json]) -> Json | None:
    scores = [
        (
            sum(
                2 if word.isdigit() else 1
                for word in re.findall(r"[a-z]+|\d{4}", str(row.get("label", "")).lower())
                if re.search(rf"\b{word}\b", plain)
            ),
            row,
        )
        for row in rows
    ]
    best = max((score for score, _ in scores), default=0)
    hits = [row for score, row in scores if score == best]
    return hits[0] if rows and len(hits) == 1 and (best or len(rows) == 1) else None


def _which_method(scene: Scene) -> str:
    return (
        say("payment_which", scene.seed, methods=tell.methods(scene.methods))
        if scene.methods
        else say("payment_none", scene.seed)
    )


def checkout_status(_ask: Ask, scene: Scene) -> Script:
    result = yield Call("get_checkout")
    if not result.ok:
        return failure(result, scene.seed)
    view = scene.checkout or {}
    return joined(tell.summary(view, scene), tell.problems(view, scene.seed), tell.missing(scene))


def pay(_ask: Ask, scene: Scene) -> Script:
    """Typed words never pay: point at the open card, or bring a fresh one."""
    if scene.card:
        return say("card_open", scene.seed)
    if scene.cart_known and not scene.lines and not scene.checking_out:
        return say("nothing_to_buy", scene.seed)
    scene.settle = True
    yield from ()
    return ""


def decline(_ask: Ask, scene: Scene) -> Script:
    result = yield Call("cancel_checkout")
    return say("checkout_dropped", scene.seed) if result.ok else failure(result, scene.seed)


def pay_problem(_ask: Ask, scene: Scene) -> Script:
    yield from ()
    return say("pay_problem", scene.seed)


def settle(_ask: Ask, scene: Scene) -> Script:
    """The last goal of every turn that moved the checkout: the card, or one sentence for what is missing."""
    if not scene.settle:
        return ""
    if scene.stale and scene.cart_known and not scene.lines:
        result = yield Call("cancel_checkout")
        return say("checkout_closed", scene.seed) if result.ok else failure(result, scene.seed)
    opening = not scene.checking_out
    if opening or scene.stale or "missing" not in (scene.checkout or {}):
        result = yield Call("start_checkout")
        if not result.ok:
            return failure(result, scene.seed)
    head = tell.started(scene.checkout or {}, scene) if opening else ""
    yield from _only_method(scene)
    view = scene.checkout or {}
    if view.get("missing") or view.get("problems"):
        return joined(head, tell.problems(view, scene.seed), tell.missing(scene))
    result = yield Call("request_confirmation")
    return joined(head, "" if scene.shipping_told else _shipping_note(view), tell.card(result, scene))


def _shipping_note(view: Json) -> str:
    """Which shipping was taken, and that there are others."""
    row = tell.chosen(view)
    others = [tell.shipping_title(other) for other in view.get("fulfillment_options") or () if other is not row]
    if row is None or not others:
        return ""
    return f"Shipping is {tell.shipping(row)}; you can also have {listed(others, 'or')}."


def _only_method(scene: Scene) -> Generator[Call, Result, None]:
    """Where there is just one way to pay, take it; a question with one answer is none."""
    if "payment_method" not in ((scene.checkout or {}).get("missing") or ()):
        return
    if scene.methods is None:
        yield Call("list_payment_methods")
    if scene.methods and len(scene.methods) == 1:
        yield Call("update_checkout", {"payment_method_ref": scene.methods[0].get("ref")})
