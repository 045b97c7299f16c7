"""What the offline model does about each kind of request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from icommerce_agents.offline.goals import cart, chat, checkout, service, shopping
from icommerce_agents.offline.script import Goal

GOALS: Final[Mapping[str, Goal]] = {
    "browse": shopping.browse,
    "refine": shopping.refine,
    "more": shopping.more,
    "categories": shopping.categories,
    "details": shopping.details,
    "compare": shopping.compare,
    "recommend": shopping.recommend,
    "add": cart.add,
    "buy": cart.buy,
    "remove": cart.remove,
    "set_quantity": cart.set_quantity,
    "swap": cart.swap,
    "view_cart": cart.view_cart,
    "empty_cart": cart.empty_cart,
    "discount": cart.discount,
    "discount_remove": cart.discount_remove,
    "currency": cart.currency,
    "checkout": checkout.checkout,
    "contact": checkout.contact,
    "shipping_choose": checkout.shipping_choose,
    "shipping_options": checkout.shipping_options,
    "payment_methods": checkout.payment_methods,
    "payment_choose": checkout.payment_choose,
    "checkout_status": checkout.checkout_status,
    "pay": checkout.pay,
    "pay_problem": checkout.pay_problem,
    "decline": checkout.decline,
    "settle": checkout.settle,
    "order_status": service.order_status,
    "order_cancel": service.order_cancel,
    "return_item": service.return_item,
    "human": service.human,
    "complaint": service.complaint,
    "stock_by_location": service.stock_by_location,
    **{
        topic: service.shop(topic)
        for topic in ("returns_policy", "shop_shipping", "shop_hours", "shop_contact", "shop_about")
    },
    "greeting": chat.greeting,
    "foreign": chat.foreign,
    "no": chat.no,
    "yes": chat.phrase("yes_unclear"),
    **{
        key: chat.phrase(key)
        for key in ("thanks", "goodbye", "praise", "capabilities", "identity", "offtopic", "unclear", "card_number")
    },
}
