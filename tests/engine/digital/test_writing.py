"""A merchant says that an item is digital: by the API, in files both ways; the report of gaps and the feed know it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import select

from engine.agentic.feed import feed_of, products
from engine.catalog import authoring, gaps, service
from engine.catalog.bulk import exporting
from engine.catalog.drafting import NewProduct, VariantIn
from engine.catalog.models import Variant
from engine.catalog.shop_file import StockPolicy, VariantRow
from engine.kit.errors import Conflict, DomainError
from engine.shipping.digital import Digital
from tests.engine.catalog.test_authoring import staff
from tests.engine.catalog.test_bulk import counts, load
from tests.engine.digital.goods import add_digital
from tests.shop import Shop

CSV = """slug,title,category,status,tax_category,sku,price,digital:access_url,digital:codes,digital:days
guide,Trail Guide,guides,active,digital,GUIDE,1500,https://read.example/{order},true,30
"""


def book(**digital: Any) -> dict[str, Any]:
    return {"sku": "BOOK", "price": 900, "digital": digital}


def test_how_it_is_counted_follows_from_what_it_gives() -> None:
    for kind in (VariantIn, VariantRow):
        more = {"cost": 0}
        assert kind(**book(access_url="https://a.example") | more).stock_policy == StockPolicy.UNTRACKED
        assert kind(**book(codes=True) | more).stock_policy == StockPolicy.DENY
        for wrong in (
            {"sku": "BOOK", "price": 900},
            book(codes=True) | {"stock_policy": "backorder"},
            book(),
        ):
            with pytest.raises(ValidationError):
                kind(**wrong | more)


@pytest.mark.parametrize(
    "url",
    ["http://a.example", "https://", "https://{order}.example", "https://a.example/{code}", "https://a.example/{order!r}",
     "https://a.example/{order:>99}", "https://a.example/{", "https://a.example/a b", "https://a.example/{}"],
)  # fmt: skip
def test_an_address_names_only_what_we_fill_in(url: str) -> None:
    with pytest.raises(ValidationError):
        Digital(access_url=url)


def test_it_is_said_once(shop: Shop) -> None:
    people = staff(shop)
    wanted = NewProduct(
        slug="book", title="Book", category="books", status="active", tax_category="digital",
        variants=[VariantIn(**book(access_url="https://a.example/{order}"))],
    )  # fmt: skip
    with shop.uow() as session:
        made = authoring.create(session, people, wanted)
    (variant,) = made.variants
    assert (variant.digital, variant.stock_policy, variant.weight_g) == (
        Digital(access_url="https://a.example/{order}"),
        StockPolicy.UNTRACKED,
        0,
    )
    for change in ({"digital": None, "weight_g": 5}, {"digital": {"codes": True}}):
        with pytest.raises(Conflict), shop.uow() as session:
            authoring.change_variant(session, people, variant.id, change)
    with shop.uow() as session:
        said = {"digital": {"access_url": "https://b.example", "days": 7}}
        changed = authoring.change_variant(session, people, variant.id, said)
        assert changed.variants[0].digital == Digital(access_url="https://b.example", days=7)
        (shown,) = service.list_products(session, shop.tenant.id, currency="USD").items
        assert shown.variants[0].model_dump(mode="json")["digital"] is True


def test_what_has_a_parcel_does_not_become_digital(shop: Shop) -> None:
    lamp = shop.add("LAMP")
    with pytest.raises(DomainError), shop.uow() as session:
        authoring.change_variant(session, staff(shop), lamp, {"digital": {"codes": True}})
    with shop.uow() as session:
        assert session.get_one(Variant, (shop.tenant.id, lamp)).digital is None


@pytest.mark.parametrize("form", ["csv", "json"])
def test_a_file_says_it_and_what_is_written_out_changes_nothing(shop: Shop, form: str) -> None:
    assert counts(load(shop, CSV)) == (1, 0, 0, 0)
    with shop.uow() as session:
        row = session.scalars(select(Variant)).one()
        assert (row.digital, row.stock_policy) == (
            {"access_url": "https://read.example/{order}", "codes": True, "days": 30, "instructions": ""},
            "deny",
        )
        write = exporting.to_csv if form == "csv" else exporting.to_json
        text = write(session, shop.tenant.id)
    assert counts(load(shop, text, form))[0] == 0
    assert counts(load(shop, text, form))[1] == 0
    if form == "json":
        assert "stock" not in json.loads(text)["products"][0]["variants"][0]


def test_a_pool_without_codes_is_a_gap_and_no_parcel_is_measured(shop: Shop) -> None:
    add_digital(shop, "KEY", digital={"codes": True})
    add_digital(shop, "BOOK", digital={"access_url": "https://a.example"})
    with shop.uow() as session:
        found = {one.slug: {gap.kind for gap in one.gaps} for one in gaps.report(session, shop.tenant.id).items}
    assert "no_codes" in found["key"]
    assert not {"no_codes", "no_stock", "no_parcel_size", "no_materials"} & found["book"]


def test_the_feed_tells_whether_it_can_be_had(shop: Shop) -> None:
    add_digital(shop, "KEY", digital={"codes": True})
    add_digital(shop, "BOOK", digital={"access_url": "https://a.example"})
    with shop.uow() as session:
        feed = feed_of(session, shop.tenant.id, None, web_origin="https://shop.example")
        told = {one["title"]: one["variants"][0]["availability"] for one in products(session, feed)}
    assert told == {
        "Thing KEY": {"available": False, "status": "out_of_stock"},
        "Thing BOOK": {"available": True, "status": "in_stock"},
    }
