"""What a product looks like from outside (public contract: ``GET /v1/products``)."""

from __future__ import annotations

from typing import Any

from engine.kit.views import Price, View


class VariantView(View):
    id: str
    sku: str
    title: str
    options: dict[str, str]
    price: Price
    available: int
    """Whole units over all locations, never negative."""


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
    attributes: dict[str, Any]
    restrictions: list[str]
    warranty_months: int
    weight_g: int
    """The lightest variant's, packed."""
