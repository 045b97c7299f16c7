from __future__ import annotations

import pytest
from sqlalchemy import event, select

from engine.catalog import service
from engine.catalog.errors import OptionNotOffered, OutOfStock
from engine.catalog.models import Product, Variant
from engine.inventory import queries
from engine.inventory.models import StockLevel, StockMovement
from engine.kit.audit import AuditRow
from engine.kit.errors import Forbidden, InvalidInput, NotFound
from engine.kit.identity import Actor, Identity
from engine.kit.outbox import OutboxRow
from tests.engine.catalog.conftest import PRODUCTS, Catalog


def test_a_product_is_found_by_its_id_and_by_its_variants(catalog: Catalog) -> None:
    product_id = catalog.product("ridge-tent")
    with catalog.uow() as session:
        by_variant = service.product(session, catalog.tenant_id, catalog.variant("RIDGE-TENT-1"))
        detail = service.product(session, catalog.tenant_id, product_id)
    assert by_variant == detail
    assert detail.id == product_id
    assert detail.image == f"/media/products/{product_id}.svg"
    assert str(detail.price) == "$190.00"
    assert detail.options == {"size": ["regular", "large"], "color": ["slate blue", "moss green"]}
    assert list(detail.options) == ["size", "color"]
    assert [(v.title, v.available) for v in detail.variants] == [
        ("Ridge Tent (regular, slate blue)", 7),
        ("Ridge Tent (regular, moss green)", 9),
        ("Ridge Tent (large, slate blue)", 0),
    ]
    assert (detail.attributes, detail.weight_g) == ({"sleeps": 2, "waterproof": True}, 500)


@pytest.mark.parametrize("item_id", ["prd_nope", "var_nope", "", "ridge-tent"])
def test_an_unknown_product_is_not_found(catalog: Catalog, item_id: str) -> None:
    with catalog.uow() as session, pytest.raises(NotFound):
        service.product(session, catalog.tenant_id, item_id)


def test_reserved_units_are_not_available(catalog: Catalog) -> None:
    variant_id = catalog.variant("RIDGE-TENT-0")
    with catalog.uow() as session:
        for level in session.scalars(select(StockLevel).where(StockLevel.variant_id == variant_id)):
            level.reserved = level.on_hand - 1
    with catalog.uow() as session:
        detail = service.product(session, catalog.tenant_id, variant_id)
    assert detail.variants[0].available == 2


def test_what_is_not_on_sale_is_not_shown(catalog: Catalog) -> None:
    ids = [catalog.product("dome-tent"), catalog.product("ridge-tent")]
    with catalog.uow() as session:
        session.scalars(select(Product).where(Product.id == ids[0])).one().status = "archived"
        session.scalars(select(Variant).where(Variant.sku == "RIDGE-TENT-1")).one().sellable = False
    with catalog.uow() as session:
        shown = service.products(session, catalog.tenant_id, ids)
        listed = service.list_products(session, catalog.tenant_id)
    assert [(item.id, str(item.price)) for item in shown] == [(ids[1], "$200.00")]
    assert ids[0] not in {item.id for item in listed.items}


def test_products_come_in_the_order_asked_in_two_queries(catalog: Catalog) -> None:
    ids = [catalog.product(row["slug"]) for row in reversed(PRODUCTS)]
    said: list[str] = []
    with catalog.uow() as session:
        event.listen(session.connection(), "before_cursor_execute", lambda *args: said.append(args[2]))
        shown = service.products(session, catalog.tenant_id, [*ids, "prd_gone"])
    assert [item.id for item in shown] == ids
    assert len(said) == 2


def test_another_shop_sees_nothing(catalog: Catalog, make_tenant) -> None:
    product_id, other = catalog.product("ridge-tent"), make_tenant()
    with catalog.store.unit_of_work(other.id) as session:
        assert service.products(session, other.id, [product_id]) == []
        assert service.products(session, catalog.tenant_id, [product_id]) == []
        assert service.categories(session, other.id) == []


def test_categories_count_what_is_on_sale(catalog: Catalog) -> None:
    with catalog.uow() as session:
        found = {row.name: row.products for row in service.categories(session, catalog.tenant_id)}
    assert found == {
        "camp stoves": 1, "headlamps": 1, "knives": 1, "rain jackets": 1, "tent accessories": 1, "tents": 2,
    }  # fmt: skip


