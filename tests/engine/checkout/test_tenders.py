"""A sale paid in part, or wholly, by gift cards and store credit: to the cent, once, or not at all."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import select

from engine.checkout import recovery, service
from engine.checkout.complete import Completion, Result, complete
from engine.checkout.errors import CheckoutIncomplete
from engine.checkout.schemas import CheckoutView
from engine.checkout.settlement import settle
from engine.finance import service as finance
from engine.fulfillment.release import release_now
from engine.inventory.models import MovementKind
from engine.inventory.service import Allocation, receive
from engine.kit import clock, faults
from engine.kit.errors import InvalidInput, NotFound
from engine.kit.identity import Identity
from engine.kit.tenancy import Tenant
from engine.kit.views import Price
from engine.orders.allocation import fill_backorders
from engine.payments import refunds, stored_value
from engine.payments.gateway import Charge, ChargeStatus
from engine.payments.models import Capture, Payment
from engine.payments.stored_value_models import StoredValueAccount, StoredValueKind
from tests.engine.checkout.test_complete import Killed, assert_clean, captured, die_at
from tests.engine.inventory.stocked import levels, set_variant
from tests.shop import Shop

TOTAL, TAX = 11655, 1060
"""2 x $50.00, $5.95 shipping, 10 % tax on both."""


def gift(shop: Shop, amount: int, **more: str) -> str:
    """A new gift card's code."""
    with shop.uow() as session:
        issued = stored_value.issue(
            session, shop.tenant.id, secret_key=shop.runtime.secret_key, kind=StoredValueKind.GIFT_CARD, amount=amount,
            currency=more.get("currency", "USD"), actor="key_staff",
        )  # fmt: skip
    assert issued.code is not None
    return issued.code


def use(shop: Shop, buyer: Identity, code: str) -> CheckoutView:
    account = stored_value.find_by_code(shop.runtime, buyer, code)
    with shop.uow() as session:
        return service.use_gift_card(session, buyer, account)


def credit(shop: Shop, buyer: Identity, amount: int) -> None:
    with shop.uow() as session:
        stored_value.issue(
            session, shop.tenant.id, secret_key=shop.runtime.secret_key, kind=StoredValueKind.STORE_CREDIT,
            amount=amount, currency="USD", owner_id=buyer.id, actor="key_staff",
        )  # fmt: skip


def ready(shop: Shop, *codes: str, card: str = "card_test_visa", buyer: Identity | None = None) -> tuple[Identity, str]:
    """An approved card for two of A, paid with these gift cards first."""
    buyer = buyer or shop.shopper()
    shop.ready(buyer, "A", 2, card=card)
    for code in codes:
        use(shop, buyer, code)
    consent = shop.card(buyer)
    shop.approve(buyer, consent.id)
    return buyer, consent.id


def buy(shop: Shop, *codes: str, card: str = "card_test_visa") -> Completion:
    return complete(shop.runtime, *ready(shop, *codes, card=card))


def payments(shop: Shop) -> dict[str, tuple[int, str]]:
    """Tender → amount and status, of the youngest order."""
    with shop.uow() as session:
        rows = session.scalars(select(Payment).where(Payment.tenant_id == shop.tenant.id).order_by(Payment.created_at))
        return {row.tender.partition(":")[0]: (row.amount, row.status) for row in rows}


def balances(shop: Shop) -> list[int]:
    with shop.uow() as session:
        query = select(StoredValueAccount.balance).where(StoredValueAccount.tenant_id == shop.tenant.id)
        return list(session.scalars(query.order_by(StoredValueAccount.id)))


def books(shop: Shop) -> dict[str, int]:
    with shop.uow() as session:
        return {account: sum_ for account, sum_ in finance.balances(session, shop.tenant.id).items() if sum_}


@pytest.fixture
def shop_of_a(shop: Shop) -> Shop:
    shop.add("A", price=5000)
    return shop


def test_a_gift_card_pays_its_part_and_the_card_the_rest(shop_of_a: Shop) -> None:
    shop = shop_of_a
    code = gift(shop, 3000)
    buyer, consent_id = ready(shop, code)
    with shop.uow() as session:
        view = service.current(session, buyer)
    assert view.due is not None
    assert (view.total.amount, view.due.amount) == (TOTAL, TOTAL - 3000)
    assert [(one.label, one.amount) for one in view.tenders] == [(f"Gift card •••• {code[-4:]}", 3000)]
    done = complete(shop.runtime, buyer, consent_id)
    assert done.order is not None
    assert (done.result, done.order.payment_status, done.order.balance.amount) == (Result.PAID, "paid", 0)
    assert list(captured(shop).values()) == [8655]
    assert payments(shop) == {"card": (8655, "captured"), "gift_card": (3000, "captured")}
    with shop.uow() as session:
        rows = session.execute(select(Capture.amount, Capture.tax).where(Capture.tenant_id == shop.tenant.id)).all()
    assert sorted(map(tuple, rows)) == [(3000, 273), (8655, 787)]
    assert balances(shop) == [0]
    # the card was given as a promotion of $30.00
    assert books(shop) == {
        "promotions": 3000, "psp_clearing": 8655, "customer_deposits": TAX - TOTAL, "tax_payable": -TAX,
    }  # fmt: skip
    assert_clean(shop)


