"""What the conversation has established so far: products seen, the cart, the checkout, the open card."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from icommerce_agents.offline import shapes
from icommerce_agents.offline.dialogue import Dialogue, Json, Result

CART_WRITES = frozenset(
    {"add_to_cart", "update_cart_line", "swap_cart_variant", "empty_cart", "set_discount_code", "set_currency"}
)
CHECKOUT_TOOLS = frozenset(
    {
        "start_checkout",
        "get_checkout",
        "update_checkout",
        "use_address",
        "use_store_credit",
        "drop_stored_value",
    }
)
ABOUT_ORDER = frozenset(
    {
        "track_order",
        "get_refunds",
        "get_return_options",
        "quote_cancel",
        "quote_address_change",
        "quote_payment_change",
        "quote_item_change",
        "quote_return",
        "reorder",
        "explain_routing",
        "find_order",
        "propose_release",
    }
)
_NOTHING = frozenset({"", "none", "no", "empty", "nothing", "null", "-", "closed", "false"})
_BRIEF_LINE = re.compile(r"(\d+)\s*[x\u00d7]\s*([^;]+?)\s*\((var_[\w-]+)\)")


@dataclass(slots=True)
class Scene:
    """Built from tool results in order; ``learn`` keeps it true while a turn goes on."""

    dialogue: Dialogue
    products: dict[str, Json] = field(default_factory=dict)
    listing: list[str] = field(default_factory=list)
    """Product ids in the order of the last numbered cards."""
    focus: list[str] = field(default_factory=list)
    """Product ids last spoken about, the nearest first."""
    search: Result | None = None
    comparison: Result | None = None
    last_tool: str = ""
    cart: Json | None = None
    checkout: Json | None = None
    given: Json = field(default_factory=dict)
    """Checkout details sent so far, whatever became of them."""
    card: bool = False
    methods: list[Json] | None = None
    """Ways to pay; ``None`` until they were asked for."""
    shop: Json | None = None
    order: str = ""
    categories: list[str] = field(default_factory=list)
    settle: bool = False
    """This turn moved the checkout: at its end, ask for what is missing or show the card."""
    stale: bool = False
    """The cart changed after the checkout was last read."""
    shipping_told: bool = False
    orders: dict[str, Json] = field(default_factory=dict)
    """The shopper's orders by number, newest first as listed; the fullest view of each."""
    orders_listed: bool = False
    returnable: dict[str, Json] = field(default_factory=dict)
    """What can come back, by order id or number."""
    returns: list[Json] | None = None
    warranties: list[Json] | None = None
    symptoms: list[Json] = field(default_factory=list)
    claim: Json | None = None
    addresses: list[Json] | None = None

    @property
    def text(self) -> str:
        return self.dialogue.text

    @property
    def lines(self) -> list[Json]:
        return list((self.cart or {}).get("lines") or [])

    @property
    def cart_known(self) -> bool:
        return self.cart is not None

    @property
    def checking_out(self) -> bool:
        return self.checkout is not None

    @property
    def staff(self) -> bool:
        return any(value.lower().startswith(("true", "yes")) for value in self.dialogue.briefing.get("staff", ()))

    def can(self, ability: str) -> bool:
        """Whether a tool of this request does it."""
        return self.dialogue.binding.has(ability)

    @property
    def seed(self) -> int:
        return self.dialogue.number

    def product(self, product_id: str) -> Json:
        return self.products.get(product_id, {"id": product_id})

    def product_of(self, variant_id: str) -> str | None:
        """The product a variant belongs to."""
        for line in self.lines:
            if line.get("variant_id") == variant_id:
                return str(line.get("product_id") or "") or None
        for product in self.products.values():
            if any(variant.get("id") == variant_id for variant in product.get("variants") or ()):
                return str(product["id"])
        return None

    def learn(self, result: Result) -> None:
        """Take in one tool result."""
        learn = _LEARNERS.get(result.call.name)
        if result.call.name == "update_checkout":
            self.given |= {key: value for key, value in result.call.arguments.items() if value}
        if not result.ok:
            return
        self.last_tool = result.call.name or self.last_tool
        if learn:
            learn(self, result)


