"""A shopper who wants more than what was paid: by slices, by the clock, by the bank, and by a card that declines."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from sqlalchemy import event, select
from sqlalchemy.orm import Session

from engine.checkout import recovery
from engine.checkout.models import Consent
from engine.fulfillment import release
from engine.fulfillment.models import Fulfillment
from engine.fulfillment.shipments import ship
from engine.kit import clock
from engine.kit.envelope import seal
from engine.kit.errors import DomainError
from engine.orders import goodwill
from engine.payments import gateway_events, stored_value
from engine.payments.models import Payment
from engine.payments.stored_value_models import StoredValueKind
from engine.returns import deciding
from engine.returns.models import ReturnStatus
from tests.engine.orders.desk import Desk, broken, buy, held, sibling, stock
from tests.engine.returns.coming import (
    arrive,
    ask,
    deliver,
    inspect,
    pay,
    receive,
    returned,
    rule,
    send_back,
    the_return,
)
from tests.shop import Shop


def dispute(desk: Desk) -> str:
    """The card's bank takes the order's money back; the dispute's id at the gateway."""
    shop = desk.shop
    gateway = shop.runtime.gateways["sandbox"]
    with shop.uow() as session:
        payment_id = session.scalars(select(Payment.id).where(Payment.order_id == desk.order_id)).one()
    opened = gateway.open_dispute(payment_id, merchant=shop.tenant.id)  # type: ignore[attr-defined] # the sandbox's own
    hear(shop)
    return str(opened.gateway_id)


def hear(shop: Shop) -> None:
    gateway = shop.runtime.gateways["sandbox"]
    for told in gateway.due_webhooks(merchant=shop.tenant.id):  # type: ignore[attr-defined]
        gateway_events.receive(
            shop.runtime, "sandbox", told.body, dict(told.headers), on_charge=recovery.on_gateway_event
        )


def reviewed_exchange(shop: Shop, *, token: str | None = None) -> Desk:
    """A dearer one is wanted, and the shop looks at it first; ``token`` takes the place of the one that would pay."""
    rule(shop, auto_approve=False)
    shop.add("A")
    sibling(shop, "A", "A2", price=7000)
    desk = buy(shop, "A")
    deliver(desk)
    change = ask(desk, {"sku": "A", "exchange": "A2"})
    if token is not None:
        with shop.uow() as session:
            card = session.scalars(select(Consent).where(Consent.id == change.consent_id)).one()
            card.token_sealed = seal(shop.runtime.secret_key, shop.tenant.id, f"consent|{card.id}", token)
    desk.agree(change)
    return desk


def test_a_reviewed_exchange_whose_card_declines_has_ended_and_blocks_nothing(shop: Shop) -> None:
    desk = reviewed_exchange(shop, token="vt_of_nobody")
    paid = desk.look().total.amount

    deciding.approve(shop.runtime, desk.staff, the_return(desk).id)

    ended = the_return(desk)
    assert (ended.status, ended.message) == (ReturnStatus.CANCELED, desk.look().changes[-1].message)
    assert (held(shop), stock(shop, "A2"), desk.look().status) == (paid, (10, 0), "closed")
    with clock.shifted(timedelta(days=20)):
        assert deciding.expire_returns(shop.runtime, shop.tenant.id) == 0
        assert send_back(desk, ("A", 1)).status == "requested"
    assert broken(shop) == []


