"""Points follow what is kept of an order; the balance is the sum of the entries, always."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from engine.approvals.asking import Where, perform
from engine.approvals.models import ApprovalKind
from engine.approvals.policy import ApprovalsPolicy
from engine.carts import service as carts
from engine.checkout import recovery
from engine.checkout.complete import complete
from engine.checks import check_tenant
from engine.customers import loyalty
from engine.customers.book import EmailNeeded
from engine.customers.errors import PointsShort
from engine.customers.models import LoyaltyAccount, LoyaltyEntry, PointsKind
from engine.customers.policy import LoyaltyPolicy
from engine.finance import service as finance
from engine.kit import clock
from engine.kit.caps import HOME, cap
from engine.kit.errors import InvalidInput
from engine.kit.identity import Identity
from engine.kit.policies import change_policy
from engine.kit.tenancy import Tenant
from engine.payments import gateway_events, stored_value
from engine.payments.gateways.sandbox.gateway import SandboxGateway
from engine.payments.models import Payment
from tests.currencies import price, sell_in
from tests.engine.customers.people import known, staff, tell
from tests.engine.orders.desk import Desk
from tests.shop import Shop


def rule(shop: Shop, **values: object) -> None:
    with shop.uow() as session:
        change_policy(session.get_one(Tenant, shop.tenant.id), LoyaltyPolicy, {"enabled": True} | values)


def sold(shop: Shop, who: Identity, quantity: int = 1) -> Desk:
    if "A" not in shop.variants:
        shop.add("A", price=5000)
    done = complete(shop.runtime, who, shop.approved(who, "A", quantity))
    assert done.order is not None
    tell(shop)
    return Desk(shop, who, done.order.id)


def give_points(shop: Shop, customer_id: str, count: int) -> None:
    with shop.uow() as session:
        loyalty.lock_account(session, shop.tenant.id, customer_id)
        loyalty.move(session, shop.tenant.id, customer_id, PointsKind.ADJUST, count, subject="test")


def points(shop: Shop, who: Identity) -> int:
    with shop.uow() as session:
        balance = loyalty.balance(session, shop.tenant.id, who.customer_id or "")
        total = session.scalar(select(func.sum(LoyaltyEntry.delta)).where(LoyaltyEntry.customer_id == who.customer_id))
        assert balance == (total or 0)
        return balance


def entries(shop: Shop, who: Identity) -> list[tuple[str, int]]:
    with shop.uow() as session:
        rows = loyalty.history(session, shop.tenant.id, who.customer_id or "")
        return [(row.kind, row.delta) for row in reversed(rows)]


def test_points_are_earned_on_the_goods_alone_and_once(shop: Shop) -> None:
    rule(shop, earn_on="paid", points_per_unit=2)
    ada = known(shop)
    desk = sold(shop, ada, 2)

    assert points(shop, ada) == 200  # of goods for 100.00, without shipping and tax
    with shop.uow() as session:
        assert loyalty.settle_order(session, shop.tenant.id, desk.order_id) == 0


def test_an_order_in_another_currency_earns_none(shop: Shop) -> None:
    """A yen would earn as much as a dollar."""
    rule(shop, earn_on="paid")
    sell_in(shop, "JPY")
    shop.add("A", price=5000)
    price(shop, "A", 7300, "JPY")
    who = known(shop)
    with shop.uow() as session:
        carts.set_currency(session, who, "JPY")
    assert str(sold(shop, who).look().total) == "¥8,800"
    assert (points(shop, who), entries(shop, who)) == (0, [])


def test_a_shop_that_says_nothing_gives_none_and_a_guest_earns_none(shop: Shop) -> None:
    ada = known(shop)
    sold(shop, ada)
    assert points(shop, ada) == 0
    rule(shop, earn_on="paid")
    sold(shop, shop.shopper())

    with shop.uow() as session:
        assert session.scalars(select(LoyaltyEntry)).all() == []


def test_points_wait_for_delivery_where_the_shop_says_so(shop: Shop) -> None:
    rule(shop)
    ada = known(shop)
    sold(shop, ada)

    assert points(shop, ada) == 0


def test_what_is_canceled_is_worth_nothing_at_the_rate_it_was_earned_at(shop: Shop) -> None:
    rule(shop, earn_on="paid")
    ada = known(shop)
    desk = sold(shop, ada, 2)
    assert points(shop, ada) == 100
    rule(shop, points_per_unit=7)

    line = desk.line("A")
    desk.do("cancel", reason="other", lines=[{"line_id": line.id, "quantity": 1}])
    tell(shop)
    assert points(shop, ada) == 50
    desk.do("cancel", reason="other")
    tell(shop)

    assert entries(shop, ada) == [("earn", 100), ("reverse", -50), ("reverse", -50)]


def test_points_become_store_credit_that_the_books_know(shop: Shop) -> None:
    rule(shop, earn_on="paid", points_per_unit=10)
    ada = known(shop)
    sold(shop, ada)
    with shop.uow() as session:
        done = loyalty.redeem(session, shop.runtime, ada, 500)

    assert (done.points, done.amount, done.currency) == (500, 500, "USD")
    assert points(shop, ada) == 0
    with shop.uow() as session:
        assert [(row.id, row.balance) for row in stored_value.own_accounts(session, ada)] == [
            (done.stored_value_id, 500)
        ]
        balances = finance.balances(session, shop.tenant.id)
        assert balances["promotions"] == 500
    assert [r for r in check_tenant(shop.runtime, shop.tenant.id, shop.tenant.slug) if not r.ok] == []


def test_too_many_too_few_and_a_guests_points_are_refused_and_nothing_changes(shop: Shop) -> None:
    rule(shop, earn_on="paid", points_per_unit=10)
    ada = known(shop)
    sold(shop, ada)
    for who, wanted, error in (
        (ada, 501, PointsShort),
        (ada, 499, InvalidInput),
        (shop.shopper(), 500, EmailNeeded),
    ):
        with pytest.raises(error), shop.uow() as session:
            loyalty.redeem(session, shop.runtime, who, wanted)

    assert points(shop, ada) == 500
    with shop.uow() as session:
        assert stored_value.own_accounts(session, ada) == []


def test_redeemed_points_of_goods_that_came_back_are_owed(shop: Shop) -> None:
    rule(shop, earn_on="paid", points_per_unit=10)
    ada = known(shop)
    desk = sold(shop, ada)
    with shop.uow() as session:
        loyalty.redeem(session, shop.runtime, ada, 500)
    desk.do("cancel", reason="other")
    tell(shop)

    assert points(shop, ada) == -500


def test_points_end_and_the_oldest_are_spent_first(shop: Shop) -> None:
    rule(shop, earn_on="paid", points_per_unit=10, expiry_days=30)
    ada = known(shop)
    sold(shop, ada)
    with clock.shifted(timedelta(days=20)):
        sold(shop, ada)
        with shop.uow() as session:
            loyalty.redeem(session, shop.runtime, ada, 600)
    with clock.shifted(timedelta(days=31)):
        assert loyalty.expire(shop.runtime, shop.tenant.id) == 0
    assert points(shop, ada) == 400

    with clock.shifted(timedelta(days=51)):
        assert loyalty.expire(shop.runtime, shop.tenant.id) == 1
        assert loyalty.expire(shop.runtime, shop.tenant.id) == 0

    assert points(shop, ada) == 0
    with shop.uow() as session:
        assert session.scalars(select(LoyaltyAccount.balance)).all() == [0]


def chargeback(shop: Shop, desk: Desk, amount: int | None = None, *, won: bool) -> None:
    gateway = shop.runtime.gateways["sandbox"]
    assert isinstance(gateway, SandboxGateway)
    with shop.uow() as session:
        payment_id = session.scalars(select(Payment.id).where(Payment.order_id == desk.order_id)).one()
    opened = gateway.open_dispute(payment_id, merchant=shop.tenant.id, amount=amount)
    gateway.decide_dispute(opened.gateway_id, won=won)
    for one in gateway.due_webhooks(merchant=shop.tenant.id):
        gateway_events.receive(
            shop.runtime, "sandbox", one.body, dict(one.headers), on_charge=recovery.on_gateway_event
        )
    tell(shop)


@pytest.mark.parametrize(("amount", "won", "left"), [(None, False, 0), (None, True, 50), (3078, False, 24)])
def test_a_lost_chargeback_takes_the_points_of_what_it_took(
    shop: Shop, amount: int | None, won: bool, left: int
) -> None:
    """Goods of 50.00 in an order of 61.55: where half of it is lost, half of the goods' points are."""
    rule(shop, earn_on="paid")
    ada = known(shop)
    desk = sold(shop, ada)
    assert points(shop, ada) == 50

    chargeback(shop, desk, amount, won=won)

    assert points(shop, ada) == left
    assert [kind for kind, _ in entries(shop, ada)] == ["earn"] + ["reverse"] * (left != 50)
    failed = [one.name for one in check_tenant(shop.runtime, shop.tenant.id, shop.tenant.slug) if not one.ok]
    assert failed == []


def test_redeemed_points_are_the_shoppers_own_and_no_goodwill(shop: Shop) -> None:
    rule(shop)
    ada = known(shop)
    desk = sold(shop, ada)
    give_points(shop, ada.customer_id or "", 2000)
    with shop.uow() as session:
        loyalty.redeem(session, shop.runtime, ada, 2000)

    limit = cap(ApprovalsPolicy().goodwill_limit, HOME)
    assert limit is not None
    args = {"order_id": desk.order_id, "amount": limit, "reason": "A long wait"}

    def give(amount: int) -> bool:
        given = args | {"amount": amount}
        with shop.uow() as session:
            done = perform(
                session, shop.runtime, staff(shop), ApprovalKind.GOODWILL, given, reason="A long wait", where=Where()
            )
        return done.outcome is not None

    assert (give(limit), give(1)) == (True, False)