def build(dialogue: Dialogue) -> Scene:
    """The scene as it was when the shopper spoke."""
    scene = Scene(dialogue)
    for result in dialogue.earlier:
        scene.learn(result)
    _read_briefing(scene)
    return scene


def _search(scene: Scene, result: Result) -> None:
    items = _items(result.value.get("items"))
    scene.search, scene.comparison = result, None
    for item in items:
        scene.products[item["id"]] = scene.products.get(item["id"], {}) | item
    if items:
        scene.listing = [item["id"] for item in items]
        scene.focus = scene.listing[:1] if len(items) == 1 else []


def _product(scene: Scene, result: Result) -> None:
    item = result.value
    if isinstance(item.get("id"), str):
        scene.products[item["id"]] = scene.products.get(item["id"], {}) | item
        scene.focus = [item["id"], *[i for i in scene.focus if i != item["id"]]][:4]


def _comparison(scene: Scene, result: Result) -> None:
    items = _items(result.value.get("items"))
    for item in items:
        scene.products[item["id"]] = item | scene.products.get(item["id"], {})
    if items:
        scene.comparison = result
        scene.listing = [item["id"] for item in items]
        scene.focus = []


def _cart(scene: Scene, result: Result) -> None:
    scene.cart = result.value
    if result.call.name in CART_WRITES:
        scene.card = False
    variant = added_variant(result)
    product_id = scene.product_of(variant) if variant else None
    if product_id:
        scene.focus = [product_id, *[i for i in scene.focus if i != product_id]][:4]


def _checkout(scene: Scene, result: Result) -> None:
    scene.checkout = result.value if result.value.get("status") not in {"canceled", "completed", "expired"} else None
    if result.call.name != "get_checkout":
        scene.stale = False
    if result.call.name == "update_checkout":
        scene.card = False


def _canceled(scene: Scene, _result: Result) -> None:
    scene.checkout, scene.card = None, False


def _card(scene: Scene, _result: Result) -> None:
    scene.card = True


def _methods(scene: Scene, result: Result) -> None:
    scene.methods = [method for method in result.value.get("methods") or () if isinstance(method, dict)]


def _shop(scene: Scene, result: Result) -> None:
    scene.shop = result.value


def _order(scene: Scene, result: Result) -> None:
    number = str(result.value.get("number") or result.value.get("order_number") or "")
    scene.order = number or scene.order
    if number and result.call.name == "get_order":
        scene.orders[number] = scene.orders.get(number, {}) | result.value


def _orders(scene: Scene, result: Result) -> None:
    scene.orders_listed = True
    for row in shapes.rows(result.value, "items", "orders"):
        if number := str(row.get("number") or row.get("order_number") or ""):
            scene.orders[number] = row | scene.orders.get(number, {})
    if len(scene.orders) == 1:
        scene.order = next(iter(scene.orders))


def _about_order(scene: Scene, result: Result) -> None:
    """A call about an order brings it into focus, by its number or its id."""
    named = str(result.call.arguments.get("order") or "")
    found = next((n for n, row in scene.orders.items() if named and named in {n, str(row.get("id"))}), "")
    scene.order = found or (named if not named.startswith("ord_") else scene.order)
    if result.call.name == "get_return_options" and scene.order:
        scene.returnable[scene.order] = result.value


def _returns(scene: Scene, result: Result) -> None:
    scene.returns = shapes.rows(result.value, "items", "returns")


def _warranties(scene: Scene, result: Result) -> None:
    scene.warranties = shapes.rows(result.value, "items", "warranties")
    found = next((result.value[key] for key in ("symptoms", "faults") if key in result.value), ())
    scene.symptoms = [{"code": code, "text": text} for code, text in shapes.coded(found)]


