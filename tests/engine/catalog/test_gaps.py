"""What a product lacks, weighed; and what the file that was handed in becomes."""

from __future__ import annotations

from engine.catalog import authoring, gaps
from engine.catalog.drafting import NewProduct
from tests.currencies import sell_in
from tests.engine.catalog.test_authoring import MUG, staff
from tests.shop import Shop


def add(shop: Shop, number: int, **other: object) -> None:
    variant = MUG["variants"][0] | {"sku": f"MUG-{number}", "size_mm": [90, 90, 95], "stock_policy": "untracked"}
    said = MUG | {"slug": f"mug-{number}", "motif": "mug", "description": "A mug. " * 20, "variants": [variant]}
    with shop.uow() as session:
        authoring.create(session, staff(shop), NewProduct.model_validate(said | other))


def test_the_thinnest_comes_first_with_what_to_do(shop: Shop) -> None:
    for number in range(3):
        add(shop, number)
    thin = {"facts": {}, "description": "A mug.", "motif": "", "variants": [MUG["variants"][0]]}
    add(shop, 9, **thin)
    with shop.uow() as session:
        page = gaps.report(session, shop.tenant.id)
    assert [(one.slug, one.score) for one in page.items] == [("mug-9", 40 + 25 + 30 + 20 + 10 + 15)]
    assert [gap.kind for gap in page.items[0].gaps] == [
        "no_stock", "no_parcel_size", "no_image", "short_description", "no_materials", "few_attributes",
    ]  # fmt: skip
    assert page.items[0].gaps[-1].what == "Others in mugs say: capacity."


def test_a_currency_without_a_price_is_a_gap(shop: Shop) -> None:
    add(shop, 1)
    sell_in(shop, "EUR")
    with shop.uow() as session:
        (found,) = gaps.report(session, shop.tenant.id).items
    assert [gap.what for gap in found.gaps] == ["Not every variant has a price in EUR: set one, or it is not sold."]
