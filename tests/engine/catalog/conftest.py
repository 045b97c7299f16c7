"""A small catalog with few, telling products, and an embedder that knows a handful of meanings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from engine.catalog import vectors
from engine.catalog.importing import import_products
from engine.catalog.models import Product, Variant
from engine.catalog.shop_file import CatalogFile
from engine.catalog.vectors import ChromaIndex
from engine.db import Store
from engine.inventory.models import Location
from engine.kit.identity import Actor, Identity, Scope
from engine.kit.ids import new_id
from engine.kit.tenancy import Tenant
from engine.shipping.models import ShippingZone

MEANINGS = (("tent", "shelter", "storm"), ("stove", "cook", "burner"), ("jacket", "rain", "coat"), ("knife", "cut"))
SHOP = {
    "slug": "test",
    "name": "Test",
    "tagline": "",
    "currency": "USD",
    "country": "US",
    "support_email": "help@shop.example",
    "support_hours": "always",
    "accent": "#123456",
    "returns_policy": "30 days",
    "order_prefix": "TS",
}


def product_row(slug: str, title: str, category: str, **more: Any) -> dict[str, Any]:
    """A product of a catalog file; ``variants`` are (options, price, stock)."""
    variants = more.pop("variants", [({}, 5000, {"EAST": 5})])
    said = more.pop("description", f"{title}, made to be used outside for years and mended when it breaks.")
    names = list(variants[0][0])
    return {
        "slug": slug,
        "title": title,
        "brand": "Test",
        "category": category,
        "description": said.ljust(80, "."),
        "motif": "tent",
        "options": {name: list(dict.fromkeys(options[name] for options, _, _ in variants)) for name in names},
        "variants": [
            {
                "sku": f"{slug.upper()}-{number}",
                "options": options,
                "price": price,
                "cost": price // 2,
                "weight_g": 500 + number,
                "size_mm": [10, 10, 10],
                "stock": stock,
            }
            for number, (options, price, stock) in enumerate(variants)
        ],
    } | more


def catalog_file(*products: dict[str, Any]) -> CatalogFile:
    places = [
        {
            "code": code,
            "name": code.title(),
            "kind": "warehouse",
            "country": "US",
            "region": "OH",
            "city": "X",
            "postal_code": "1",
        }
        for code in ("EAST", "WEST")
    ]
    return CatalogFile.model_validate({"shop": SHOP, "locations": places, "products": products, "shipping_zones": []})


PRODUCTS = (
    product_row(
        "ridge-tent",
        "Ridge Tent",
        "tents",
        attributes={"sleeps": 2, "waterproof": True},
        synonyms=["shelter"],
        rating=45,
        warranty_months=24,
        variants=[
            ({"size": "regular", "color": "slate blue"}, 20000, {"EAST": 3, "WEST": 4}),
            ({"size": "regular", "color": "moss green"}, 19000, {"EAST": 9}),
            ({"size": "large", "color": "slate blue"}, 25000, {}),
        ],
    ),
    product_row(
        "dome-tent", "Dome Tent", "tents", attributes={"sleeps": 4, "waterproof": False}, variants=[({}, 30000, {})]
    ),
    product_row("tent-pegs", "Tent Pegs", "tent accessories", variants=[({}, 900, {"WEST": 100})]),
    product_row("gas-stove", "Gas Stove", "camp stoves", synonyms=["burner"], restrictions=["flammable"], rating=40),
    product_row(
        "rain-shell",
        "Rain Shell",
        "rain jackets",
        variants=[({"size": size}, 12000, {"EAST": units}) for size, units in (("S", 0), ("M", 7), ("L", 2))],
    ),
    product_row(
        "camp-knife", "Camp Knife", "knives", restrictions=["blade"], rating=48, variants=[({}, 4000, {"EAST": 2})]
    ),
    product_row("headlamp", "Beam Headlamp", "headlamps", synonyms=["head torch"], restrictions=["lithium_battery"]),
)


class FewMeanings:
    """Vectors by hand: a direction for each group of words, one for other products, one for other questions."""

    name = "few-meanings"

    def __init__(self) -> None:
        self.embedded: list[str] = []

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        self.embedded += texts
        return [self._vector(text.lower()) for text in texts]

    def knows(self, word: str) -> bool:
        return word in {"coat", "gloves"}

    @staticmethod
    def _vector(text: str) -> list[float]:
        found = [1.0 * sum(word in text for word in words) for words in MEANINGS]
        length = sum(value * value for value in found) ** 0.5
        if length:
            return [*(value / length for value in found), 0.0, 0.0]
        return [0.0] * len(MEANINGS) + ([1.0, 0.0] if "made to be used" in text else [0.0, 1.0])


@dataclass
class Catalog:
    """A stocked tenant, and how to name what is in it."""

    store: Store
    tenant_id: str
    staff: Identity

    def uow(self) -> Any:
        return self.store.unit_of_work(self.tenant_id)

    def product(self, slug: str) -> str:
        with self.uow() as session:
            return session.scalars(select(Product.id).where(Product.slug == slug)).one()

    def variant(self, sku: str) -> str:
        with self.uow() as session:
            return session.scalars(select(Variant.id).where(Variant.sku == sku)).one()

    def slugs(self, ids: Sequence[str]) -> list[str]:
        with self.uow() as session:
            known = dict(session.execute(select(Product.id, Product.slug)).all())
        return [known[key] for key in ids]


def fill(store: Store, tenant: Tenant, file: CatalogFile) -> Catalog:
    """The file's places and products in a tenant, which ships to the US and the UK."""
    with store.unit_of_work(tenant.id) as session:
        places = [
            Location(tenant_id=tenant.id, id=new_id("location"), position=position, **row.model_dump())
            for position, row in enumerate(file.locations)
        ]
        zone = {"name": "World", "countries": ["US", "GB"], "rates": []}
        session.add_all([*places, ShippingZone(tenant_id=tenant.id, id=new_id("zone"), **zone)])
        session.flush()
        import_products(session, tenant.id, file, {place.code: place.id for place in places})
    staff = Identity(tenant.id, Actor.API_KEY, new_id("key"), scopes=frozenset({Scope.STAFF}))
    return Catalog(store, tenant.id, staff)


@pytest.fixture
def catalog(store: Store, tenant: Tenant) -> Catalog:
    return fill(store, tenant, catalog_file(*PRODUCTS))


@pytest.fixture
def embedder() -> FewMeanings:
    return FewMeanings()


@pytest.fixture
def index(tmp_path: Path, embedder: FewMeanings) -> ChromaIndex:
    return vectors.open_folder(tmp_path / "chroma", embedder=embedder.name)
