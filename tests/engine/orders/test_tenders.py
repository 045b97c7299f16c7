"""Changes paid by stored value, refunds to store credit, money that is only held, and stock that comes in later."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select, text, update

from engine.catalog.models import Variant
from engine.inventory.models import Backorder, BackorderKind, MovementKind
from engine.inventory.service import Allocation, Wanted, open_backorders, receive
from engine.kit import clock
from engine.kit.money import Money
from engine.orders import allocation
from engine.orders.changes.expiry import expire_changes
from engine.orders.errors import InsufficientBalance, MethodNotOwned, SameMethod
from engine.orders.models import OrderLine
from engine.payments import stored_value
from engine.payments.gateway import ChargeStatus
from engine.payments.models import Payment
from engine.payments.stored_value_models import StoredValueAccount, StoredValueKind
from tests.engine.orders.desk import Desk, broken, buy, changes, held, sibling, stock
from tests.shop import Shop


@pytest.fixture
def desk(shop: Shop) -> Desk:
    """Two of A for 50.00: 116.55 paid by card."""
    shop.add("A", price=5000)
    sibling(shop, "A", "A2", price=6000)
    return buy(shop, "A", 2)


def gift_card(desk: Desk, amount: int, *, owner: str | None = None) -> str:
    with desk.shop.uow() as session:
        issued = stored_value.issue(
            session,
            desk.shop.tenant.id,
            secret_key=desk.shop.runtime.secret_key,
            kind=StoredValueKind.GIFT_CARD,
            amount=amount,
            currency="USD",
            owner_id=owner or desk.buyer.id,
            actor="key_staff",
        )
        return issued.account.id


def balance(desk: Desk, account_id: str) -> int:
    with desk.shop.uow() as session:
        return session.get_one(StoredValueAccount, (desk.shop.tenant.id, account_id)).balance


def test_a_gift_card_pays_the_difference_at_once(desk: Desk) -> None:
    account, variants = gift_card(desk, 3000), desk.shop.variants
    swaps = [{"variant_id": variants["A"], "to_variant_id": variants["A2"], "quantity": 2}]
    done = desk.do("items", swaps=swaps, payment_method_ref=account)
    assert (done.status, done.charge.amount) == ("applied", 2200)
    assert (balance(desk, account), held(desk.shop)) == (800, 11655)
    assert desk.look().payment_status == "paid"
    assert broken(desk.shop) == []
    back = desk.do("cancel", reason="other")
    assert back.refund.amount == 13855
    assert (balance(desk, account), held(desk.shop)) == (3000, 0)
    assert broken(desk.shop) == []


def test_a_gift_card_must_cover_the_whole(desk: Desk) -> None:
    before = desk.rows()
    with pytest.raises(InsufficientBalance):
        desk.ask("payment_method", payment_method_ref=gift_card(desk, 11654))
    with pytest.raises(MethodNotOwned):
        desk.ask("payment_method", payment_method_ref=gift_card(desk, 20000, owner="shp_somebody"))
    assert desk.rows() == before
    account = gift_card(desk, 11655)
    assert desk.do("payment_method", payment_method_ref=account).status == "applied"
    assert (balance(desk, account), held(desk.shop)) == (0, 0)
    assert (desk.look().payment_status, desk.look().balance) == ("paid", desk.look().balance)
    assert broken(desk.shop) == []


def test_a_refund_to_store_credit(desk: Desk) -> None:
    done = desk.do("cancel", reason="other", refund_to="store_credit")
    assert (done.status, done.refund.amount) == ("applied", 11655)
    assert held(desk.shop) == 11655
    with desk.shop.uow() as session:
        credit = session.scalars(select(StoredValueAccount)).one()
        assert (credit.balance, credit.owner_id) == (11655, desk.buyer.id)
    assert desk.look().payment_status == "refunded"
    assert broken(desk.shop) == []


def test_money_that_is_only_held_is_let_go_not_refunded(desk: Desk) -> None:
    with desk.shop.uow() as session:
        session.execute(update(Payment).values(status="authorized", capture_mode="at_release"))
        session.execute(text("UPDATE app.captures SET status = 'failed'"))
    line = desk.line("A")
    part = desk.do("cancel", reason="other", lines=[{"line_id": line.id, "quantity": 1}])
    assert (part.status, part.difference.amount, part.refund.amount) == ("applied", -5500, 0)
    order = desk.look()
    assert (order.payment_status, order.due.amount) == ("authorized", 6155)
    swaps = [{"line_id": line.id, "to_variant_id": desk.shop.variants["A2"], "quantity": 1}]
    dearer = desk.do("items", swaps=swaps)
    assert (dearer.difference.amount, dearer.charge.amount) == (1100, 0)
    rest = desk.ask("cancel", reason="other")
    assert (rest.refund.amount, rest.difference.amount) == (0, -7255)
    assert desk.agree(rest).status == "applied"
    with desk.shop.uow() as session:
        [payment] = session.scalars(select(Payment))
        assert payment.void_requested_at is not None
    assert desk.look().status == "canceled"


def test_what_was_set_aside_and_lapsed_is_set_aside_anew(desk: Desk) -> None:
    with desk.shop.uow() as session:
        session.execute(update(Payment).values(status="expired", capture_mode="at_release"))
        session.execute(text("UPDATE app.captures SET status = 'failed'"))
    assert desk.look().payment_status == "unpaid"
    with pytest.raises(MethodNotOwned):
        desk.ask("payment_method", payment_method_ref="pm_somebody_elses")
    asked = desk.ask("payment_method", payment_method_ref="test_visa")
    assert (asked.charge.amount, asked.refund.amount, asked.set_aside.amount) == (0, 0, 11655)
    assert desk.agree(asked).status == "applied"
    with desk.shop.uow() as session:
        rows = session.execute(select(Payment.status, Payment.amount, Payment.change_id.is_(None))).all()
        anew = session.scalars(select(Payment).where(Payment.status == "authorized")).one()
        found = desk.shop.runtime.gateways["sandbox"].find(anew.id, merchant=desk.shop.tenant.id)
        assert anew.authorization_expires_at is not None
        assert anew.void_requested_at is None
    assert sorted(map(tuple, rows)) == [("authorized", 11655, False), ("expired", 11655, True)]
    assert found is not None
    assert (found.status, found.amount) == (ChargeStatus.AUTHORIZED, Money(11655, "USD"))
    assert desk.look().payment_status == "authorized"
    with pytest.raises(SameMethod):
        desk.ask("payment_method", payment_method_ref="test_visa")


def test_a_lapsed_order_is_renewed_once_and_a_declined_card_changes_nothing(desk: Desk) -> None:
    with desk.shop.uow() as session:
        session.execute(update(Payment).values(status="expired", capture_mode="at_release"))
        session.execute(text("UPDATE app.captures SET status = 'failed'"))
    change = desk.ask("payment_method", payment_method_ref="test_visa")
    assert desk.agree(change, approved=False).status != "applied"
    assert desk.look().payment_status == "unpaid"
    with desk.shop.uow() as session:
        assert session.scalars(select(Payment.status)).all() == ["expired"]


def test_stock_that_comes_in_goes_to_who_waits_longest(shop: Shop) -> None:
    shop.add("A", price=5000)
    first, second = buy(shop, "A", 2), buy(shop, "A", 2)
    with shop.uow() as session:
        session.execute(update(Variant).values(stock_policy="backorder"))
        for desk in (first, second):
            _make_wait(session, shop, desk)
    assert first.look().fulfillment_status == "backordered"
    with shop.uow() as session:
        come = [Allocation(shop.variants["A"], shop.locations["EAST"], 3)]
        receive(session, shop.tenant.id, come, kind=MovementKind.RECEIPT, subject="inb_x")
    assert allocation.fill_backorders(shop.runtime, shop.tenant.id) == 3
    assert (first.line("A").allocated, second.line("A").allocated) == (2, 1)
    assert (first.look().fulfillment_status, second.look().fulfillment_status) == ("unfulfilled", "backordered")
    assert stock(shop, "A") == (3, 3)
    assert broken(shop) == []
    done = second.do("cancel", reason="other")
    assert done.status == "applied"
    assert stock(shop, "A") == (3, 2)
    assert allocation.fill_backorders(shop.runtime, shop.tenant.id) == 0
    assert broken(shop) == []


def test_what_arrives_is_theirs_before_anybody_else_sees_it(shop: Shop) -> None:
    shop.add("A", price=5000)
    first, second = buy(shop, "A", 2), buy(shop, "A", 2)
    with shop.uow() as session:
        session.execute(update(Variant).values(stock_policy="backorder"))
        for desk in (first, second):
            _make_wait(session, shop, desk)
    variant = shop.variants["A"]
    with shop.uow() as session, allocation.arriving(session, shop.tenant.id, [variant]):
        come = [Allocation(variant, shop.locations["EAST"], 3)]
        receive(session, shop.tenant.id, come, kind=MovementKind.RECEIPT, subject="inb_x")
    assert stock(shop, "A") == (3, 3)
    assert (first.line("A").allocated, second.line("A").allocated) == (2, 1)
    assert broken(shop) == []


def _make_wait(session, shop: Shop, desk: Desk) -> None:
    """As if the order had been sold ahead of its stock: its units are gone from the shelf, and it waits."""
    from engine.inventory import service as inventory

    line = session.scalars(select(OrderLine).where(OrderLine.order_id == desk.order_id)).one()
    tenant = shop.tenant.id
    inventory.free_line(session, tenant, order_line_id=line.id, quantity=2, subject="test")
    line.allocated = 0
    if desk.order_id == session.scalar(select(OrderLine.order_id).order_by(OrderLine.order_id.desc()).limit(1)):
        gone = [Allocation(line.variant_id, shop.locations["EAST"], -10)]
        receive(session, tenant, gone, kind=MovementKind.ADJUST, subject="test")
    wanted = Wanted(desk.order_id, line.id, line.variant_id, 2, BackorderKind.BACKORDER, None)
    open_backorders(session, tenant, [wanted])
    assert session.scalar(select(Backorder.status).where(Backorder.order_line_id == line.id)) == "waiting"


def test_quotes_nobody_confirmed_run_out(desk: Desk) -> None:
    desk.ask("cancel", reason="other")
    assert expire_changes(desk.shop.runtime, desk.shop.tenant.id) == 0
    with clock.shifted(timedelta(minutes=11)):
        assert expire_changes(desk.shop.runtime, desk.shop.tenant.id) == 1
    assert changes(desk.shop) == ["expired"]
