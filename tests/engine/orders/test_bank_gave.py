"""Orders that are canceled after the card's bank gave some of their money back for good."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from app.cardentry import receive_event
from engine.orders.documents import invoices
from engine.orders.models import Order
from engine.orders.seller import SellerPolicy
from engine.payments.errors import RefundBlockedByDispute
from engine.payments.gateways.sandbox.gateway import SandboxGateway
from engine.payments.models import Payment
from tests.engine.orders.desk import Desk, broken, buy, held, limit
from tests.shop import Shop

PAID = 11655
"""2 x $50.00, $5.95 shipping, 10 % tax on both."""
TAX = 1060


@pytest.fixture
def desk(shop: Shop) -> Desk:
    shop.add("A", price=5000)
    return buy(shop, "A", 2)


def dispute(desk: Desk, amount: int, *, won: bool | None) -> None:
    gateway = desk.shop.runtime.gateways["sandbox"]
    assert isinstance(gateway, SandboxGateway)
    with desk.shop.uow() as session:
        payment_id = session.scalars(select(Payment.id).order_by(Payment.id)).first() or ""
    opened = gateway.open_dispute(payment_id, merchant=desk.shop.tenant.id, amount=amount)
    if won is not None:
        gateway.decide_dispute(opened.gateway_id, won=won)
    for one in gateway.due_webhooks(merchant=desk.shop.tenant.id):
        receive_event(desk.shop.runtime, "sandbox", one.body, dict(one.headers))
        gateway.confirm(one.event_id)


@pytest.mark.parametrize(("lost", "back"), [(3000, PAID - 3000), (PAID - 500, 500), (PAID, 0)])
def test_what_the_bank_left_goes_back_and_no_more(desk: Desk, lost: int, back: int) -> None:
    dispute(desk, lost, won=False)
    change = desk.ask("cancel", reason="other")
    assert (change.refund.amount, change.bank_gave.amount, change.balance_after.amount) == (back, lost, 0)
    done = desk.agree(change)
    rest = f"${back / 100:,.2f} goes back now" if back else "nothing is left to give back"
    assert done.message == f"Canceled. The card's bank gave back ${lost / 100:,.2f} of it before; {rest}."
    order = desk.look()
    assert (order.status, order.balance.amount) == ("canceled", 0)
    assert held(desk.shop) == 0
    owed = {"customer_deposits", "tax_payable", "dispute_losses", "disputes_receivable", "sales_returns"}
    assert {name: amount for name, amount in desk.balances().items() if name in owed} == {}
    assert broken(desk.shop) == []


def test_a_part_goes_back_whole_while_enough_is_left(desk: Desk) -> None:
    dispute(desk, 3000, won=False)
    line = desk.line("A").id
    change = desk.do("cancel", reason="other", lines=[{"line_id": line, "quantity": 1}])
    assert (change.refund.amount, change.bank_gave.amount, change.message) == (5500, 0, "Canceled.")
    rest = desk.do("cancel", reason="other")
    assert (rest.refund.amount, rest.bank_gave.amount) == (PAID - 5500 - 3000, 3000)
    assert held(desk.shop) == 0
    assert broken(desk.shop) == []


def test_a_dispute_that_was_won_changes_nothing(desk: Desk) -> None:
    dispute(desk, 3000, won=True)
    change = desk.do("cancel", reason="other")
    assert (change.refund.amount, change.bank_gave.amount, held(desk.shop)) == (PAID, 0, 0)
    assert broken(desk.shop) == []


def test_while_the_bank_decides_nothing_goes_back(desk: Desk) -> None:
    dispute(desk, 3000, won=None)
    change = desk.ask("cancel", reason="other")
    before = desk.rows()
    with pytest.raises(RefundBlockedByDispute, match="is looking into this payment"):
        desk.agree(change)
    assert desk.rows() == before


def test_papers_of_an_invoiced_order_say_what_was_canceled_not_who_gave_it_back(desk: Desk) -> None:
    limit(desk, SellerPolicy, legal_name="Shop Ltd", address=("1 Road", "Town"))
    with desk.shop.uow() as session:
        invoices.issue(session, session.get_one(Order, (desk.shop.tenant.id, desk.order_id)), actor="test")
    dispute(desk, 3000, won=False)
    desk.do("cancel", reason="other")
    invoices.correct_invoiced(desk.shop.runtime, desk.shop.tenant.id)
    with desk.shop.uow() as session:
        order = session.get_one(Order, (desk.shop.tenant.id, desk.order_id))
        papers = [(str(one.kind), one.total) for one in invoices.documents(session, order)]
    assert papers == [("invoice", PAID), ("credit_note", PAID)]
    assert broken(desk.shop) == []
