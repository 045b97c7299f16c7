"""What a product looks like from outside (public contract: ``GET /v1/products``)."""

from __future__ import annotations

from typing import Any

from pydantic import SerializerFunctionWrapHandler, model_serializer

from engine.kit.views import Price, View


class VariantView(View):
    id: str
    sku: str
    title: str
    options: dict[str, str]
    price: Price
    compare_at: Price | None = None
    """What it is shown to cost otherwise, while a price for a time is in force."""
    available: int
    """Whole units over all locations, never negative."""
    digital: bool = False
    """It has no parcel: its buyer gets it by e-mail, at once."""

    @model_serializer(mode="wrap")
    def _said(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """``compare_at`` is there only while there is one, ``digital`` only of what is."""
        said: dict[str, Any] = write(self)
        return {name: value for name, value in said.items() if value or name not in {"compare_at", "digital"}}


class ProductView(View):
    id: str
    title: str
    category: str
    description: str
    image: str
    """Path of its picture on our own origin."""
    price: Price
    """The cheapest variant's."""
    brand: str
    rating: int
    """Tenths of a star; 0 is not rated."""
    rating_count: int
    options: dict[str, list[str]]
    variants: list[VariantView]


class ProductDetail(ProductView):
    """A product with the facts a shopper compares."""

    features: list[str]
    materials: list[str]
    compatibility: list[str]
    care: str
    constraints: list[str]
    """What it must not be used for, and where it ends."""
    safety: list[str]
    attributes: dict[str, Any]
    units: dict[str, str]
    """Attribute → its unit, where it has one."""
    dimensions: dict[str, int] | None
    """Of the thing in use: length_mm, width_mm, height_mm, weight_g."""
    faqs: list[dict[str, str]]
    """[{question, answer}]"""
    restrictions: list[str]
    warranty_months: int
    weight_g: int
    """The lightest variant's, packed."""


class CategoryRow(View):
    """A category and how many products can be found in it."""

    name: str
    products: int


class ComparisonRow(View):
    """One fact, a value for each item in their order; an empty text where an item says nothing."""

    name: str
    values: list[str]


class Comparison(View):
    items: list[ProductView]
    rows: list[ComparisonRow]


class ShippingRateInfo(View):
    title: str
    price: str
    """As text with its currency; ``free`` when it costs nothing."""
    days: str
    free_over: str | None
    """Goods value from which it is free, as text."""


class ShippingZoneInfo(View):
    zone: str
    rates: list[ShippingRateInfo]


class ShopInfo(View):
    """What the shop says about itself."""

    name: str
    tagline: str
    currency: str
    currencies: list[str]
    """All it sells in, its home currency first."""
    returns_policy: str
    support_hours: str
    support_email: str
    shipping: list[ShippingZoneInfo]
    ships_to: list[str]
    """ISO 3166 country codes."""
