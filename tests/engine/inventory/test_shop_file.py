"""What a merchant says about stock in the shop's file arrives in the shop."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import select

from engine.catalog.importing import import_products
from engine.catalog.models import Variant
from engine.catalog.shop_file import CatalogFile
from engine.inventory import service as inventory
from engine.inventory.models import BundleComponent, StockLevel
from tests.shop import Shop

SHOP = {
    "slug": "s", "name": "S", "tagline": "T", "currency": "USD", "country": "US", "support_email": "a@b.example",
    "support_hours": "always", "accent": "#123456", "returns_policy": "None.", "order_prefix": "AB",
}  # fmt: skip
PLACE = {
    "code": "EAST", "name": "East", "kind": "warehouse", "country": "US", "region": "OH", "city": "C",
    "postal_code": "1",
}  # fmt: skip


def variant(sku: str, **fields: Any) -> dict[str, Any]:
    return {"sku": sku, "price": 1000, "cost": 100, "weight_g": 1, "size_mm": [1, 1, 1]} | fields


def file(*variants: dict[str, Any]) -> CatalogFile:
    products = [
        {
            "slug": row["sku"].lower(), "title": row["sku"], "brand": "B", "category": "things", "motif": "box",
            "description": "A thing that is described at some length, so that the file is taken as it should be. Yes.",
            "variants": [row],
        }
        for row in variants
    ]  # fmt: skip
    return CatalogFile.model_validate({"shop": SHOP, "locations": [PLACE], "products": products, "shipping_zones": []})


def test_bundles_policies_and_safety_stock_arrive(shop: Shop) -> None:
    rows = (
        variant("MUG", stock={"EAST": 7}, safety_stock={"EAST": 1}, low_stock_at=2),
        variant("TEA", stock_policy="backorder", backorder_limit=9, lead_days=3),
        variant("NEW", stock_policy="preorder", available_on="2030-01-02"),
        variant("SET", cost=200, bundle=[{"sku": "MUG", "quantity": 2}]),
    )
    with shop.uow() as session:
        ids = import_products(session, shop.tenant.id, file(*rows), shop.locations)
        level = session.scalars(select(StockLevel).where(StockLevel.variant_id == ids["MUG"])).one()
        assert (level.on_hand, level.safety_stock, level.low_stock_at) == (7, 1, 2)
        tea = session.get_one(Variant, (shop.tenant.id, ids["TEA"]))
        assert (tea.stock_policy, tea.backorder_limit, tea.lead_days) == ("backorder", 9, 3)
        assert session.get_one(Variant, (shop.tenant.id, ids["NEW"])).available_on == date(2030, 1, 2)
        part = session.scalars(select(BundleComponent).where(BundleComponent.bundle_variant_id == ids["SET"])).one()
        assert (part.component_variant_id, part.quantity) == (ids["MUG"], 2)
        [place] = inventory.shippable(session, shop.tenant.id, [ids["SET"]])[ids["SET"]]
        assert place.available == 3


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (variant("SET", bundle=[{"sku": "NONE"}]), "no sku NONE"),
        (variant("SET", bundle=[{"sku": "MUG"}], stock={"EAST": 1}), "a bundle has no stock of its own"),
        (variant("SET", bundle=[{"sku": "MUG"}, {"sku": "MUG"}]), "named twice"),
        (variant("SET", cost=150, bundle=[{"sku": "MUG"}]), "it costs 150, its parts 100"),
        (variant("NEW", stock_policy="preorder"), "from when it is available"),
        (variant("FREE", stock_policy="untracked", stock={"EAST": 1}), "has no stock"),
        (variant("MUG2", safety_stock={"MOON": 1}), "no location MOON"),
    ],
)
def test_what_cannot_be_is_refused(row: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        file(variant("MUG"), row)
