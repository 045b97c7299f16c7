"""The money path, end to end and at its edges."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import func, select, text, update

from engine.carts import service as carts
from engine.catalog.models import Variant
from engine.checkout import confirmation, recovery, service
from engine.checkout.complete import Result, complete
from engine.checkout.errors import CheckoutIncomplete, ConsentDecided, ConsentExpired
from engine.checkout.models import CheckoutSession, Consent, ConsentStatus, SessionStatus
from engine.checks import check_tenant
from engine.finance import service as finance
from engine.inventory.models import Reservation, StockLevel
from engine.kit import clock, faults
from engine.kit.errors import Forbidden, NotFound
from engine.kit.identity import Actor, Identity, Scope
from engine.kit.outbox import CONSUMERS
from engine.orders import queries
from engine.orders.models import Order
from engine.payments.gateway import Charge, ChargeStatus
from engine.payments.models import Alert, Payment, PaymentStatus
from tests.shop import ADDRESS, Shop


def captured(shop: Shop) -> dict[str, int]:
    """Payment id → cents the gateway holds."""
    held = shop.runtime.gateways["sandbox"].standings(merchant=shop.tenant.id)
    return {key: standing.net for key, standing in held.items()}


def stock(shop: Shop, sku: str) -> tuple[int, int]:
    """On hand and reserved over all locations."""
    with shop.uow() as session:
        row = session.execute(
            select(
                func.coalesce(func.sum(StockLevel.on_hand), 0),
                func.coalesce(func.sum(StockLevel.reserved), 0),
            ).where(StockLevel.tenant_id == shop.tenant.id, StockLevel.variant_id == shop.variants[sku])
        ).one()
    return int(row[0]), int(row[1])


def status_of(shop: Shop, session_id: str) -> str:
    with shop.uow() as session:
        return session.get_one(CheckoutSession, (shop.tenant.id, session_id)).status


def assert_clean(shop: Shop) -> None:
    bad = [r for r in check_tenant(shop.runtime, shop.tenant.id, shop.tenant.slug) if not r.ok]
    assert bad == []


def test_a_sale_moves_money_stock_books_and_tells_everybody(shop: Shop) -> None:
    shop.add("A", price=5000, stock={"EAST": 3, "WEST": 5})
    buyer = shop.shopper()
    consent_id = shop.approved(buyer, "A", 2)
    done = complete(shop.runtime, buyer, consent_id)
    assert done.result == Result.PAID
    assert done.order is not None
    # 2 x $50.00, $5.95 shipping, 10 % tax on both (WA taxes shipping here)
    assert {t.type: t.amount for t in done.order.totals} == {
        "items_base_amount": 10000, "subtotal": 10000, "fulfillment": 595, "tax": 1060, "total": 11655,
    }  # fmt: skip
    assert done.order.payment_status == "paid"
    assert done.order.fulfillment_status == "unfulfilled"
    assert list(captured(shop).values()) == [11655]
    assert stock(shop, "A") == (8, 2)
    with shop.uow() as session:
        held = session.scalars(select(Reservation).where(Reservation.tenant_id == shop.tenant.id)).all()
        assert [(r.location_id, r.quantity, r.status) for r in held] == [(shop.locations["WEST"], 2, "committed")]
        assert finance.balances(session, shop.tenant.id) == {
            "psp_clearing": 11655, "customer_deposits": -10595, "tax_payable": -1060,
        }  # fmt: skip
        told = session.scalars(
            text("SELECT consumer FROM app.outbox WHERE tenant_id = :t AND topic = 'order.paid' ORDER BY consumer"),
            {"t": shop.tenant.id},
        ).all()
        assert told == sorted({*CONSUMERS["order.paid"]} - {"acp", "pipeline"})  # no agent bought, no pipeline is on
        assert carts.view(session, buyer).lines == []
        assert [order.id for order in queries.own_orders(session, buyer).items] == [done.order.id]
    assert_clean(shop)


def test_completing_again_answers_the_first_order(shop: Shop) -> None:
    shop.add("A")
    buyer = shop.shopper()
    consent_id = shop.approved(buyer, "A")
    first = complete(shop.runtime, buyer, consent_id)
    second = complete(shop.runtime, buyer, consent_id)
    assert first.order is not None
    assert second.order is not None
    assert second.order.id == first.order.id
    assert len(captured(shop)) == 1


def test_fifty_buyers_for_the_last_ten_units(shop: Shop) -> None:
    shop.add("LAST", stock={"EAST": 6, "WEST": 4})
    buyers = [shop.shopper() for _ in range(50)]
    consents = [shop.approved(buyer, "LAST") for buyer in buyers]
    with ThreadPoolExecutor(20) as pool:
        ends = list(pool.map(lambda pair: complete(shop.runtime, *pair), zip(buyers, consents, strict=True)))
    results = [end.result for end in ends]
    assert results.count(Result.PAID) == 10
    assert results.count(Result.CHANGED) == 40
    assert all("sold out" in e.message or "out of stock" in e.message for e in ends if e.result == Result.CHANGED)
    assert stock(shop, "LAST") == (10, 10)
    assert len(captured(shop)) == 10
    assert_clean(shop)


def test_twenty_equal_completes_capture_once(shop: Shop) -> None:
    shop.add("A")
    buyer = shop.shopper()
    consent_id = shop.approved(buyer, "A")

    def attempt(_: int) -> str:
        try:
            return complete(shop.runtime, buyer, consent_id).result
        except Exception as error:  # noqa: BLE001 (the code is what is asserted)
            return getattr(error, "code", repr(error))

    with ThreadPoolExecutor(20) as pool:
        ends = list(pool.map(attempt, range(20)))
    assert set(ends) <= {Result.PAID, Result.UNKNOWN, "complete_in_progress"}
    assert ends.count(Result.PAID) >= 1
    assert len(captured(shop)) == 1
    assert_clean(shop)


@pytest.mark.parametrize("change", ["price", "stock", "shipping"])
def test_a_changed_world_needs_a_new_card(shop: Shop, change: str) -> None:
    variant_id = shop.add("A", price=5000, stock={"EAST": 2})
    buyer = shop.shopper()
    consent_id = shop.approved(buyer, "A", 2)
    with shop.uow() as session:
        if change == "price":
            session.execute(update(Variant).where(Variant.id == variant_id).values(price=5001))
        elif change == "stock":
            session.execute(update(StockLevel).where(StockLevel.variant_id == variant_id).values(on_hand=1))
        else:
            session.execute(
                text("UPDATE app.shipping_zones SET rates = jsonb_set(rates, '{0,price}', '700') WHERE tenant_id = :t"),
                {"t": shop.tenant.id},
            )
    done = complete(shop.runtime, buyer, consent_id)
    assert done.result == Result.CHANGED
    assert captured(shop) == {}
    assert stock(shop, "A")[1] == 0
    if change == "stock":
        with pytest.raises(CheckoutIncomplete, match="Only 1 of Thing A"):
            shop.card(buyer)
    else:
        fresh = shop.card(buyer)
        assert fresh.id != consent_id
        shop.approve(buyer, fresh.id)
        assert complete(shop.runtime, buyer, fresh.id).result == Result.PAID


def cart_of(shop: Shop, buyer: Identity) -> dict[str, int]:
    with shop.uow() as session:
        return {line.variant_id: line.quantity for line in carts.view(session, buyer).lines}


@pytest.mark.parametrize("change", ["added", "more", "removed"])
def test_a_changed_cart_needs_a_new_card(shop: Shop, change: str) -> None:
    a, b = shop.add("A"), shop.add("B")
    buyer = shop.shopper()
    shop.fill(buyer, "B")
    consent_id = shop.approved(buyer, "A")
    with shop.uow() as session:
        if change == "added":
            carts.add(session, buyer, shop.add("C"), quantity=1, options={})
        else:
            carts.set_quantity(session, buyer, a, quantity=2 if change == "more" else 0)
    assert complete(shop.runtime, buyer, consent_id).result == Result.CHANGED
    assert captured(shop) == {}
    now = cart_of(shop, buyer)
    fresh = shop.card(buyer)
    assert fresh.id != consent_id
    assert {line.variant_id: line.quantity for line in fresh.checkout.lines} == now
    assert now[b] == 1
    shop.approve(buyer, fresh.id)
    assert complete(shop.runtime, buyer, fresh.id).result == Result.PAID
    assert cart_of(shop, buyer) == {}
    assert_clean(shop)


def test_what_enters_the_cart_during_the_payment_stays_in_it(shop: Shop) -> None:
    a, b = shop.add("A"), shop.add("B")
    buyer = shop.shopper()
    consent_id = shop.approved(buyer, "A", 2)

    def put_in(point: str) -> None:
        if point == "before_capture":
            faults.set_hook(None)
            shop.fill(buyer, "A")
            shop.fill(buyer, "B")

    faults.set_hook(put_in)
    done = complete(shop.runtime, buyer, consent_id)
    assert done.order is not None
    assert [(line.variant_id, line.ordered) for line in done.order.lines] == [(a, 2)]
    assert cart_of(shop, buyer) == {a: 1, b: 1}
    assert_clean(shop)


def test_an_approved_card_that_was_never_used_gives_way_to_a_fresh_one(shop: Shop) -> None:
    shop.add("A")
    buyer = shop.shopper()
    dead = shop.approved(buyer, "A")
    fresh = shop.card(buyer)
    assert (fresh.id != dead, fresh.status) == (True, ConsentStatus.OPEN)
    assert complete(shop.runtime, buyer, dead).result == Result.CHANGED
    shop.approve(buyer, fresh.id)
    assert complete(shop.runtime, buyer, fresh.id).result == Result.PAID
    assert len(captured(shop)) == 1


def test_changing_the_order_puts_the_card_aside(shop: Shop) -> None:
    shop.add("A")
    buyer = shop.shopper()
    shop.ready(buyer, "A")
    card = shop.card(buyer)
    with shop.uow() as session:
        service.update(session, buyer, service.Details(fulfillment_option_id="overnight"))
    with shop.uow() as session, pytest.raises(ConsentDecided):
        confirmation.decide(session, buyer, card.id, approved=True, channel="test")
    assert shop.card(buyer).id != card.id


def test_the_same_card_is_shown_while_nothing_changes(shop: Shop) -> None:
    shop.add("A")
    buyer = shop.shopper()
    shop.ready(buyer, "A")
    assert shop.card(buyer).id == shop.card(buyer).id


def test_only_the_cards_own_shopper_decides(shop: Shop, runtime: object) -> None:
    shop.add("A")
    buyer, other = shop.shopper(), shop.shopper()
    shop.ready(buyer, "A")
    card = shop.card(buyer)
    staff = Identity(shop.tenant.id, Actor.API_KEY, "key_staff", scopes=frozenset({Scope.STAFF, Scope.ADMIN}))
    with shop.uow() as session:
        with pytest.raises(NotFound):
            confirmation.decide(session, other, card.id, approved=True, channel="test")
        with pytest.raises(Forbidden):
            confirmation.decide(session, staff, card.id, approved=True, channel="test")
        assert session.get_one(Consent, (shop.tenant.id, card.id)).status == ConsentStatus.OPEN
    with pytest.raises(NotFound):
        complete(shop.runtime, other, card.id)
    assert complete(shop.runtime, buyer, card.id).result == Result.NOT_APPROVED
    assert captured(shop) == {}


def test_a_card_runs_out(shop: Shop) -> None:
    shop.add("A")
    buyer = shop.shopper()
    shop.ready(buyer, "A")
    card = shop.card(buyer)
    with clock.shifted(timedelta(minutes=11)):
        with shop.uow() as session, pytest.raises(ConsentExpired):
            confirmation.decide(session, buyer, card.id, approved=True, channel="test")
        recovery.expire(shop.runtime, shop.tenant.id)
        with shop.uow() as session:
            assert session.get_one(Consent, (shop.tenant.id, card.id)).status == ConsentStatus.EXPIRED
        assert shop.card(buyer).id != card.id


def test_a_yes_of_long_ago_takes_no_money(shop: Shop) -> None:
    """Whoever was down in between: no job has run, and the yes is still written."""
    shop.add("A", stock={"EAST": 3})
    buyer = shop.shopper()
    consent_id = shop.approved(buyer, "A")
    with clock.shifted(timedelta(minutes=12)):
        done = complete(shop.runtime, buyer, consent_id)
        assert (done.result, done.message) == (
            Result.CHANGED,
            "The confirmation was given too long ago. Nothing was charged.",
        )
        assert captured(shop) == {}
        assert stock(shop, "A") == (3, 0)
        assert shop.card(buyer).id != consent_id


@pytest.mark.parametrize(
    ("card", "code"),
    [
        ("card_test_declined", "card_declined"),
        ("card_test_funds", "insufficient_funds"),
        ("card_test_expired", "expired_card"),
        ("card_test_cvc", "incorrect_cvc"),
    ],
)
def test_a_decline_frees_everything_and_another_card_pays(shop: Shop, card: str, code: str) -> None:
    shop.add("A", stock={"EAST": 1})
    buyer = shop.shopper()
    consent_id = shop.approved(buyer, "A", card=card)
    done = complete(shop.runtime, buyer, consent_id)
    assert (done.result, done.code) == (Result.DECLINED, code)
    assert stock(shop, "A") == (1, 0)
    assert captured(shop) == {}
    with shop.uow() as session:
        assert queries.own_orders(session, buyer).items == []
        assert finance.balances(session, shop.tenant.id) == {}
    shop.pay_with(buyer, "card_test_visa")
    fresh = shop.card(buyer)
    shop.approve(buyer, fresh.id)
    assert complete(shop.runtime, buyer, fresh.id).result == Result.PAID
    assert_clean(shop)


def test_five_declines_close_the_checkout(shop: Shop) -> None:
    shop.add("A")
    buyer = shop.shopper()
    session_id = shop.ready(buyer, "A", card="card_test_declined")
    for _ in range(5):
        card = shop.card(buyer)
        shop.approve(buyer, card.id)
        assert complete(shop.runtime, buyer, card.id).result == Result.DECLINED
    assert status_of(shop, session_id) == SessionStatus.CANCELED
    assert_clean(shop)


def test_a_card_that_asks_its_holder_first(shop: Shop) -> None:
    shop.add("A")
    buyer = shop.shopper()
    consent_id = shop.approved(buyer, "A", card="card_test_3ds")
    done = complete(shop.runtime, buyer, consent_id)
    assert done.result == Result.CHALLENGE
    assert done.challenge_url
    assert captured(shop) == {}
    assert stock(shop, "A")[1] == 0
    shop.runtime.gateways["sandbox"].pass_challenge(done.challenge_url.rsplit("/", 1)[1])  # type: ignore[attr-defined]
    fresh = shop.card(buyer)
    shop.approve(buyer, fresh.id)
    assert complete(shop.runtime, buyer, fresh.id).result == Result.PAID


def test_a_lost_answer_is_asked_for_at_once(shop: Shop) -> None:
    shop.add("A")
    buyer = shop.shopper()
    done = complete(shop.runtime, buyer, shop.approved(buyer, "A", card="card_test_timeout"))
    assert done.result == Result.PAID
    assert len(captured(shop)) == 1
    assert_clean(shop)


@pytest.mark.usefixtures("still_clock")
def test_a_late_capture_is_unknown_then_paid(shop: Shop) -> None:
    shop.add("A")
    buyer = shop.shopper()
    consent_id = shop.approved(buyer, "A", card="card_test_late")
    done = complete(shop.runtime, buyer, consent_id)
    assert done.result == Result.UNKNOWN
    assert stock(shop, "A") == (10, 1)
    with shop.uow() as session:
        assert session.scalars(select(Alert.kind).where(Alert.resolved_at.is_(None))).all() == ["payment_unknown"]
    with clock.shifted(timedelta(seconds=30)):
        recovery.recover_payments(shop.runtime, shop.tenant.id)
        assert complete(shop.runtime, buyer, consent_id).result == Result.PAID
        with shop.uow() as session:
            assert session.scalars(select(Alert.kind).where(Alert.resolved_at.is_(None))).all() == []
        assert_clean(shop)


class Killed(BaseException):
    """Stands for kill -9: nothing may catch it."""


def die_at(point: str) -> None:
    def hook(name: str) -> None:
        if name == point:
            faults.set_hook(None)
            raise Killed(point)

    faults.set_hook(hook)


@pytest.mark.parametrize("point", faults.POINTS)
@pytest.mark.parametrize("late", [False, True])
def test_death_anywhere_ends_in_one_capture_or_none(shop: Shop, point: str, late: bool) -> None:
    shop.add("A", stock={"EAST": 1})
    buyer = shop.shopper()
    consent_id = shop.approved(buyer, "A")
    die_at(point)
    with pytest.raises(Killed):
        complete(shop.runtime, buyer, consent_id)
    with clock.shifted(timedelta(minutes=30 if late else 1)):
        recovery.recover_payments(shop.runtime, shop.tenant.id)
        recovery.expire(shop.runtime, shop.tenant.id)
        with shop.uow() as session:
            paid = len(queries.own_orders(session, buyer).items)
            state = session.scalars(select(CheckoutSession.status)).one()
        assert len(captured(shop)) == paid
        reached_gateway = point in {"after_capture", "before_t2_commit", "after_t2_commit"}
        if reached_gateway:
            assert paid == 1
        elif point == "before_t1_commit":
            assert paid == 0
        else:
            assert paid == (0 if late else 1)
        assert state == (SessionStatus.COMPLETED if paid else SessionStatus.READY)
        assert_clean(shop)


def test_a_slow_worker_beside_recovery_captures_once(shop: Shop) -> None:
    shop.add("A")
    buyer = shop.shopper()
    consent_id = shop.approved(buyer, "A")

    def recover_meanwhile(point: str) -> None:
        if point == "before_capture":
            faults.set_hook(None)
            with clock.shifted(timedelta(minutes=2)):
                recovery.recover_payments(shop.runtime, shop.tenant.id)

    faults.set_hook(recover_meanwhile)
    assert complete(shop.runtime, buyer, consent_id).result == Result.PAID
    assert len(captured(shop)) == 1
    assert_clean(shop)


def test_a_slow_worker_after_recovery_gave_up_captures_nothing(shop: Shop) -> None:
    shop.add("A", stock={"EAST": 1})
    buyer = shop.shopper()
    consent_id = shop.approved(buyer, "A")

    def give_up_meanwhile(point: str) -> None:
        if point == "before_capture":
            faults.set_hook(None)
            with clock.shifted(timedelta(minutes=20)):
                recovery.recover_payments(shop.runtime, shop.tenant.id)

    faults.set_hook(give_up_meanwhile)
    done = complete(shop.runtime, buyer, consent_id)
    assert done.result == Result.DECLINED
    assert captured(shop) == {}
    assert stock(shop, "A") == (1, 0)
    assert_clean(shop)


def test_nothing_changes_while_the_payment_is_under_way(shop: Shop) -> None:
    shop.add("A")
    buyer = shop.shopper()
    consent_id = shop.approved(buyer, "A")
    refused: list[str] = []

    def meddle(point: str) -> None:
        if point != "before_capture":
            return
        faults.set_hook(None)
        with clock.shifted(timedelta(hours=7)):
            recovery.expire(shop.runtime, shop.tenant.id)
        for act in (
            lambda s: service.update(s, buyer, service.Details(email="eve@example.com")),
            lambda s: service.cancel(s, buyer),
        ):
            with shop.uow() as session:
                try:
                    act(session)
                except Exception as error:  # noqa: BLE001 (the code is what is asserted)
                    refused.append(getattr(error, "code", repr(error)))
        try:
            complete(shop.runtime, buyer, consent_id)
        except Exception as error:  # noqa: BLE001
            refused.append(getattr(error, "code", repr(error)))

    faults.set_hook(meddle)
    assert complete(shop.runtime, buyer, consent_id).result == Result.PAID
    assert refused == ["complete_in_progress", "complete_in_progress"]
    assert len(captured(shop)) == 1


@pytest.mark.usefixtures("still_clock")
def test_a_capture_reported_after_failure_is_refunded(shop: Shop) -> None:
    shop.add("A")
    buyer = shop.shopper()
    consent_id = shop.approved(buyer, "A", card="card_test_late")
    complete(shop.runtime, buyer, consent_id)
    with shop.uow() as session:
        payment = session.scalars(select(Payment)).one()
        payment_id, amount = payment.id, payment.amount
    from engine.checkout.settlement import settle

    settle(
        shop.runtime,
        shop.tenant.id,
        payment_id,
        Charge(payment_id, ChargeStatus.DECLINED, decline_code="card_declined"),
    )
    assert stock(shop, "A") == (10, 0)
    with clock.shifted(timedelta(seconds=10)):
        found = shop.runtime.gateways["sandbox"].find(payment_id, merchant=shop.tenant.id)
        assert found is not None
        assert found.status == ChargeStatus.CAPTURED
        settle(shop.runtime, shop.tenant.id, payment_id, found)
        settle(shop.runtime, shop.tenant.id, payment_id, found)
        assert captured(shop) == {payment_id: 0}
        with shop.uow() as session:
            assert session.get_one(Payment, (shop.tenant.id, payment_id)).status == PaymentStatus.FAILED
            kinds = session.scalars(select(Alert.kind).where(Alert.resolved_at.is_(None))).all()
            assert kinds == ["stray_capture"]
        assert amount > 0
        assert_clean(shop)


def test_an_empty_or_incomplete_checkout_shows_no_card(shop: Shop) -> None:
    shop.add("A")
    buyer = shop.shopper()
    shop.fill(buyer, "A")
    with shop.uow() as session:
        view = service.start(session, buyer)
    assert view.missing == ["email", "name", "address"]
    with pytest.raises(CheckoutIncomplete, match="email, name, address"):
        shop.card(buyer)
    with shop.uow() as session:
        assert session.scalar(select(func.count()).select_from(Order)) == 0


def test_lithium_does_not_fly(shop: Shop) -> None:
    shop.add("BATTERY", restrictions=["lithium_battery"])
    buyer = shop.shopper()
    shop.ready(buyer, "BATTERY")
    with shop.uow() as session:
        view = service.current(session, buyer)
        assert [option.id for option in view.fulfillment_options] == ["standard"]
        moved = ADDRESS | {"state": "AK", "postal_code": "99501", "city": "Anchorage"}
        view = service.update(session, buyer, service.Details(**moved))
    assert "lithium battery" in view.problems[0]
