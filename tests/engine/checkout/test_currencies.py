"""A sale in another currency: priced, shipped, discounted, paid, booked and changed in it; never converted."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from engine.carts import service as carts
from engine.carts.errors import CodeNotValid
from engine.catalog import price_list
from engine.catalog.policy import CatalogPolicy
from engine.checkout import service
from engine.checkout.complete import Result, complete
from engine.checkout.errors import CheckoutIncomplete
from engine.checkout.models import CheckoutSession
from engine.checks import check_tenant
from engine.finance import reports
from engine.finance import service as finance
from engine.kit import clock
from engine.kit.errors import InvalidInput
from engine.kit.identity import Identity
from engine.kit.policies import change_policy
from engine.kit.tenancy import Tenant
from engine.orders.models import Order
from engine.payments import stored_value
from engine.payments.models import Payment
from engine.payments.stored_value_models import StoredValueAccount, StoredValueKind
from tests.currencies import code, price, sell_in, staff_of
from tests.shop import ADDRESS, Shop

HOUR = timedelta(hours=1)


def ready(shop: Shop, sku: str = "A", quantity: int = 1, currency: str = "EUR") -> Identity:
    """A shopper whose checkout in that currency lacks nothing."""
    buyer = shop.shopper()
    with shop.uow() as session:
        carts.set_currency(session, buyer, currency)
    shop.ready(buyer, sku, quantity)
    return buyer


def approve(shop: Shop, buyer: Identity) -> str:
    consent = shop.card(buyer)
    shop.approve(buyer, consent.id)
    return consent.id


def seen(shop: Shop, buyer: Identity) -> Any:
    with shop.uow() as session:
        return service.current(session, buyer)


def books(shop: Shop, currency: str) -> dict[str, int]:
    with shop.uow() as session:
        sums = finance.balances(session, shop.tenant.id, currency=currency)
        return {account: amount for account, amount in sums.items() if amount}


def clean(shop: Shop) -> None:
    assert [r for r in check_tenant(shop.runtime, shop.tenant.id, shop.tenant.slug) if not r.ok] == []


def test_a_sale_is_wholly_in_its_currency(shop: Shop) -> None:
    sell_in(shop, "EUR")
    shop.add("A", price=5000)
    price(shop, "A", 4600, "EUR")
    buyer = ready(shop, quantity=2)
    view = seen(shop, buyer)
    assert (view.currency, view.problems) == ("EUR", [])
    assert {t.type: t.amount for t in view.totals} == {
        "items_base_amount": 9200, "subtotal": 9200, "fulfillment": 700, "tax": 990, "total": 10890,
    }  # fmt: skip
    assert [option.id for option in view.fulfillment_options] == ["standard"]  # overnight has no price in euros
    done = complete(shop.runtime, buyer, approve(shop, buyer))
    assert done.result == Result.PAID
    with shop.uow() as session:
        order = session.scalars(select(Order).where(Order.tenant_id == shop.tenant.id)).one()
        payment = session.scalars(select(Payment).where(Payment.tenant_id == shop.tenant.id)).one()
    assert (order.currency, order.total, payment.currency, payment.amount) == ("EUR", 10890, "EUR", 10890)
    assert books(shop, "EUR") == {"psp_clearing": 10890, "customer_deposits": -9900, "tax_payable": -990}
    assert books(shop, "USD") == {}
    clean(shop)


def test_no_decimals_and_three_decimals(shop: Shop) -> None:
    sell_in(shop, "JPY", "KWD")
    shop.add("A", price=5000)
    price(shop, "A", 7300, "JPY"), price(shop, "A", 15_250, "KWD")
    for currency, words in (("JPY", "¥8,800"), ("KWD", "17.545 KWD")):
        buyer = ready(shop, currency=currency)
        assert str(seen(shop, buyer).total) == words
        assert complete(shop.runtime, buyer, approve(shop, buyer)).result == Result.PAID
    clean(shop)


def test_a_checkout_keeps_its_currency_and_another_begins(shop: Shop) -> None:
    sell_in(shop, "EUR")
    shop.add("A", price=5000)
    price(shop, "A", 4600, "EUR")
    buyer = ready(shop)
    first = seen(shop, buyer)
    card = shop.card(buyer)
    with shop.uow() as session:
        carts.set_currency(session, buyer, "USD")
        second = service.start(session, buyer)
    assert (second.currency, second.buyer.email, second.ship_to.city) == ("USD", "ada@example.com", "Portland")
    assert second.id != first.id
    with shop.uow() as session:
        old = session.get_one(CheckoutSession, (shop.tenant.id, first.id))
    assert (old.currency, old.status) == ("EUR", "canceled")
    with pytest.raises(Exception, match=r"replaced"):
        shop.approve(buyer, card.id)


def test_what_is_not_sold_in_it_is_a_plain_refusal(shop: Shop) -> None:
    sell_in(shop, "EUR")
    shop.add("A", price=5000)
    euros = price(shop, "A", 4600, "EUR")
    buyer = ready(shop)
    with shop.uow() as session:
        price_list.end(session, staff_of(shop), euros.id or "")
    assert seen(shop, buyer).problems == ["Thing A is not sold in EUR."]
    with pytest.raises(CheckoutIncomplete, match="Thing A is not sold in EUR"):
        shop.card(buyer)


def test_a_shop_that_stops_selling_in_it(shop: Shop) -> None:
    sell_in(shop, "EUR")
    shop.add("A", price=5000)
    price(shop, "A", 4600, "EUR")
    buyer = ready(shop)
    consent = approve(shop, buyer)
    with shop.uow() as session:
        change_policy(session.get_one(Tenant, shop.tenant.id), CatalogPolicy, {"currencies": []})
    done = complete(shop.runtime, buyer, consent)
    assert (done.result, done.message) == (Result.CHANGED, "This shop does not sell in EUR.")
    assert books(shop, "EUR") == {}


def test_without_a_way_of_shipping_in_it(shop: Shop) -> None:
    shop.add("A", price=5000)
    price(shop, "A", 4600, "EUR")
    with shop.uow() as session:
        change_policy(session.get_one(Tenant, shop.tenant.id), CatalogPolicy, {"currencies": ["EUR"]})
    assert seen(shop, ready(shop)).problems == ["We do not ship this order to that address for prices in EUR."]


@pytest.mark.parametrize("edge", ["starts", "ends"])
def test_a_scheduled_price_makes_another_world(shop: Shop, edge: str) -> None:
    """A card that was approved before the price changed by itself takes no money."""
    shop.add("A", price=5000)
    now = clock.now()
    times = {"starts_at": now + HOUR} if edge == "starts" else {"ends_at": now + HOUR}
    price(shop, "A", 4000, **times)
    buyer = shop.shopper()
    shop.ready(buyer, "A")
    before, after = (5000, 4000) if edge == "starts" else (4000, 5000)
    assert seen(shop, buyer).totals[0].amount == before
    with clock.shifted(timedelta(minutes=55)):
        consent = approve(shop, buyer)
    with clock.shifted(timedelta(minutes=61)):
        done = complete(shop.runtime, buyer, consent)
        assert (done.result, seen(shop, buyer).totals[0].amount) == (Result.CHANGED, after)
        assert books(shop, "USD") == {}
        assert complete(shop.runtime, buyer, approve(shop, buyer)).result == Result.PAID


def test_a_price_that_starts_between_look_and_claim(shop: Shop) -> None:
    """The stamp of what was looked at is another one at the moment of the claim: it is looked at again, and refused."""
    from engine.checkout import claim

    shop.add("A", price=5000)
    price(shop, "A", 4000, starts_at=clock.now() + HOUR)
    buyer = shop.shopper()
    shop.ready(buyer, "A")
    with clock.shifted(timedelta(minutes=59)):
        consent = approve(shop, buyer)
        prepared = claim.prepare(shop.runtime, buyer, consent)
    with clock.shifted(timedelta(minutes=61)), pytest.raises(claim.Changed, match="total or the details changed"):
        claim.claim(shop.runtime, buyer, prepared, "token")
    assert books(shop, "USD") == {}


def test_codes_by_currency(shop: Shop) -> None:
    sell_in(shop, "EUR")
    shop.add("A", price=5000)
    price(shop, "A", 4600, "EUR")
    code(shop, "TEN", percent_off=10)
    code(shop, "FIVE", amount_off=500, minimum=1000, amounts={"EUR": {"amount_off": 400, "minimum": 4000}})
    code(shop, "BIG", amount_off=500, amounts={"EUR": {"amount_off": 400, "minimum": 9000}})
    code(shop, "HOME", amount_off=500)
    code(shop, "OVER", percent_off=10, minimum=1000)
    buyer = ready(shop)

    def used(name: str) -> Any:
        with shop.uow() as session:
            carts.set_discount_code(session, buyer, name)
            view = service.start(session, buyer)
        return next((t.amount for t in view.totals if t.type == "items_discount"), None) or view.problems

    assert (used("TEN"), used("FIVE"), used("BIG")) == (460, 400, ["BIG needs goods worth €90.00."])
    for name in ("HOME", "OVER"):
        with shop.uow() as session, pytest.raises(CodeNotValid, match=f"{name} cannot be used in EUR"):
            carts.set_discount_code(session, buyer, name)


def test_a_code_without_terms_leaves_a_cart_that_changes_its_currency(shop: Shop) -> None:
    sell_in(shop, "EUR")
    shop.add("A", price=5000)
    price(shop, "A", 4600, "EUR")
    code(shop, "HOME", amount_off=500)
    buyer = shop.shopper()
    shop.fill(buyer, "A")
    with shop.uow() as session:
        assert carts.set_discount_code(session, buyer, "HOME").discount_codes == ["HOME"]
        assert carts.set_currency(session, buyer, "EUR").discount_codes == []


def issue(shop: Shop, amount: int, currency: str) -> StoredValueAccount:
    with shop.uow() as session:
        return stored_value.issue(
            session, shop.tenant.id, secret_key=shop.runtime.secret_key, kind=StoredValueKind.GIFT_CARD,
            amount=amount, currency=currency, actor="key_test",
        ).account  # fmt: skip


def test_a_gift_card_pays_in_its_own_currency_alone(shop: Shop) -> None:
    sell_in(shop, "EUR")
    shop.add("A", price=5000)
    price(shop, "A", 4600, "EUR")
    euros, dollars = issue(shop, 2000, "EUR"), issue(shop, 2000, "USD")
    buyer = ready(shop)
    with shop.uow() as session, pytest.raises(InvalidInput, match="another currency"):
        service.use_gift_card(session, buyer, dollars)
    with shop.uow() as session:
        assert str(service.use_gift_card(session, buyer, euros).due) == "€38.30"
    assert complete(shop.runtime, buyer, approve(shop, buyer)).result == Result.PAID
    assert books(shop, "EUR")["psp_clearing"] == 3830
    assert books(shop, "USD") == {"promotions": 2000, "gift_card_liability": -2000}
    clean(shop)


@pytest.mark.parametrize("currency", ["XXX", "ABC", "usd", ""])
def test_a_gift_card_is_in_a_currency_there_is(shop: Shop, currency: str) -> None:
    with pytest.raises(InvalidInput, match="is not a currency"):
        issue(shop, 100, currency)
    with shop.uow() as session:
        assert session.scalars(select(StoredValueAccount)).all() == []
    assert books(shop, "USD") == {}


def test_the_trial_balance_is_a_list_per_currency(shop: Shop) -> None:
    sell_in(shop, "EUR")
    shop.add("A", price=5000)
    price(shop, "A", 4600, "EUR")
    for currency in ("EUR", "USD"):
        buyer = ready(shop, currency=currency)
        assert complete(shop.runtime, buyer, approve(shop, buyer)).result == Result.PAID
    with shop.uow() as session:
        told = [(one.currency, one.debits, one.credits) for one in reports.trial_balance(session, shop.tenant.id)]
    assert told == [("EUR", 5830, 5830), ("USD", 6155, 6155)]
    assert ADDRESS["state"] == "WA"