def test_two_gift_cards_and_own_credit_pay_all_of_it_without_the_gateway(shop_of_a: Shop) -> None:
    shop = shop_of_a
    buyer = shop.shopper()
    credit(shop, buyer, 9000)
    shop.ready(buyer, "A", 2)
    for code in (gift(shop, 1000), gift(shop, 2000)):
        use(shop, buyer, code)
    with shop.uow() as session:
        view = service.use_store_credit(session, buyer)
    assert [one.amount for one in view.tenders] == [1000, 2000, 8655]
    consent = shop.card(buyer)
    shop.approve(buyer, consent.id)
    done = complete(shop.runtime, buyer, consent.id)
    assert done.order is not None
    assert (done.result, done.order.payment_status) == (Result.PAID, "paid")
    assert captured(shop) == {}
    assert sorted(balances(shop)) == [0, 0, 345]
    assert_clean(shop)


def without_demo(shop: Shop) -> None:
    """No test card is offered: a guest has no way to pay but what a gift card or credit pays."""
    with shop.uow() as session:
        session.get_one(Tenant, shop.tenant.id).demo = False


@pytest.mark.parametrize("killed", ["", "after_t1_commit", "before_t2_commit"])
def test_what_stored_value_covers_needs_no_other_way_to_pay(shop_of_a: Shop, killed: str) -> None:
    shop, buyer = shop_of_a, shop_of_a.shopper()
    without_demo(shop)
    shop.ready(buyer, "A", 2)
    with shop.uow() as session:
        assert service.current(session, buyer).missing == ["payment_method"]
    code = gift(shop, TOTAL + 5)
    view = use(shop, buyer, code)
    assert (view.missing, view.status, view.payment_method) == ([], "ready_for_payment", None)
    card = shop.card(buyer).checkout
    assert (card.payment_method, card.due) == (None, Price(amount=0, currency="USD"))
    assert [(one.label, one.amount) for one in card.tenders] == [(f"Gift card •••• {code[-4:]}", TOTAL)]
    consent = shop.card(buyer)
    shop.approve(buyer, consent.id)
    if killed:
        die_at(killed)
        with pytest.raises(Killed):
            complete(shop.runtime, buyer, consent.id)
        with clock.shifted(timedelta(minutes=1)):
            recovery.recover_payments(shop.runtime, shop.tenant.id)
    done = complete(shop.runtime, buyer, consent.id)
    assert done.order is not None
    assert (done.result, done.order.payment_status, done.order.balance.amount) == (Result.PAID, "paid", 0)
    assert (captured(shop), balances(shop)) == ({}, [5])
    assert payments(shop) == {"card": (0, "captured"), "gift_card": (TOTAL, "captured")}
    with shop.uow() as session:
        back = refunds.request(
            session, shop.tenant.id, order_id=done.order.id, amount=TOTAL, tax=TAX, unearned=TOTAL - TAX,
            reason="test", requested_by="key_staff",
        )  # fmt: skip
    assert [refunds.execute(shop.runtime, shop.tenant.id, row.id).status for row in back] == ["succeeded"]
    assert balances(shop) == [TOTAL + 5]


def test_too_little_on_the_gift_card_still_needs_a_way_to_pay(shop_of_a: Shop) -> None:
    shop, buyer = shop_of_a, shop_of_a.shopper()
    without_demo(shop)
    shop.ready(buyer, "A", 2)
    view = use(shop, buyer, gift(shop, TOTAL - 1))
    assert (view.missing, view.due) == (["payment_method"], Price(amount=1, currency="USD"))
    with pytest.raises(CheckoutIncomplete):
        shop.card(buyer)


def test_a_declined_card_frees_the_gift_card(shop_of_a: Shop) -> None:
    shop = shop_of_a
    code = gift(shop, 3000)
    assert buy(shop, code, card="card_test_declined").result == Result.DECLINED
    assert payments(shop) == {"card": (8655, "failed"), "gift_card": (3000, "failed")}
    assert (balances(shop), captured(shop)) == ([3000], {})
    assert_clean(shop)
    assert buy(shop, code).result == Result.PAID
    assert balances(shop) == [0]
    assert_clean(shop)