def test_the_list_is_paged_without_gap_or_repeat(catalog: Catalog) -> None:
    seen, cursor = [], None
    for _ in range(10):
        with catalog.uow() as session:
            page = service.list_products(session, catalog.tenant_id, limit=3, cursor=cursor)
        seen += [item.id for item in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert catalog.slugs(seen) == [row["slug"] for row in PRODUCTS]


def test_the_list_is_filtered(catalog: Catalog) -> None:
    with catalog.uow() as session:
        listed = lambda **wanted: catalog.slugs(  # noqa: E731 (a local shorthand)
            [item.id for item in service.list_products(session, catalog.tenant_id, **wanted).items]
        )
        assert listed(category="tent") == ["ridge-tent", "dome-tent"]
        assert listed(category="tents", in_stock=True) == ["ridge-tent"]
        assert listed(max_price=4000) == ["tent-pegs", "camp-knife"]
        assert listed(max_price=3999) == ["tent-pegs"]
        assert listed(category="spaceships") == []


@pytest.mark.parametrize("wanted", [{"cursor": "x"}, {"cursor": "WzEsMl0"}, {"limit": 0}, {"limit": 201}])
def test_a_bad_page_is_refused(catalog: Catalog, wanted) -> None:
    with catalog.uow() as session, pytest.raises(InvalidInput):
        service.list_products(session, catalog.tenant_id, **wanted)


def test_products_are_compared_by_what_they_share(catalog: Catalog) -> None:
    ids = [catalog.product("ridge-tent"), catalog.product("dome-tent")]
    with catalog.uow() as session:
        found = service.compare(session, catalog.tenant_id, ids)
    rows = {row.name: row.values for row in found.rows}
    assert [item.id for item in found.items] == ids
    assert rows["price"] == ["$190.00", "$300.00"]
    assert rows["sleeps"] == ["2", "4"]
    assert rows["waterproof"] == ["yes", "no"]
    assert rows["rating"] == ["4.5", ""]
    assert "materials" not in rows


def test_one_product_is_no_comparison(catalog: Catalog) -> None:
    product_id = catalog.product("ridge-tent")
    with catalog.uow() as session:
        with pytest.raises(InvalidInput):
            service.compare(session, catalog.tenant_id, [product_id, catalog.variant("RIDGE-TENT-0")])
        with pytest.raises(NotFound):
            service.compare(session, catalog.tenant_id, [product_id, "prd_nope"])


def pick(catalog: Catalog, item_id: str, **options: str) -> tuple[str, str, list[str]]:
    with catalog.uow() as session:
        chosen, reason, others, _ = service.pick_variant(session, catalog.tenant_id, item_id, options)
        return chosen.sku, reason, [other.sku for other in others]


def test_a_variant_named_is_taken_even_when_it_is_out_of_stock(catalog: Catalog) -> None:
    sku, reason, others = pick(catalog, catalog.variant("RIDGE-TENT-2"), color="orange")
    assert (sku, reason, others) == ("RIDGE-TENT-2", "named exactly", ["RIDGE-TENT-0", "RIDGE-TENT-1"])


def test_of_a_product_the_one_with_most_in_stock_is_picked(catalog: Catalog) -> None:
    product_id = catalog.product("ridge-tent")
    assert pick(catalog, product_id) == ("RIDGE-TENT-1", "most in stock", ["RIDGE-TENT-0"])
    assert pick(catalog, product_id, color="blue") == ("RIDGE-TENT-0", "most in stock in color blue", ["RIDGE-TENT-1"])
    assert pick(catalog, product_id, Color="moss")[:2] == ("RIDGE-TENT-1", "the only one in Color moss")
    assert pick(catalog, catalog.product("rain-shell"), size="medium")[0] == "RAIN-SHELL-1"


def test_out_of_stock_names_what_there_is(catalog: Catalog) -> None:
    with pytest.raises(OutOfStock) as refused:
        pick(catalog, catalog.product("ridge-tent"), size="large")
    assert refused.value.message == (
        "Ridge Tent (large, slate blue) is out of stock. "
        "In stock: Ridge Tent (regular, slate blue), Ridge Tent (regular, moss green)."
    )
    with pytest.raises(OutOfStock, match="Nothing of this product"):
        pick(catalog, catalog.product("dome-tent"))


def test_an_option_that_is_not_made_names_the_choice(catalog: Catalog) -> None:
    with pytest.raises(OptionNotOffered, match=r"There is no color 'pink'\. Offered are size: regular, large; color"):
        pick(catalog, catalog.product("ridge-tent"), color="pink")
    with pytest.raises(OptionNotOffered, match="Not made as size large, color moss green"):
        pick(catalog, catalog.product("ridge-tent"), size="large", color="moss green")
    with pytest.raises(NotFound):
        pick(catalog, "prd_nope")


def test_a_new_price_is_shown_told_and_audited(catalog: Catalog) -> None:
    variant_id, product_id = catalog.variant("TENT-PEGS-0"), catalog.product("tent-pegs")
    with catalog.uow() as session:
        service.set_price(session, catalog.staff, variant_id=variant_id, amount=750)
    with catalog.uow() as session:
        assert str(service.product(session, catalog.tenant_id, product_id).price) == "$7.50"
        told = session.scalars(select(OutboxRow).where(OutboxRow.topic == "catalog.price_changed")).one()
        noted = session.scalars(select(AuditRow)).one()
    facts = {"variant_id": variant_id, "from": 900, "to": 750}
    assert (told.consumer, told.subject_id, told.payload) == ("search", product_id, facts)
    assert (noted.actor, noted.action, noted.subject, noted.facts) == (
        catalog.staff.id, "catalog.set_price", variant_id, facts,
    )  # fmt: skip


@pytest.mark.parametrize("amount", [-1, 100_000_001])
def test_a_price_out_of_bounds_changes_nothing(catalog: Catalog, amount: int) -> None:
    variant_id = catalog.variant("TENT-PEGS-0")
    with pytest.raises(InvalidInput), catalog.uow() as session:
        service.set_price(session, catalog.staff, variant_id=variant_id, amount=amount)
    shopper = Identity(catalog.tenant_id, Actor.SHOPPER, "shp_1")
    with pytest.raises(Forbidden), catalog.uow() as session:
        service.set_price(session, shopper, variant_id=variant_id, amount=1)
    with catalog.uow() as session:
        assert session.scalars(select(Variant.price).where(Variant.id == variant_id)).one() == 900
        assert session.scalars(select(AuditRow)).all() == []


def test_an_update_changes_words_and_titles(catalog: Catalog) -> None:
    product_id = catalog.product("ridge-tent")
    with catalog.uow() as session:
        service.update_product(session, catalog.staff, product_id=product_id, changes={"title": "Crest Tent"})
    with catalog.uow() as session:
        row = session.scalars(select(Product).where(Product.id == product_id)).one()
        detail = service.product(session, catalog.tenant_id, product_id)
    assert row.search_strong.startswith("crest tent crest tent")
    assert detail.variants[0].title == "Crest Tent (regular, slate blue)"
    with pytest.raises(InvalidInput), catalog.uow() as session:
        service.update_product(session, catalog.staff, product_id=product_id, changes={"tenant_id": "x"})


def test_the_shop_speaks_for_itself(catalog: Catalog) -> None:
    with catalog.uow() as session:
        info = service.shop_info(session, catalog.tenant_id)
    assert (info.name, info.currency, info.ships_to) == ("Test Shop", "USD", ["GB", "US"])
    assert [zone.zone for zone in info.shipping] == ["World"]


def test_the_import_keeps_a_ledger_of_its_stock(catalog: Catalog) -> None:
    with catalog.uow() as session:
        levels = {
            (row.variant_id, row.location_id): row.on_hand for row in session.scalars(select(StockLevel)) if row.on_hand
        }
        moved = {(row.variant_id, row.location_id): row.on_hand_delta for row in session.scalars(select(StockMovement))}
        told = session.scalars(select(OutboxRow.subject_id)).all()
    assert levels == moved
    assert len(told) == len(PRODUCTS)


@pytest.mark.parametrize(("query", "skus"), [
    ("tent-pegs-0", ["TENT-PEGS-0"]),
    ("RIDGE-TENT", ["RIDGE-TENT-0", "RIDGE-TENT-1", "RIDGE-TENT-2"]),
    ("dome tents", ["DOME-TENT-0"]),
    ("", []),
    ("zebra", []),
])  # fmt: skip
def test_stock_is_shown_by_location(catalog: Catalog, query: str, skus: list[str]) -> None:
    with catalog.uow() as session:
        rows = queries.by_location(session, catalog.tenant_id, query)
    assert [row.sku for row in rows] == skus


def test_stock_by_location_counts_what_is_promised(catalog: Catalog) -> None:
    variant_id = catalog.variant("RIDGE-TENT-0")
    with catalog.uow() as session:
        session.scalars(
            select(StockLevel).where(StockLevel.variant_id == variant_id, StockLevel.on_hand == 4)
        ).one().reserved = 1
    with catalog.uow() as session:
        [row] = queries.by_location(session, catalog.tenant_id, variant_id)
        assert len(queries.by_location(session, catalog.tenant_id, catalog.product("ridge-tent"))) == 3
    assert [(at.code, at.on_hand, at.reserved, at.available) for at in row.locations] == [
        ("EAST", 3, 0, 3),
        ("WEST", 4, 1, 3),
    ]
    assert row.available == 6