def _claim(scene: Scene, result: Result) -> None:
    rows = shapes.rows(result.value, "items", "claims")
    scene.claim = result.value if not rows else rows[0]


def _addresses(scene: Scene, result: Result) -> None:
    scene.addresses = shapes.rows(result.value, "addresses", "items")


def _categories(scene: Scene, result: Result) -> None:
    rows = result.value.get("categories") or ()
    scene.categories = [str(row["name"]) for row in rows if isinstance(row, dict) and "name" in row]


_LEARNERS = {
    "search_products": _search,
    "get_product": _product,
    "compare_products": _comparison,
    "view_cart": _cart,
    **dict.fromkeys(CART_WRITES, _cart),
    **dict.fromkeys(CHECKOUT_TOOLS, _checkout),
    "cancel_checkout": _canceled,
    "request_confirmation": _card,
    "list_payment_methods": _methods,
    "get_shop_info": _shop,
    "get_order": _order,
    "find_order_status": _order,
    "list_orders": _orders,
    **dict.fromkeys(ABOUT_ORDER, _about_order),
    "list_returns": _returns,
    "list_warranties": _warranties,
    **dict.fromkeys(("file_claim", "get_claim", "answer_claim", "offer_claim_choice"), _claim),
    "list_addresses": _addresses,
    "list_categories": _categories,
}


def added_variant(result: Result) -> str | None:
    """The variant a cart write put in, by the result or else by the call."""
    added = result.value.get("added")
    named = added.get("variant_id") or added.get("id") if isinstance(added, dict) else None
    asked = result.call.arguments.get("item_id") or result.call.arguments.get("variant_id")
    return str(named or asked) if named or asked else None


def _items(found: Any) -> list[Json]:
    return [item for item in found or () if isinstance(item, dict) and isinstance(item.get("id"), str)]


def _read_briefing(scene: Scene) -> None:
    """The briefing is as of the agent's start: it wins over the history, unless it already shows what another agent
    did in this turn.
    """
    briefing, moved = scene.dialogue.briefing, {result.call.name for result in scene.dialogue.turn}
    handed_over = any(name.startswith("transfer_to_") for name in moved)
    writes = handed_over and moved & (CART_WRITES | CHECKOUT_TOOLS | {"request_confirmation", "cancel_checkout"})
    if "cart" in briefing and (not writes or scene.cart is None):
        _brief_cart(scene, briefing["cart"])
    if writes:
        return
    if "checkout" in briefing:
        _brief_checkout(scene, briefing["checkout"])
    if {"cart", "checkout", "card_open"} & briefing.keys():
        scene.card = any(value.lower() not in _NOTHING for value in briefing.get("card_open", ()))


def _brief_cart(scene: Scene, values: Sequence[str]) -> None:
    known = {line.get("variant_id"): line for line in scene.lines}
    lines = []
    for count, title, variant_id in _BRIEF_LINE.findall("; ".join(values)):
        new = {"variant_id": variant_id, "title": title, "options": {}, "product_id": scene.product_of(variant_id)}
        lines.append(new | known.get(variant_id, {}) | {"quantity": int(count)})
    if lines or all(value.lower() in _NOTHING for value in values):
        scene.cart = (scene.cart or {}) | {"lines": lines}


def _brief_checkout(scene: Scene, values: Sequence[str]) -> None:
    text = " ".join(values)
    if text.lower() in _NOTHING or re.search(r"\b(canceled|completed|expired)\b", text):
        scene.checkout = None
        return
    found = re.search(r"missing:\s*([a-z_,\s]*)", text)
    missing = [name for name in re.findall(r"[a-z_]+", found.group(1)) if name not in _NOTHING] if found else None
    scene.checkout = dict(scene.checkout or {})
    if missing is not None:
        scene.checkout["missing"] = missing
