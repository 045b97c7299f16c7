"""When the money is only held: units to come, and purchases a person has to look at."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.checkout import recovery
from engine.checkout.complete import Completion, Result, complete, outcome_of
from engine.checkout.models import Consent, ConsentStatus
from engine.checkout.settlement import settle
from engine.finance import service as finance
from engine.fulfillment.errors import NotReleasable
from engine.fulfillment.release import release_now
from engine.inventory.models import Backorder, MovementKind
from engine.inventory.service import Allocation, receive
from engine.kit import clock, faults
from engine.kit.errors import Unavailable
from engine.kit.identity import Identity
from engine.kit.policies import change_policy
from engine.kit.tenancy import Tenant
from engine.orders import queries
from engine.orders import service as orders
from engine.orders.allocation import fill_backorders
from engine.orders.changes import apply
from engine.orders.changes.propose import propose
from engine.orders.changes.wanted import read
from engine.orders.models import Order
from engine.payments import inbox, voids
from engine.payments.errors import SettledElsewhere
from engine.payments.gateway import Charge, ChargeStatus
from engine.payments.models import Alert, Capture, Payment, PaymentStatus
from engine.payments.risk import Purchase, RiskAnswer, RiskPolicy
from tests.engine.checkout.test_complete import assert_clean, captured
from tests.engine.inventory.stocked import levels, set_variant
from tests.engine.orders.desk import staff
from tests.shop import Shop

TOTAL = 11655
"""2 x $50.00, $5.95 shipping, 10 % tax on both."""


class Killed(BaseException):
    """The process died here."""


def ahead(shop: Shop) -> None:
    """One unit is there, others are promised."""
    shop.add("A", price=5000, stock={"EAST": 1})
    set_variant(shop, "A", stock_policy="backorder")


def buy(shop: Shop, quantity: int = 2, *, card: str = "card_test_visa") -> tuple[Identity, str, Completion]:
    buyer = shop.shopper()
    consent_id = shop.approved(buyer, "A", quantity, card=card)
    return buyer, consent_id, complete(shop.runtime, buyer, consent_id)


def payment(shop: Shop) -> Payment:
    with shop.uow() as session:
        return session.scalars(select(Payment).where(Payment.tenant_id == shop.tenant.id)).one()


def alerts(shop: Shop) -> list[str]:
    with shop.uow() as session:
        return list(session.scalars(select(Alert.kind).where(Alert.tenant_id == shop.tenant.id)))


def books(shop: Shop) -> dict[str, int]:
    with shop.uow() as session:
        return dict(finance.balances(session, shop.tenant.id))


def held(shop: Shop) -> int:
    """Cents the gateway holds and has not taken."""
    standings = shop.runtime.gateways["sandbox"].standings(merchant=shop.tenant.id).values()
    return sum(one.authorized - one.captured for one in standings)


def rule(shop: Shop, **values: int) -> None:
    with shop.runtime.store.without_tenant() as session:
        change_policy(session.get_one(Tenant, shop.tenant.id), RiskPolicy, values)


def assert_only_held(shop: Shop) -> None:
    row = payment(shop)
    assert (row.status, row.capture_mode, row.amount) == ("authorized", "at_release", TOTAL)
    assert row.authorized_at is not None
    assert row.authorization_expires_at is not None
    assert row.lease_until is None
    assert (held(shop), sum(captured(shop).values()), books(shop)) == (TOTAL, 0, {})
    with shop.uow() as session:
        assert session.scalars(select(Capture).where(Capture.tenant_id == shop.tenant.id)).all() == []
    assert_clean(shop)


def test_units_to_come_are_paid_when_they_ship(shop: Shop) -> None:
    ahead(shop)
    _, _, done = buy(shop)
    assert done.order is not None
    assert (done.result, done.order.status, done.order.payment_status) == (Result.PAID, "open", "authorized")
    assert "Nothing was taken yet" in done.message
    assert_only_held(shop)
    with shop.uow() as session:
        part = [Allocation(shop.variants["A"], shop.locations["EAST"], 1)]
        receive(session, shop.tenant.id, part, kind=MovementKind.RECEIPT, subject="test")
    fill_backorders(shop.runtime, shop.tenant.id)
    release_now(shop.runtime, shop.tenant.id, done.order.id)
    assert (held(shop), list(captured(shop).values())) == (0, [TOTAL])
    assert payment(shop).status == "captured"
    assert books(shop) == {"psp_clearing": TOTAL, "customer_deposits": -10595, "tax_payable": -1060}
    with shop.uow() as session:
        order = queries.order_by_id(session, shop.tenant.id, done.order.id)
        assert (order.payment_status, order.balance.amount) == ("paid", 0)
    assert_clean(shop)


def test_a_repeat_answers_the_same_order(shop: Shop) -> None:
    ahead(shop)
    buyer, consent_id, done = buy(shop)
    again = complete(shop.runtime, buyer, consent_id)
    assert done.order is not None
    assert again.order is not None
    assert (again.result, again.order.id, again.message) == (Result.PAID, done.order.id, done.message)
    assert again.order == done.order
    assert_only_held(shop)


@pytest.mark.parametrize(
    "point", ["after_t1_commit", "before_capture", "after_capture", "before_t2_commit", "after_t2_commit"]
)
def test_whoever_dies_recovery_ends_it_the_same_way(shop: Shop, point: str) -> None:
    ahead(shop)
    buyer = shop.shopper()
    consent_id = shop.approved(buyer, "A", 2)

    def die(here: str) -> None:
        if here == point:
            faults.set_hook(None)
            raise Killed

    faults.set_hook(die)
    with pytest.raises(Killed):
        complete(shop.runtime, buyer, consent_id)
    with clock.shifted(timedelta(minutes=2)):
        recovery.recover_payments(shop.runtime, shop.tenant.id)
    assert outcome_of(shop.runtime, buyer, consent_id).result == Result.PAID
    assert_only_held(shop)
    with shop.uow() as session:
        (row,) = session.scalars(select(Backorder).where(Backorder.tenant_id == shop.tenant.id))
        assert (row.waiting, row.status) == (1, "waiting")


def test_a_lost_answer_is_found(shop: Shop) -> None:
    ahead(shop)
    assert buy(shop, card="card_test_timeout")[2].result == Result.PAID
    assert_only_held(shop)


def test_a_declined_authorization_frees_everything(shop: Shop) -> None:
    ahead(shop)
    assert buy(shop, card="card_test_declined")[2].result == Result.DECLINED
    assert (held(shop), books(shop), levels(shop, "A")) == (0, {}, {"EAST": (1, 0)})
    assert_clean(shop)


@pytest.mark.usefixtures("still_clock")
def test_money_held_for_a_payment_given_up_is_let_go(shop: Shop) -> None:
    ahead(shop)
    buy(shop, card="card_test_late")
    row = payment(shop)
    settle(shop.runtime, shop.tenant.id, row.id, Charge(row.id, ChargeStatus.DECLINED, decline_code="card_declined"))
    with clock.shifted(timedelta(seconds=10)):
        found = shop.runtime.gateways["sandbox"].find(row.id, merchant=shop.tenant.id)
        assert found is not None
        assert found.status == ChargeStatus.AUTHORIZED
        for _ in range(2):
            settle(shop.runtime, shop.tenant.id, row.id, found)
    gone = shop.runtime.gateways["sandbox"].find(row.id, merchant=shop.tenant.id)
    assert gone is not None
    assert gone.status in {ChargeStatus.VOIDED, ChargeStatus.CANCELED}
    assert payment(shop).status == PaymentStatus.FAILED
    assert "stray_authorization" in alerts(shop)
    assert sum(captured(shop).values()) == 0
    assert_clean(shop)


def test_an_authorization_let_go_still_answers_its_order(shop: Shop) -> None:
    ahead(shop)
    buyer, consent_id, done = buy(shop)
    voids.void(shop.runtime, shop.tenant.id, payment(shop).id)
    again = outcome_of(shop.runtime, buyer, consent_id)
    assert done.order is not None
    assert again.order is not None
    assert (again.result, again.order.id) == (Result.PAID, done.order.id)
    assert "let go" in again.message


def test_a_purchase_to_be_looked_at_is_held_until_it_was(shop: Shop) -> None:
    shop.add("A", price=5000)
    rule(shop, review_from=TOTAL)
    _, _, done = buy(shop)
    assert done.order is not None
    assert (done.result, done.order.status, done.order.payment_status) == (Result.PAID, "on_hold", "authorized")
    assert_only_held(shop)
    with pytest.raises(NotReleasable):
        release_now(shop.runtime, shop.tenant.id, done.order.id)
    with shop.uow() as session:
        order = orders.lock(session, shop.tenant.id, done.order.id)
        assert order.hold_reason == "review"
        assert waiting(session) == [("review_needed", done.order.id, "decide_order")]
        orders.resume(session, order, actor="key_staff")
        assert waiting(session) == []
    release_now(shop.runtime, shop.tenant.id, done.order.id)
    assert list(captured(shop).values()) == [TOTAL]
    assert_clean(shop)


def test_a_review_ends_with_the_order_and_is_settled_nowhere_else(shop: Shop) -> None:
    shop.add("A", price=5000)
    rule(shop, review_from=1)
    buyer, _, done = buy(shop)
    assert done.order is not None
    with shop.uow() as session:
        assert waiting(session) == [("review_needed", done.order.id, "decide_order")]
        alert_id = session.scalars(select(Alert.id)).one()
    with shop.uow() as session, pytest.raises(SettledElsewhere):
        inbox.begin(session, staff(shop), alert_id)
    change = propose(shop.runtime, buyer, done.order.id, read({"kind": "cancel", "reason": "other"}))
    apply.confirm(shop.runtime, buyer, done.order.id, change.id, approved=True, channel="test")
    with shop.uow() as session:
        assert waiting(session) == []
    assert_clean(shop)


def waiting(session: Session) -> list[tuple[str, str, str | None]]:
    rows = session.execute(select(Alert.kind, Alert.subject, Alert.action).where(Alert.resolved_at.is_(None)))
    return [tuple(row) for row in rows]


def test_a_cent_less_is_simply_taken(shop: Shop) -> None:
    shop.add("A", price=5000)
    rule(shop, review_from=TOTAL + 1, refuse_from=TOTAL + 2)
    assert buy(shop)[2].message == "Paid."
    assert list(captured(shop).values()) == [TOTAL]
    assert_clean(shop)


def test_who_brings_a_card_can_ask_for_a_person_to_look(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.add("A", price=5000)
    gateway = type(shop.runtime.gateways["sandbox"])
    inspect = gateway.inspect
    monkeypatch.setattr(gateway, "inspect", lambda *args, **named: replace(inspect(*args, **named), review=True))
    _, _, done = buy(shop)
    assert done.order is not None
    assert done.order.status == "on_hold"
    assert list(captured(shop).values()) == [0]
    assert_clean(shop)


def test_a_refused_purchase_changes_nothing(shop: Shop) -> None:
    shop.add("A", price=5000)
    rule(shop, review_from=1, refuse_from=TOTAL)
    _, consent_id, done = buy(shop)
    assert (done.result, done.code, done.order) == (Result.DECLINED, "order_refused", None)
    assert (captured(shop), books(shop), levels(shop, "A")) == ({}, {}, {"EAST": (10, 0)})
    with shop.uow() as session:
        assert session.scalars(select(Order).where(Order.tenant_id == shop.tenant.id)).all() == []
        assert session.get_one(Consent, (shop.tenant.id, consent_id)).status == ConsentStatus.SUPERSEDED
    assert_clean(shop)


class Service:
    def __init__(self, answer: RiskAnswer | None) -> None:
        self.answer = answer
        self.asked: list[Purchase] = []

    def assess(self, purchase: Purchase) -> RiskAnswer:
        self.asked.append(purchase)
        if self.answer is None:
            raise Unavailable("no answer")
        return self.answer


@pytest.mark.parametrize(
    ("answer", "status"), [(RiskAnswer.ALLOW, "open"), (RiskAnswer.REVIEW, "on_hold"), (None, "on_hold")]
)
def test_a_risk_service_is_asked_once_and_its_silence_makes_a_person_look(
    shop: Shop, answer: RiskAnswer | None, status: str
) -> None:
    shop.add("A", price=5000)
    service = Service(answer)
    shop.runtime = replace(shop.runtime, risk=service)
    _, _, done = buy(shop)
    assert done.order is not None
    assert done.order.status == status
    [purchase] = service.asked
    assert (purchase.amount.amount, purchase.ship_to["state"], purchase.method["last4"]) == (TOTAL, "WA", "4242")
    assert_clean(shop)
