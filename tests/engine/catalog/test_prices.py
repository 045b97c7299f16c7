"""Which price is in force, in which currency; what has none in it is not sold in it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from engine.carts import service as carts
from engine.catalog import price_list, service
from engine.catalog.errors import CurrencyNotSold, NotSoldInCurrency, PriceOver
from engine.catalog.models import ListedPrice, Variant
from engine.catalog.price_list import PriceStatus, Wanted
from engine.catalog.prices import Selling, price_of, selling_in
from engine.catalog.search import CatalogSearch, SearchRequest
from engine.customers.models import Address, Customer
from engine.kit import clock
from engine.kit.audit import AuditRow
from engine.kit.errors import Forbidden, InvalidInput, NotFound
from engine.kit.identity import Actor, Identity
from engine.kit.ids import new_id
from engine.kit.outbox import OutboxRow
from tests.currencies import price, sell_in, staff_of
from tests.shop import Shop

HOUR = timedelta(hours=1)


def now_costs(shop: Shop, sku: str, currency: str | None = None) -> int | None:
    with shop.uow() as session:
        home = session.get_one(Variant, (shop.tenant.id, shop.variants[sku]))
        assert home.price >= 0
        return price_of(session, Selling(shop.tenant.id, "USD", currency or "USD"), shop.variants[sku])


def count(shop: Shop, model: Any, *conditions: Any) -> int:
    with shop.uow() as session:
        query = select(func.count()).select_from(model).where(model.tenant_id == shop.tenant.id, *conditions)
        return session.scalar(query) or 0


def test_without_a_row_the_home_price_stands_and_nothing_is_converted(shop: Shop) -> None:
    shop.add("A", price=5000)
    assert (now_costs(shop, "A"), now_costs(shop, "A", "EUR")) == (5000, None)
    price(shop, "A", 4600, "EUR")
    assert (now_costs(shop, "A"), now_costs(shop, "A", "EUR"), now_costs(shop, "A", "GBP")) == (5000, 4600, None)


def test_a_price_for_a_time_starts_and_ends_by_itself(shop: Shop) -> None:
    shop.add("A", price=5000)
    now = clock.now()
    price(shop, "A", 4000, starts_at=now + HOUR, ends_at=now + 3 * HOUR, compare_at=5000)
    seen = []
    for hours in (0, 1, 2, 3, 4):
        with clock.shifted(timedelta(hours=hours, minutes=1)):
            seen.append(now_costs(shop, "A"))
    assert seen == [5000, 4000, 4000, 5000, 5000]


def test_the_narrowest_price_wins(shop: Shop) -> None:
    """An end goes before none, then the last start: a flash sale within a sale within a new price from today."""
    shop.add("A", price=5000)
    now = clock.now()
    price(shop, "A", 4800, starts_at=now - HOUR)
    price(shop, "A", 4000, starts_at=now - 2 * HOUR, ends_at=now + 5 * HOUR)
    price(shop, "A", 3000, starts_at=now - HOUR, ends_at=now + 2 * HOUR)
    seen = []
    for hours in (0, 3, 6):
        with clock.shifted(timedelta(hours=hours)):
            seen.append(now_costs(shop, "A"))
    assert seen == [3000, 4000, 4800]


def test_setting_the_same_time_again_takes_its_place_and_is_told(shop: Shop) -> None:
    shop.add("A", price=5000)
    first, again = price(shop, "A", 4600, "EUR"), price(shop, "A", 4700, "EUR")
    assert (again.id, str(again.price), again.status, again.source) == (first.id, "€47.00", "in_force", "key_prices")
    assert count(shop, ListedPrice) == 1
    with shop.uow() as session:
        changed = select(OutboxRow).where(OutboxRow.topic == "catalog.price_changed").order_by(OutboxRow.id)
        told = session.scalars(changed).all()
        noted = session.scalars(
            select(AuditRow).where(AuditRow.action == "catalog.set_price").order_by(AuditRow.id)
        ).all()
    assert [(row.payload["from"], row.payload["to"], row.payload["currency"]) for row in told] == [
        (None, 4600, "EUR"),
        (4600, 4700, "EUR"),
    ]
    assert [row.facts["to"] for row in noted] == [4600, 4700]


def test_the_home_price_without_a_time_is_the_items_own(shop: Shop) -> None:
    shop.add("A", price=5000)
    view = price(shop, "A", 5500)
    assert (view.id, str(view.price), view.source) == (None, "$55.00", "home")
    assert (now_costs(shop, "A"), count(shop, ListedPrice)) == (5500, 0)


def test_ending_a_price(shop: Shop) -> None:
    shop.add("A", price=5000)
    euros, later = price(shop, "A", 4600, "EUR"), price(shop, "A", 1, starts_at=clock.now() + HOUR)
    with shop.uow() as session:
        assert price_list.end(session, staff_of(shop), euros.id or "").status == PriceStatus.ENDED
        assert price_list.end(session, staff_of(shop), later.id or "").status == PriceStatus.ENDED
    assert (now_costs(shop, "A", "EUR"), count(shop, ListedPrice)) == (None, 1)
    with shop.uow() as session, pytest.raises(PriceOver):
        price_list.end(session, staff_of(shop), euros.id or "")
    with shop.uow() as session, pytest.raises(NotFound):
        price_list.end(session, staff_of(shop), later.id or "")


@pytest.mark.parametrize(
    "bad",
    [
        {"currency": "XXX", "amount": 1},
        {"currency": "EUR", "amount": -1},
        {"currency": "EUR", "amount": 100_000_001},
        {"amount": 100, "compare_at": 200},
        {"currency": "EUR", "amount": 100, "compare_at": 100, "ends_at": 1},
        {"amount": 100, "ends_at": -1},
        {"amount": 100, "starts_at": 2, "ends_at": 1},
    ],
)
def test_a_price_that_cannot_be_changes_nothing(shop: Shop, bad: dict[str, Any]) -> None:
    shop.add("A", price=5000)
    times = {key: clock.now() + bad[key] * HOUR for key in ("starts_at", "ends_at") if key in bad}
    with shop.uow() as session, pytest.raises(InvalidInput):
        price_list.set_prices(session, staff_of(shop), [Wanted("A", 4999), Wanted("A", **(bad | times))])
    assert (now_costs(shop, "A"), count(shop, ListedPrice)) == (5000, 0)


def test_only_staff_and_only_known_items(shop: Shop) -> None:
    shop.add("A")
    shopper = shop.shopper()
    with shop.uow() as session, pytest.raises(Forbidden):
        price_list.set_prices(session, shopper, [Wanted("A", 1)])
    with shop.uow() as session, pytest.raises(Forbidden):
        price_list.end(session, shopper, "prc_x")
    with shop.uow() as session, pytest.raises(NotFound):
        price_list.set_prices(session, staff_of(shop), [Wanted("A", 1, "EUR"), Wanted("B", 1)])
    assert (now_costs(shop, "A"), count(shop, ListedPrice)) == (5000, 0)


def test_the_list_by_page_currency_and_status(shop: Shop) -> None:
    shop.add("A"), shop.add("B")
    now = clock.now()
    price(shop, "A", 4600, "EUR")
    price(shop, "A", 4000, "EUR", starts_at=now - HOUR, ends_at=now + HOUR)
    price(shop, "B", 100, "GBP", starts_at=now + HOUR)
    with shop.uow() as session:
        first = price_list.listed(session, shop.tenant.id, limit=2)
        rest = price_list.listed(session, shop.tenant.id, limit=2, cursor=first.next_cursor)
        behind = price_list.listed(session, shop.tenant.id, status=PriceStatus.BEHIND)
        pounds = price_list.listed(session, shop.tenant.id, currency="GBP")
        of_a = price_list.listed(session, shop.tenant.id, sku="A")
    assert [row.status for row in [*first.items, *rest.items]] == ["behind", "in_force", "scheduled"]
    assert rest.next_cursor is None
    assert [str(row.price) for row in behind.items] == ["€46.00"]
    assert [row.sku for row in pounds.items] == ["B"]
    assert [row.sku for row in of_a.items] == ["A", "A"]


def test_products_are_shown_in_the_currency_asked_for(shop: Shop) -> None:
    sell_in(shop, "EUR", "JPY")
    shop.add("A", price=5000), shop.add("B", price=7000)
    price(shop, "A", 4600, "EUR")
    price(shop, "A", 4000, "EUR", ends_at=clock.now() + HOUR, compare_at=4600)
    with shop.uow() as session:
        page = service.list_products(session, shop.tenant.id, currency="EUR")
        assert [(item.title, str(item.price)) for item in page.items] == [("Thing A", "€40.00")]
        assert str(page.items[0].variants[0].compare_at) == "€46.00"
        home = service.list_products(session, shop.tenant.id)
        assert [str(item.price) for item in home.items] == ["$50.00", "$70.00"]
        assert service.list_products(session, shop.tenant.id, currency="JPY").items == []
        assert service.list_products(session, shop.tenant.id, currency="EUR", max_price=3999).items == []
        with pytest.raises(NotFound):
            service.product(session, shop.tenant.id, shop.variants["B"], currency="EUR")
        with pytest.raises(CurrencyNotSold, match="USD and EUR and JPY, not in GBP"):
            service.list_products(session, shop.tenant.id, currency="GBP")


def test_search_filters_and_sorts_by_the_price_in_force(shop: Shop) -> None:
    sell_in(shop, "EUR")
    for sku, home, euros in (("A", 5000, 300), ("B", 3000, 500), ("C", 1000, None)):
        shop.add(sku, price=home, search_strong="thing")
        if euros:
            price(shop, sku, euros, "EUR")
    price(shop, "A", 900, ends_at=clock.now() + HOUR)

    def found(**more: Any) -> list[str]:
        with shop.uow() as session:
            page = CatalogSearch().search(session, shop.tenant.id, SearchRequest(**more))
        return [item.title[-1] for item in page.items]

    assert found(sort="price_low") == ["A", "C", "B"]
    assert found(sort="price_low", currency="EUR") == ["A", "B"]
    assert found(query="thing", max_price=400, currency="EUR") == ["A"]
    assert found(query="thing", max_price=950) == ["A"]


def test_a_cart_is_in_one_currency_and_refuses_what_is_not_sold_in_it(shop: Shop) -> None:
    sell_in(shop, "EUR")
    shop.add("A", price=5000), shop.add("B", price=7000)
    price(shop, "A", 4600, "EUR")
    buyer = shop.shopper()
    with shop.uow() as session:
        assert carts.set_currency(session, buyer, "EUR").total.currency == "EUR"
    shop.fill(buyer, "A", 2)
    with pytest.raises(NotSoldInCurrency, match="That is not sold in EUR"):
        shop.fill(buyer, "B")
    with shop.uow() as session:
        view = carts.view(session, buyer)
        assert (str(view.total), [line.sku for line in view.lines]) == ("€92.00", ["A"])
        assert str(carts.set_currency(session, buyer, "USD").total) == "$100.00"
    shop.fill(buyer, "B")
    with shop.uow() as session, pytest.raises(NotSoldInCurrency, match="Thing B: not sold in EUR"):
        carts.set_currency(session, buyer, "EUR")
    with shop.uow() as session:
        assert str(carts.view(session, buyer).total) == "$170.00"
        with pytest.raises(CurrencyNotSold):
            carts.set_currency(session, buyer, "CHF")


def test_what_loses_its_price_stays_in_the_cart_and_says_so(shop: Shop) -> None:
    sell_in(shop, "EUR")
    shop.add("A")
    euros = price(shop, "A", 4600, "EUR")
    buyer = shop.shopper()
    with shop.uow() as session:
        carts.set_currency(session, buyer, "EUR")
    shop.fill(buyer, "A")
    with shop.uow() as session:
        price_list.end(session, staff_of(shop), euros.id or "")
        view = carts.view(session, buyer)
    assert (view.lines[0].unit_price, view.lines[0].available, view.total.amount) == (None, 0, 0)
    assert view.notices == ["Thing A is not sold in EUR."]


def test_a_known_address_decides_what_a_new_cart_is_in(shop: Shop) -> None:
    sell_in(shop, "CAD", currency_by_country={"CA": "CAD", "GB": "GBP"})
    shop.add("A", price=5000)
    price(shop, "A", 6800, "CAD")
    assert [str(_first_cart(shop, country).total) for country in ("CA", "GB", "US")] == [
        "CA$68.00",
        "$50.00",
        "$50.00",
    ]


def _first_cart(shop: Shop, country: str) -> Any:
    with shop.uow() as session:
        customer = Customer(tenant_id=shop.tenant.id, id=new_id("customer"), email=f"{country}@example.com", name="A")
        session.add(customer)
        session.flush()
        session.add(
            Address(
                tenant_id=shop.tenant.id,
                id=new_id("address"),
                customer_id=customer.id,
                name="A",
                line_one="1 St",
                city="X",
                state="ON",
                postal_code="1",
                country=country,
                is_default=True,
            )
        )
        session.flush()
        identity = Identity(shop.tenant.id, Actor.SHOPPER, new_id("shopper"), customer_id=customer.id)
        return carts.add(session, identity, shop.variants["A"], quantity=1, options={}).cart


def test_a_shop_sells_at_home_without_a_rule(shop: Shop) -> None:
    with shop.uow() as session:
        assert selling_in(session, shop.tenant.id).currency == "USD"
        assert selling_in(session, shop.tenant.id, "USD").is_home