def test_one_return_that_cannot_expire_keeps_no_other_waiting(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.add("A")
    desks = [buy(shop, "A") for _ in range(2)]
    for desk in desks:
        deliver(desk)
        send_back(desk, ("A", 1))
    stuck = the_return(desks[0]).id
    true_expire = deciding._expire

    def expire(session: object, tenant_id: str, return_id: str) -> tuple[str, ...]:
        if return_id == stuck:
            raise DomainError("no")
        return true_expire(session, tenant_id, return_id)  # type: ignore[arg-type]

    monkeypatch.setattr(deciding, "_expire", expire)
    with clock.shifted(timedelta(days=15)):
        assert deciding.expire_returns(shop.runtime, shop.tenant.id) == 1
    assert [the_return(desk).status for desk in desks] == [ReturnStatus.LABEL_READY, ReturnStatus.EXPIRED]


def test_what_the_bank_took_back_pays_for_no_goods_in_exchange(shop: Shop) -> None:
    shop.add("A")
    sibling(shop, "A", "A2", price=5000)
    desk = buy(shop, "A")
    deliver(desk)
    send_back(desk, {"sku": "A", "exchange": "A2"})
    dispute(desk)

    receive(desk, the_return(desk))

    row = the_return(desk)
    assert (row.problem, returned(desk), desk.look().status) == ("refund_blocked_by_dispute", {"A": 0}, "closed")
    inspect(desk, row)
    assert stock(shop, "A2") == (10, 1)
    assert broken(shop) == []


def test_a_disputed_order_is_charged_for_no_exchange(shop: Shop) -> None:
    desk = reviewed_exchange(shop)
    paid = held(shop)
    dispute(desk)
    with pytest.raises(DomainError) as refused:
        deciding.approve(shop.runtime, desk.staff, the_return(desk).id)
    assert refused.value.code == "refund_blocked_by_dispute"
    assert (the_return(desk).status, stock(shop, "A2")) == (ReturnStatus.REQUESTED, (10, 0))
    assert held(shop) <= paid


def test_what_is_kept_is_counted_over_all_returns_of_an_order(shop: Shop) -> None:
    shop.add("A", price=900)
    rule(shop, keep_below=2000)
    desk = buy(shop, "A", 4)
    deliver(desk)
    kept = []
    for _ in range(3):
        terms = send_back(desk, {"sku": "A", "quantity": 1, "reason": "damaged", "condition": "damaged"}).terms
        assert terms is not None
        kept.append(terms.keep)
    assert kept == [True, False, False]
    assert broken(shop) == []


def test_what_is_looked_at_first_cannot_be_sent_back_in_slices(shop: Shop) -> None:
    shop.add("A", price=900)
    rule(shop, review_above=2000)
    desk = buy(shop, "A", 5)
    deliver(desk)
    assert [send_back(desk, ("A", 1)).status for _ in range(3)] == ["applied", "applied", "requested"]
    deciding.approve(shop.runtime, desk.staff, the_return(desk).id)
    assert send_back(desk, ("A", 1)).status == "requested"
    assert broken(shop) == []


def two_parcels(shop: Shop) -> tuple[Desk, str, str]:
    """Three of a thing on their way: two in one parcel, one in another; neither has arrived."""
    shop.add("A", stock={"EAST": 2, "WEST": 1})
    desk = buy(shop, "A", 3)
    with shop.uow() as session:
        sent = send(session, desk)
    big, small = (found for _, found in sorted(sent, reverse=True))
    return desk, big, small


def send(session: Session, desk: Desk) -> list[tuple[int, str]]:
    release.release(session, desk.shop.tenant.id, desk.order_id)
    work = session.scalars(select(Fulfillment.id).where(Fulfillment.order_id == desk.order_id)).all()
    rows = [ship(session, desk.shop.tenant.id, one) for one in work]
    return [(sum(line["quantity"] for line in row.lines), row.id) for row in rows]


def test_a_late_parcel_makes_what_came_long_ago_no_younger(shop: Shop) -> None:
    desk, big, small = two_parcels(shop)
    arrive(desk, big, at=clock.now() - timedelta(days=40))
    arrive(desk, small)
    send_back(desk, ("A", 1))
    with pytest.raises(DomainError) as refused:
        ask(desk, ("A", 1))
    assert refused.value.code == "return_window_closed"


def test_what_went_back_in_time_leaves_a_late_parcel_its_own_time(shop: Shop) -> None:
    desk, big, small = two_parcels(shop)
    arrive(desk, big)
    send_back(desk, ("A", 2))
    with clock.shifted(timedelta(days=40)):
        arrive(desk, small)
        assert send_back(desk, ("A", 1)).status == "applied"


@contextmanager
def locks(shop: Shop) -> Iterator[list[str]]:
    """Tables in the order in which their rows are first locked or written."""
    taken: list[str] = []

    def note(*told: object) -> None:
        words = str(told[2])
        for table in ("payments", "stock_levels"):
            writes = f"UPDATE app.{table}" in words or (f"FROM app.{table}" in words and "FOR UPDATE" in words)
            if writes and table not in taken:
                taken.append(table)

    engine = shop.runtime.store.engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield taken
    finally:
        event.remove(engine, "before_cursor_execute", note)


@pytest.mark.parametrize("price", [None, 3000], ids=["return", "exchange"])
def test_an_inspection_locks_money_before_stock(shop: Shop, price: int | None) -> None:
    rule(shop, refund_at="inspected")
    shop.add("A")
    sibling(shop, "A", "A2", price=price or 5000)
    desk = buy(shop, "A")
    deliver(desk)
    send_back(desk, {"sku": "A", "exchange": "A2"} if price else ("A", 1))
    receive(desk, the_return(desk))
    with locks(shop) as taken:
        inspect(desk, the_return(desk))
    assert taken == ["payments", "stock_levels"]
    assert the_return(desk).status == ReturnStatus.CLOSED
    assert broken(shop) == []


def test_an_exchange_that_is_given_up_locks_money_before_stock(shop: Shop) -> None:
    shop.add("A")
    sibling(shop, "A", "A2", price=7000)
    desk = buy(shop, "A")
    deliver(desk)
    send_back(desk, {"sku": "A", "exchange": "A2"})
    with locks(shop) as taken, shop.uow() as session:
        made = deciding.cancel(session, shop.tenant.id, the_return(desk).id, actor=desk.buyer.id)
        session.flush()
    assert taken == ["payments", "stock_levels"]
    pay(desk, made)
    assert broken(shop) == []


def test_an_exchange_is_no_way_to_cash_where_returns_give_store_credit(shop: Shop) -> None:
    rule(shop, refund_to=["store_credit"])
    shop.add("A")
    for sku in ("A2", "A3"):
        sibling(shop, "A", sku, price=5000)
    desk = buy(shop, "A")
    deliver(desk)
    paid = held(shop)
    send_back(desk, {"sku": "A", "exchange": "A2"}, refund_to="store_credit")
    receive(desk, the_return(desk))
    with pytest.raises(DomainError) as refused:
        desk.ask("cancel", reason="other")
    assert refused.value.code == "change_refused"
    desk.do("items", swaps=[{"line_id": desk.line("A2").id, "to_variant_id": shop.variants["A3"]}])
    with pytest.raises(DomainError):
        desk.ask("cancel", reason="other")
    assert desk.do("cancel", reason="other", refund_to="store_credit").refund.amount == 5500
    assert held(shop) == paid
    assert broken(shop) == []


def test_money_for_an_account_whose_time_ended_meanwhile_arrives_there(shop: Shop) -> None:
    shop.add("A")
    desk = buy(shop, "A")
    deliver(desk)
    with shop.uow() as session:
        issued = stored_value.issue(
            session,
            shop.tenant.id,
            secret_key=shop.runtime.secret_key,
            kind=StoredValueKind.STORE_CREDIT,
            amount=100,
            currency="USD",
            owner_id=desk.buyer.id,
            expires_at=clock.now() + timedelta(days=3),
            actor="test",
        )
    send_back(desk, ("A", 1), refund_to=issued.account.id)
    with clock.shifted(timedelta(days=5)):
        stored_value.expire(shop.runtime, shop.tenant.id)
        receive(desk, the_return(desk))
        assert (the_return(desk).problem, the_return(desk).given) == (None, 5500)
        with shop.uow() as session:
            (credit,) = stored_value.own_accounts(session, desk.buyer)
    assert (credit.id, credit.balance) == (issued.account.id, 5500)
    assert broken(shop) == []


def dearer_exchange(shop: Shop) -> Desk:
    """One of 7000 is wanted for one of 5000: 22.00 were charged, and nothing was sent yet."""
    shop.add("A")
    sibling(shop, "A", "A2", price=7000)
    desk = buy(shop, "A")
    deliver(desk)
    send_back(desk, {"sku": "A", "exchange": "A2"})
    assert (the_return(desk).charge, stock(shop, "A2")) == (2200, (10, 1))
    return desk


def test_an_exchange_whose_money_the_bank_has_given_back_is_given_up_without(shop: Shop) -> None:
    desk = dearer_exchange(shop)
    gateway = shop.runtime.gateways["sandbox"]
    with shop.uow() as session:
        payments = session.scalars(select(Payment.id).where(Payment.order_id == desk.order_id)).all()
    for payment_id in payments:
        opened = gateway.open_dispute(payment_id, merchant=shop.tenant.id)  # type: ignore[attr-defined]
        gateway.decide_dispute(opened.gateway_id, won=False)  # type: ignore[attr-defined]
    hear(shop)
    with clock.shifted(timedelta(days=15)):
        assert deciding.expire_returns(shop.runtime, shop.tenant.id) == 1
    row, balances = the_return(desk), desk.balances()
    assert (row.status, row.given, stock(shop, "A2")) == (ReturnStatus.EXPIRED, 0, (10, 0))
    assert (balances.get("customer_deposits", 0), balances["dispute_losses"]) == (0, 6155 + 2200 - 2000)
    assert broken(shop) == []


def test_an_exchange_whose_charge_went_back_as_goodwill_is_given_up_without(shop: Shop) -> None:
    desk = dearer_exchange(shop)
    with shop.uow() as session:
        made = goodwill.give(
            session,
            shop.tenant.id,
            order_id=desk.order_id,
            amount=8000,
            reason="Sorry",
            requested_by="key_staff",
            approved="apr_x",
        )
    pay(desk, tuple(one.id for one in made))
    with shop.uow() as session:
        back = deciding.cancel(session, shop.tenant.id, the_return(desk).id, actor=desk.buyer.id)
    pay(desk, back)
    assert (the_return(desk).given, held(shop), stock(shop, "A2")) == (355, 0, (10, 0))
    balances = desk.balances()
    assert (balances.get("customer_deposits", 0), balances["sales_returns"]) == (0, 8000 - 1845)
    assert broken(shop) == []


def test_when_the_bank_has_given_the_money_the_return_ends_without(shop: Shop) -> None:
    shop.add("A")
    desk = buy(shop, "A")
    deliver(desk)
    send_back(desk, ("A", 1))
    dispute_id = dispute(desk)
    receive(desk, the_return(desk))
    inspect(desk, the_return(desk))
    assert (the_return(desk).problem, the_return(desk).status) == ("refund_blocked_by_dispute", ReturnStatus.INSPECTED)
    shop.runtime.gateways["sandbox"].decide_dispute(dispute_id, won=False)  # type: ignore[attr-defined]
    hear(shop)

    assert deciding.retry_blocked(shop.runtime, shop.tenant.id) == 1

    row = the_return(desk)
    assert (row.problem, row.status, row.given, returned(desk)) == (None, ReturnStatus.CLOSED, 0, {"A": 1})
    assert broken(shop) == []
