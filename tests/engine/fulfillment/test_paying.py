"""An order that was only authorized is captured for what is handed over, before it leaves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from engine.fulfillment.errors import NotCaptured, NothingToRelease, NotPaid
from engine.fulfillment.release import release, release_now, take_money
from engine.fulfillment.shipments import ship_now
from engine.inventory import service as inventory
from engine.kit import clock, faults
from engine.kit.ids import new_id
from engine.kit.money import Money
from engine.orders.models import OrderLine
from engine.payments import captures, refunds
from engine.payments.gateway import Allowance, CaptureRequest
from engine.payments.models import Capture, CaptureStatus, Payment, PaymentStatus
from tests.engine.checkout.test_complete import Killed, die_at
from tests.engine.fulfillment.conftest import Warehouse

TOTAL, TAX = 17_155, 1_560
"""Three of $50.00, $5.95 shipping, 10 % tax on both (rounded half up)."""


@dataclass
class Sale:
    """An order of three, of which nothing is captured and everything is held on the card."""

    warehouse: Warehouse
    order_id: str
    payment_id: str

    @property
    def line(self) -> OrderLine:
        return self.warehouse.lines(self.order_id)["A"]

    def captures(self) -> list[tuple[int, int, str, bool]]:
        with self.warehouse.shop.uow() as session:
            rows = session.scalars(
                select(Capture).where(Capture.payment_id == self.payment_id).order_by(Capture.created_at, Capture.id)
            )
            return [(row.amount, row.tax, row.status, row.final) for row in rows]

    def payment(self) -> Payment:
        with self.warehouse.shop.uow() as session:
            return session.get_one(Payment, (self.warehouse.tenant_id, self.payment_id))

    def wait_for_stock(self, units: int) -> None:
        """As if these units had been sold without stock."""
        with self.warehouse.shop.uow() as session:
            line = session.get_one(OrderLine, (self.warehouse.tenant_id, self.line.id))
            inventory.free_line(
                session, self.warehouse.tenant_id, order_line_id=line.id, quantity=units, subject=self.order_id
            )
            line.allocated -= units

    def stock_came(self, units: int) -> None:
        with self.warehouse.shop.uow() as session:
            line = session.get_one(OrderLine, (self.warehouse.tenant_id, self.line.id))
            inventory.hold_line(
                session,
                self.warehouse.tenant_id,
                order_line_id=line.id,
                order_id=self.order_id,
                variant_id=line.variant_id,
                quantity=units,
                region="WA",
            )
            line.allocated += units


@pytest.fixture
def sale(warehouse: Warehouse) -> Sale:
    warehouse.shop.add("A", price=5000, stock={"EAST": 10})
    order_id = warehouse.buy(A=3)
    assert (warehouse.order(order_id).total, warehouse.order(order_id).tax) == (TOTAL, TAX)
    return Sale(warehouse, order_id, _hold_instead(warehouse, order_id))


def _hold_instead(warehouse: Warehouse, order_id: str) -> str:
    """Give back what was captured, and hold as much on the card."""
    runtime, tenant_id = warehouse.shop.runtime, warehouse.tenant_id
    with warehouse.shop.uow() as session:
        asked = refunds.request(
            session,
            tenant_id,
            order_id=order_id,
            amount=TOTAL,
            tax=TAX,
            unearned=TOTAL - TAX,
            reason="test",
            requested_by="key_1",
        )
    for one in asked:
        refunds.execute(runtime, tenant_id, one.id)
    payment_id, change_id, money = new_id("payment"), new_id("change"), Money(TOTAL, "USD")
    gateway = runtime.gateways["sandbox"]
    allowance = Allowance(tenant_id, change_id, money, clock.now() + timedelta(minutes=10))
    token = gateway.delegate("card_test_visa", allowance, key=payment_id)
    charge = gateway.authorize(CaptureRequest(payment_id, tenant_id, change_id, token, money))
    with warehouse.shop.uow() as session:
        session.add(
            Payment(
                tenant_id=tenant_id,
                id=payment_id,
                order_id=order_id,
                change_id=change_id,
                gateway="sandbox",
                amount=TOTAL,
                currency="USD",
                method={},
                status=PaymentStatus.AUTHORIZED,
                authorization_expires_at=charge.expires_at,
            )
        )
    return payment_id


def test_everything_released_takes_what_is_due(sale: Sale) -> None:
    runtime, tenant_id = sale.warehouse.shop.runtime, sale.warehouse.tenant_id
    with sale.warehouse.shop.uow() as session:
        [made] = release(session, tenant_id, sale.order_id)
    assert sale.captures() == [(TOTAL, TAX, "pending", True)]
    assert sale.warehouse.books().get("revenue") is None
    with pytest.raises(NotCaptured):
        ship_now(runtime, tenant_id, made.id)
    assert sale.warehouse.shipments(sale.order_id) == []
    take_money(runtime, tenant_id, sale.order_id)
    assert sale.captures() == [(TOTAL, TAX, "succeeded", True)]
    assert sale.payment().status == "captured"
    ship_now(runtime, tenant_id, made.id)
    assert sale.line.shipped == 3
    assert "customer_deposits" not in sale.warehouse.books()


def test_each_release_takes_its_share_and_the_last_one_the_rest(sale: Sale) -> None:
    runtime, tenant_id = sale.warehouse.shop.runtime, sale.warehouse.tenant_id
    sale.wait_for_stock(2)
    [first] = release_now(runtime, tenant_id, sale.order_id)
    assert sale.captures() == [(6_155, 560, "succeeded", False)]
    assert sale.payment().status == "partially_captured"
    ship_now(runtime, tenant_id, first)
    with pytest.raises(NothingToRelease):
        release_now(runtime, tenant_id, sale.order_id)
    sale.stock_came(2)
    [second] = release_now(runtime, tenant_id, sale.order_id)
    assert sale.captures() == [(6_155, 560, "succeeded", False), (11_000, 1_000, "succeeded", True)]
    ship_now(runtime, tenant_id, second)
    assert sale.payment().status == "captured"
    assert "customer_deposits" not in sale.warehouse.books()


def test_a_capture_that_failed_keeps_the_goods_here_until_it_is_asked_again(sale: Sale) -> None:
    runtime, tenant_id = sale.warehouse.shop.runtime, sale.warehouse.tenant_id
    with sale.warehouse.shop.uow() as session:
        [made] = release(session, tenant_id, sale.order_id)
        session.execute(
            update(Capture).where(Capture.payment_id == sale.payment_id).values(status=CaptureStatus.FAILED)
        )
    with pytest.raises(NotCaptured):
        ship_now(runtime, tenant_id, made.id)
    assert release_now(runtime, tenant_id, sale.order_id) == []
    assert [row[2] for row in sale.captures()] == ["failed", "succeeded"]
    ship_now(runtime, tenant_id, made.id)
    assert sale.line.shipped == 3


def test_without_money_nothing_is_released(sale: Sale) -> None:
    with sale.warehouse.shop.uow() as session:
        session.get_one(Payment, (sale.warehouse.tenant_id, sale.payment_id)).status = PaymentStatus.VOIDED
    with pytest.raises(NotPaid):
        release_now(sale.warehouse.shop.runtime, sale.warehouse.tenant_id, sale.order_id)
    assert sale.line.released == 0
    assert sale.captures() == []


@pytest.mark.parametrize(
    ("point", "released"),
    [
        ("before_release_commit", 0),
        ("after_release_commit", 3),
        ("capture_before_gateway", 3),
        ("capture_after_gateway", 3),
        ("capture_before_commit", 3),
    ],
)
def test_a_crash_while_releasing_takes_the_money_once(sale: Sale, point: str, released: int) -> None:
    runtime, tenant_id = sale.warehouse.shop.runtime, sale.warehouse.tenant_id
    die_at(point)
    with pytest.raises(Killed):
        release_now(runtime, tenant_id, sale.order_id)
    faults.set_hook(None)
    assert sale.line.released == released
    if released:
        with clock.shifted(timedelta(minutes=5)):
            captures.finish_pending(runtime, tenant_id)
    else:
        release_now(runtime, tenant_id, sale.order_id)
    assert sale.captures() == [(TOTAL, TAX, "succeeded", True)]
    standing = runtime.gateways["sandbox"].standings(merchant=tenant_id)[sale.payment_id]
    assert (standing.captured, standing.refunded) == (TOTAL, 0)
