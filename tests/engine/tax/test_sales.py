"""Taxes in real sales: what an address asks for, prices with tax in them through an order's whole life."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, select

from engine.checkout import facts, service
from engine.checkout.complete import Result, complete
from engine.checkout.models import CheckoutSession
from engine.finance.models import Account
from engine.fulfillment.release import release
from engine.fulfillment.shipments import ship_now
from engine.kit import clock
from engine.kit.ids import new_id
from engine.orders.documents import invoices
from engine.orders.models import Order, OrderLine
from engine.orders.seller import SellerPolicy
from engine.tax.models import Level, TaxRate
from engine.tax.policy import TaxPolicy
from engine.tax.service import rules_at
from tests.engine.orders.desk import Desk, broken, buy, limit, sibling
from tests.shop import ADDRESS, Shop


def add_rate(shop: Shop, name: str, rate_ppm: int, **fields: Any) -> str:
    usual: dict[str, Any] = {"country": "US", "region": "WA", "valid_from": date(2020, 1, 1)}
    row = TaxRate(tenant_id=shop.tenant.id, id=new_id("tax"), name=name, rate_ppm=rate_ppm, **(usual | fields))
    with shop.uow() as session:
        session.add(row)
    return row.id


def names_at(shop: Shop, **address: str) -> list[str]:
    with shop.uow() as session:
        found = rules_at(session, shop.tenant.id, ADDRESS | address, currency="USD")
    return [levy.name for levy in found.levies]


def included(desk_or_shop: Desk | Shop, **more: Any) -> None:
    shop = desk_or_shop.shop if isinstance(desk_or_shop, Desk) else desk_or_shop
    limit(Desk(shop, shop.shopper(), ""), TaxPolicy, prices_include_tax=True, **more)


def stamp_of(shop: Shop, session_id: str) -> str:
    with shop.uow() as session:
        return facts.read(session, session.get_one(CheckoutSession, (shop.tenant.id, session_id))).stamp


def test_an_address_lies_in_the_places_that_fit_it(shop: Shop) -> None:
    add_rate(shop, "King County", 10_000, level=Level.COUNTY, postal_prefixes=["981", "980 1"])
    add_rate(shop, "Seattle", 20_000, level=Level.CITY, city="Seattle")
    add_rate(shop, "Oregon", 30_000, region="OR")
    assert names_at(shop, postal_code="97204") == ["WA tax"]
    assert names_at(shop, postal_code="98101", city="SEATTLE") == ["WA tax", "King County", "Seattle"]
    assert names_at(shop, postal_code="98 011", city="Bothell") == ["WA tax", "King County"]
    assert names_at(shop, state="OR") == ["Oregon"]
    assert names_at(shop, state="CA") == []


def test_a_rate_holds_from_its_first_to_its_last_day(shop: Shop) -> None:
    today = clock.now().date()
    add_rate(shop, "Old", 1, valid_from=today - timedelta(days=9), valid_to=today - timedelta(days=1))
    add_rate(shop, "Last day", 2, valid_from=today - timedelta(days=9), valid_to=today)
    add_rate(shop, "First day", 3, valid_from=today)
    add_rate(shop, "Tomorrow", 4, valid_from=today + timedelta(days=1))
    assert names_at(shop) == ["First day", "Last day", "WA tax"]


def test_a_newer_rate_takes_the_place_of_an_older_one_of_the_same_name(shop: Shop) -> None:
    add_rate(shop, "WA tax", 120_000, valid_from=date(2024, 1, 1))
    with shop.uow() as session:
        (levy,) = rules_at(session, shop.tenant.id, ADDRESS, currency="USD").levies
        (before,) = rules_at(session, shop.tenant.id, ADDRESS, currency="USD", on=date(2023, 12, 31)).levies
    assert (levy.rate_ppm, before.rate_ppm) == (120_000, 100_000)


def test_whatever_changes_the_tax_changes_the_stamp(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.add("A")
    checkout = shop.ready(shop.shopper(), "A")
    seen = [stamp_of(shop, checkout)]
    rate = add_rate(shop, "King County", 10_000, valid_to=clock.now().date())
    seen.append(stamp_of(shop, checkout))
    add_rate(shop, "Next week", 10_000, valid_from=clock.now().date() + timedelta(days=7))
    assert stamp_of(shop, checkout) == seen[-1]
    with shop.uow() as session:
        session.get_one(TaxRate, (shop.tenant.id, rate)).rate_ppm = 20_000
    seen.append(stamp_of(shop, checkout))
    included(shop)
    seen.append(stamp_of(shop, checkout))
    tomorrow = clock.now() + timedelta(days=1)
    monkeypatch.setattr(clock, "now", lambda: tomorrow)
    seen.append(stamp_of(shop, checkout))
    assert len(set(seen)) == 5


def test_a_rate_that_came_in_between_asks_for_another_yes(shop: Shop) -> None:
    shop.add("A")
    buyer = shop.shopper()
    consent = shop.approved(buyer, "A")
    add_rate(shop, "Seattle", 20_000, level=Level.CITY)
    assert complete(shop.runtime, buyer, consent).result != Result.PAID
    with shop.uow() as session:
        assert session.scalars(select(Order)).all() == []


def test_places_are_kept_with_the_order(shop: Shop) -> None:
    add_rate(shop, "Seattle", 20_000, level=Level.CITY)
    shop.add("A")
    desk = buy(shop, "A", 2)  # 2 x 50.00 at 10 % + 2 %; shipping 5.95 at 10 %
    with shop.uow() as session:
        order = session.scalars(select(Order)).one()
        (line,) = session.scalars(select(OrderLine)).all()
    state = {"jurisdiction": "WA tax", "level": "region", "rate_ppm": 100_000}
    city = {"jurisdiction": "Seattle", "level": "city", "rate_ppm": 20_000}
    assert line.taxes == [state | {"amount": 1000}, city | {"amount": 200}]
    assert order.taxes == [state | {"amount": 1060, "of_shipping": 60}, city | {"amount": 200, "of_shipping": 0}]
    assert (line.tax, order.tax, order.shipping_tax, order.total) == (1200, 1260, 60, 10000 + 595 + 1260)
    assert desk.look().totals[-2].display_text == "Tax: WA tax, Seattle"
    assert broken(shop) == []


def test_prices_with_tax_in_them(shop: Shop) -> None:
    """100.00 with 10 % in it: 9.09 tax. Shipping 5.95: 0.54 tax, 5.41 without. Deposits 105.95 - 9.63."""
    included(shop)
    shop.add("A")
    desk = buy(shop, "A", 2)
    with shop.uow() as session:
        order = session.scalars(select(Order)).one()
        (line,) = session.scalars(select(OrderLine)).all()
    assert (order.total, order.tax, order.shipping, order.shipping_tax) == (10595, 963, 541, 54)
    assert (line.tax, line.tax_included, order.tax_included) == (909, True, True)
    told = [(row.type, row.amount, row.included) for row in desk.look().totals]
    assert told == [
        ("items_base_amount", 10000, False),
        ("subtotal", 10000, False),
        ("fulfillment", 595, False),
        ("tax", 963, True),
        ("total", 10595, False),
    ]
    assert desk.balances()[Account.CUSTOMER_DEPOSITS] == -9632
    assert desk.balances()[Account.TAX_PAYABLE] == -963
    assert broken(shop) == []


def test_parcels_earn_the_price_without_its_tax(shop: Shop) -> None:
    included(shop)
    shop.add("A")
    desk = buy(shop, "A", 2)
    before = desk.balances()
    with shop.uow() as session:
        (work,) = [one.id for one in release(session, shop.tenant.id, desk.order_id)]
    ship_now(shop.runtime, shop.tenant.id, work)
    after = desk.balances()
    assert after[Account.REVENUE] - before.get(Account.REVENUE, 0) == -9091
    assert after[Account.SHIPPING_REVENUE] == -541
    assert after.get(Account.CUSTOMER_DEPOSITS, 0) == 0
    assert broken(shop) == []


def test_a_unit_that_is_canceled_comes_back_with_the_tax_in_it(shop: Shop) -> None:
    included(shop)
    shop.add("A", price=999)
    desk = buy(shop, "A", 3)  # 29.97, tax in it 2.7245 -> 2.72
    change = desk.do("cancel", reason="other", lines=[{"line_id": desk.line("A").id, "quantity": 1}])
    assert change.refund.amount == 999
    assert [row.amount for row in change.totals if row.type in {"items_base_amount", "total"}] == [1998, 2593]
    assert broken(shop) == []
    desk.do("cancel", reason="other")
    assert desk.balances().get(Account.TAX_PAYABLE, 0) == 0
    assert broken(shop) == []


def test_another_address_moves_the_tax_within_the_price(shop: Shop) -> None:
    included(shop)
    shop.add("A")
    add_rate(shop, "OR tax", 250_000, region="OR", taxes_shipping=True)
    desk = buy(shop, "A", 2)
    change = desk.do("address", ship_to=ADDRESS | {"state": "OR"})
    assert (change.difference.amount, change.charge.amount, change.refund.amount) == (0, 0, 0)
    assert [row.amount for row in change.totals if row.type in {"tax", "total"}] == [2119, 10595]
    assert desk.balances()[Account.TAX_PAYABLE] == -2119  # 100.00 x 25/125 + 5.95 x 25/125 = 20.00 + 1.19
    assert broken(shop) == []


def test_another_address_with_tax_on_top(shop: Shop) -> None:
    shop.add("A")
    add_rate(shop, "OR tax", 250_000, region="OR")
    desk = buy(shop, "A", 2)  # 100.00 + 10.00, 5.95 + 0.60
    change = desk.do("address", ship_to=ADDRESS | {"state": "OR"})
    assert change.difference.amount == 2500 - 1060
    with shop.uow() as session:
        order = session.scalars(select(Order)).one()
        (line,) = session.scalars(select(OrderLine)).all()
    assert [part["jurisdiction"] for part in (*order.taxes, *line.taxes)] == ["OR tax", "OR tax"]
    assert broken(shop) == []


def test_a_swap_is_sold_as_the_order_was(shop: Shop) -> None:
    included(shop)
    shop.add("A")
    sibling(shop, "A", "B", price=6000)
    desk = buy(shop, "A", 1)
    change = desk.do("items", swaps=[{"line_id": desk.line("A").id, "to_variant_id": shop.variants["B"]}])
    assert change.charge.amount == 1000
    assert (desk.line("B").tax, desk.balances()[Account.TAX_PAYABLE]) == (545, -599)
    assert broken(shop) == []


def test_an_invoice_shows_the_net_of_prices_with_tax_in_them(shop: Shop) -> None:
    included(shop)
    limit(Desk(shop, shop.shopper(), ""), SellerPolicy, legal_name="Test Ltd", address=["1 Road"], vat_id="GB1")
    shop.add("A")
    desk = buy(shop, "A", 2)
    with shop.uow() as session:
        made = invoices.issue(session, session.get_one(Order, (shop.tenant.id, desk.order_id)), actor="test")
        assert (made.net, made.tax, made.total) == (9632, 963, 10595)
        assert made.document["rates"] == [{"rate_ppm": 100_000, "net": 9632, "tax": 963, "total": 10595}]
        assert "Unit prices include tax." in made.document["notes"]
    assert broken(shop) == []


def test_a_shop_without_rates_collects_nothing_and_says_so_abroad(shop: Shop) -> None:
    shop.add("A")
    with shop.uow() as session:
        session.execute(delete(TaxRate))
    buyer = shop.shopper()
    shop.ready(buyer, "A")
    with shop.uow() as session:
        view = service.current(session, buyer)
    assert [row.amount for row in view.totals if row.type == "tax"] == [0]
