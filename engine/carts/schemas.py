"""What a cart looks like from outside (snapshot ``cart``, activity ``cart``)."""

from __future__ import annotations

from engine.kit.views import Price, View


class CartLineView(View):
    variant_id: str
    product_id: str
    sku: str
    title: str
    options: dict[str, str]
    image: str
    quantity: int
    unit_price: Price | None
    """``None`` when it is not sold in the cart's currency (any more)."""
    line_total: Price | None
    compare_at: Price | None = None
    """What a unit is shown to cost otherwise, while a price for a time is in force."""
    available: int


class CartView(View):
    id: str | None
    """``None`` while nothing was ever put in."""
    lines: list[CartLineView]
    total: Price
    """Sum of the lines before discount, shipping and tax."""
    item_count: int
    discount_codes: list[str]
    notices: list[str]
    """Plain sentences the shopper should know: fewer in stock than asked for, item no longer sold."""