@pytest.mark.parametrize("point", faults.POINTS)
@pytest.mark.parametrize("late", [False, True])
def test_death_anywhere_takes_all_tenders_or_none(shop_of_a: Shop, point: str, late: bool) -> None:
    shop = shop_of_a
    buyer, consent_id = ready(shop, gift(shop, 3000))
    die_at(point)
    with pytest.raises(Killed):
        complete(shop.runtime, buyer, consent_id)
    with clock.shifted(timedelta(minutes=30 if late else 1)):
        recovery.recover_payments(shop.runtime, shop.tenant.id)
        paid = list(captured(shop).values()) == [8655]
        assert balances(shop) == [0 if paid else 3000]
        if point in {"after_capture", "before_t2_commit", "after_t2_commit"}:
            assert paid
        assert_clean(shop)


@pytest.mark.usefixtures("still_clock")
def test_an_unknown_payment_keeps_the_gift_card_until_it_ends(shop_of_a: Shop) -> None:
    shop = shop_of_a
    assert buy(shop, gift(shop, 3000), card="card_test_late").result == Result.UNKNOWN
    assert balances(shop) == [0]
    assert_clean(shop)
    with shop.uow() as session:
        lead = session.scalars(select(Payment.id).where(Payment.tender == "card")).one()
    settle(shop.runtime, shop.tenant.id, lead, Charge(lead, ChargeStatus.DECLINED))
    assert balances(shop) == [3000]
    assert_clean(shop)


def test_eight_buyers_for_one_gift_card(shop_of_a: Shop) -> None:
    shop = shop_of_a
    code = gift(shop, 3000)
    ready_ones = [ready(shop, code) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        ends = list(pool.map(lambda pair: complete(shop.runtime, *pair).result, ready_ones))
    assert (ends.count(Result.PAID), ends.count(Result.CHANGED)) == (1, 7)
    assert balances(shop) == [0]
    assert list(captured(shop).values()) == [8655]
    assert levels(shop, "A") == {"EAST": (10, 2)}
    assert_clean(shop)


def test_a_card_spent_elsewhere_needs_a_new_agreement(shop_of_a: Shop) -> None:
    shop = shop_of_a
    code = gift(shop, 3000)
    buyer, consent_id = ready(shop, code)
    with shop.uow() as session:
        account = session.scalars(select(StoredValueAccount)).one()
        stored_value.block(session, shop.tenant.id, account.id, actor="key_staff")
    assert complete(shop.runtime, buyer, consent_id).result == Result.CHANGED
    assert (balances(shop), captured(shop), levels(shop, "A")) == ([3000], {}, {"EAST": (10, 0)})
    fresh = shop.card(buyer)
    assert (fresh.checkout.due, fresh.checkout.tenders) == (None, [])


def test_units_to_come_hold_both_and_are_taken_when_they_ship(shop: Shop) -> None:
    shop.add("A", price=5000, stock={"EAST": 1})
    set_variant(shop, "A", stock_policy="backorder")
    done = buy(shop, gift(shop, 3000))
    assert done.order is not None
    assert payments(shop) == {"card": (8655, "authorized"), "gift_card": (3000, "authorized")}
    assert books(shop) == {"promotions": 3000, "gift_card_liability": -3000}
    assert_clean(shop)
    with shop.uow() as session:
        part = [Allocation(shop.variants["A"], shop.locations["EAST"], 1)]
        receive(session, shop.tenant.id, part, kind=MovementKind.RECEIPT, subject="test")
    fill_backorders(shop.runtime, shop.tenant.id)
    release_now(shop.runtime, shop.tenant.id, done.order.id)
    assert payments(shop) == {"card": (8655, "captured"), "gift_card": (3000, "captured")}
    assert list(captured(shop).values()) == [8655]
    assert_clean(shop)


def test_what_is_refused_changes_nothing(shop_of_a: Shop) -> None:
    shop = shop_of_a
    buyer = shop.shopper()
    shop.ready(buyer, "A", 2)
    euros, dollars = gift(shop, 500, currency="EUR"), gift(shop, 700)
    for code, error in (("WRONGCODE", NotFound), (euros, InvalidInput)):
        with pytest.raises(error):
            use(shop, buyer, code)
    with shop.uow() as session, pytest.raises(NotFound):
        service.use_store_credit(session, buyer)
    for _ in range(2):
        view = use(shop, buyer, dollars)
        assert [one.amount for one in view.tenders] == [700]
    shown = shop.card(buyer)
    with shop.uow() as session:
        assert service.drop_tenders(session, buyer).tenders == []
    assert shop.card(buyer).id != shown.id
    assert sorted(balances(shop)) == [500, 700]
