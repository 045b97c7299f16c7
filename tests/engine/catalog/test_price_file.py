"""A shop's file says its prices in other currencies, and the second demo shop's does."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import func, select

from engine.carts.models import Discount
from engine.catalog import service
from engine.catalog.models import ListedPrice, Variant
from engine.catalog.shop_file import CatalogFile, read_catalog
from engine.checks import check_tenant
from engine.demo.seed import demo_files, seed_tenant
from engine.kit.ids import new_id
from engine.kit.tenancy import Tenant
from engine.runtime import Runtime
from engine.shipping import service as shipping

SHOP: dict[str, Any] = {
    "shop": {
        "slug": "x", "name": "X", "tagline": "", "currency": "USD", "currencies": ["EUR", "GBP"],
        "currency_by_country": {"DE": "EUR"}, "country": "US", "support_email": "a@example.com", "support_hours": "",
        "accent": "#335577", "returns_policy": "", "order_prefix": "XX",
    },
    "locations": [
        {"code": "BOS", "name": "B", "kind": "warehouse", "country": "US", "region": "MA", "city": "B",
         "postal_code": "1"},
    ],
    "products": [
        {"slug": "p", "title": "P", "brand": "B", "category": "things", "description": "d" * 80, "motif": "gift",
         "options": {"size": ["s", "m"]}, "variants": [
             {"sku": "P-S", "options": {"size": "s"}, "price": 1000, "cost": 1, "weight_g": 1, "size_mm": [1, 1, 1],
              "prices": {"EUR": 900},
              "scheduled": [{"currency": "USD", "amount": 800, "compare_at": 1000,
                             "starts_at": "2020-01-01T00:00:00Z"}]},
             {"sku": "P-M", "options": {"size": "m"}, "price": 1000, "cost": 1, "weight_g": 1, "size_mm": [1, 1, 1]},
         ]},
    ],
    "price_lists": {"EUR": {"P-M": 950}},
    "shipping_zones": [
        {"name": "DE", "countries": ["DE"], "rates": [
            {"code": "std", "title": "S", "carrier": "C", "price": 500, "min_days": 1, "max_days": 2,
             "amounts": {"EUR": {"price": 450, "free_over": 5000}}}]},
    ],
    "discounts": [{"code": "FIVE", "title": "F", "amount_off": 500, "amounts": {"EUR": {"amount_off": 450}}}],
}  # fmt: skip


def changed(part: str, value: Any) -> dict[str, Any]:
    """The file with one part replaced, named as ``a.0.b``."""

    data = deepcopy(SHOP)
    place: Any = data
    *way, last = part.split(".")
    for name in way:
        place = place[int(name) if name.isdigit() else name]
    place[last] = value
    return data


def test_everything_in_the_file_is_in_the_shop(runtime: Runtime) -> None:
    tenant_id = seed_tenant(runtime.store, CatalogFile.model_validate(SHOP), demo=True, slug=new_id("tenant")[-20:])
    with runtime.unit_of_work(tenant_id) as session:
        skus = dict(session.execute(select(Variant.id, Variant.sku)).all())  # type: ignore[arg-type]
        rows = session.scalars(select(ListedPrice).order_by(ListedPrice.currency, ListedPrice.amount)).all()
        listed = [(skus[row.variant_id], row.currency, row.amount, row.compare_at, row.source) for row in rows]
        product_id = session.scalars(select(Variant.product_id)).first() or ""
        euros = service.product(session, tenant_id, product_id, currency="EUR")
        dollars = service.product(session, tenant_id, product_id)
        code = session.scalars(select(Discount)).one()
        offers = [
            shipping.options(
                session, tenant_id, shipping.Parcel(1, goods), country="DE", ground_only=False, currency=currency
            )
            for currency, goods in (("USD", 9000), ("EUR", 4999), ("EUR", 5000), ("GBP", 1))
        ]
        fees = [[way.amount for way in ways] for ways in offers]
    assert listed == [
        ("P-S", "EUR", 900, None, "import"),
        ("P-M", "EUR", 950, None, "import"),
        ("P-S", "USD", 800, 1000, "import"),
    ]
    assert [str(one.price) for one in euros.variants] == ["€9.00", "€9.50"]
    assert [str(one.price) for one in dollars.variants] == ["$8.00", "$10.00"]
    assert code.amounts == {"EUR": {"amount_off": 450, "minimum": 0}}
    assert fees == [[500], [450], [0], []]


@pytest.mark.parametrize(
    ("part", "value", "words"),
    [
        ("shop.currencies", ["XXX"], "XXX is not a currency"),
        ("shop.currencies", ["USD", "EUR"], "currencies: USD is not among"),
        ("shop.currency_by_country", {"CH": "CHF"}, "currency_by_country: CHF is not among"),
        ("products.0.variants.0.prices", {"CAD": 1}, "P-S: CAD is not among"),
        ("products.0.variants.0.prices", {"USD": 1}, "P-S: USD is not among"),
        ("products.0.variants.0.prices", {"EUR": -1}, "greater than or equal to 0"),
        ("products.0.variants.0.scheduled", [{"currency": "EUR", "amount": 1}], "starts or ends"),
        ("price_lists", {"EUR": {"P-X": 1}}, "price list EUR: no sku P-X"),
        ("price_lists", {"CAD": {}}, "price_lists: CAD is not among"),
        ("shipping_zones.0.rates.0.amounts", {"CAD": {"price": 1}}, "std: CAD is not among"),
        ("discounts.0.amounts", {"EUR": {"minimum": 1}}, "amount_off where the code itself does"),
    ],
)
def test_what_cannot_be_is_named(part: str, value: Any, words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        CatalogFile.model_validate(changed(part, value))


def test_the_second_demo_shop_sells_in_three_currencies(runtime: Runtime) -> None:
    file = read_catalog(demo_files()[1])
    tenant_id = seed_tenant(runtime.store, file, demo=True, slug=new_id("tenant")[-20:])
    with runtime.unit_of_work(tenant_id) as session:
        told = service.shop_info(session, tenant_id)
        query = select(ListedPrice.currency, func.count()).group_by(ListedPrice.currency)
        counts = dict(session.execute(query).all())  # type: ignore[arg-type]
        shown = service.list_products(session, tenant_id, currency="EUR", limit=200).items
        everything = service.list_products(session, tenant_id, limit=200).items
        slug = session.get_one(Tenant, tenant_id).slug
    assert told.currencies == ["USD", "CAD", "EUR"]
    assert counts == {code: len(sheet) for code, sheet in file.price_lists.items()}
    assert 100 < len(shown) < len(everything)
    assert {item.price.currency for item in shown} == {"EUR"}
    assert [r for r in check_tenant(runtime, tenant_id, slug) if not r.ok] == []
