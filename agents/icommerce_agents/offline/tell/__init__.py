"""How tool results become sentences."""

from __future__ import annotations

from icommerce_agents.offline.dialogue import Result
from icommerce_agents.offline.scene import CHECKOUT_TOOLS, Scene
from icommerce_agents.offline.tell import cart, checkout, products, service, shop
from icommerce_agents.offline.tell.phrases import failure, joined, say


def result(found: Result, scene: Scene) -> str:
    """A result that no goal asked for, told by what its tool is."""
    name = found.call.name
    if not found.ok:
        return failure(found, scene.seed)
    if name in CHECKOUT_TOOLS:
        return joined(checkout.problems(found.value, scene.seed), checkout.missing(scene)) or checkout.summary(
            found.value, scene
        )
    if name == "get_product":
        return products.product(found.value, scene)
    teller = _TELLERS.get(name)
    return teller(found, scene) if teller else say("done", scene.seed)


_TELLERS = {
    "search_products": products.listing,
    "compare_products": products.comparison,
    "list_categories": products.categories,
    "view_cart": cart.cart,
    "add_to_cart": lambda found, scene: cart.change(found, scene, "added"),
    "swap_cart_variant": lambda found, scene: cart.change(found, scene, "swapped"),
    "update_cart_line": cart.cart,
    "set_discount_code": lambda found, scene: cart.discount(found, scene, str(found.call.arguments.get("code") or "")),
    "set_currency": lambda found, scene: cart.currency(found, scene, str(found.call.arguments.get("currency") or "")),
    "request_confirmation": checkout.card,
    "cancel_checkout": lambda _found, scene: say("checkout_dropped", scene.seed),
    "empty_cart": lambda _found, scene: say("cart_emptied", scene.seed),
    "list_orders": service.orders,
    "get_order": lambda found, _scene: service.order(found.value),
    "find_order_status": service.status,
    "request_human": lambda found, scene: service.handoff(found, scene, sorry=False),
    "get_shop_info": lambda found, scene: shop.shop(found, scene, "shop_about"),
    "stock_by_location": service.stock,
}
