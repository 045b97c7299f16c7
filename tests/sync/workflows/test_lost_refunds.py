"""What a platform gave back of a paid invoice is credited though its letter was lost: the poll finds it."""

from __future__ import annotations

from engine.sync.models import System
from engine.sync.sandbox.shopify import changing
from engine.sync.sandbox.shopify.state import Order
from engine.workflows import netsuite_invoice, netsuite_payment
from engine.workflows.models import RunStatus
from engine.workflows.netsuite_invoice import BillOrder
from tests.sync.workflows.pipes import Pipes

INVOICE, PAYMENT = netsuite_invoice.WORKFLOW, netsuite_payment.WORKFLOW


def paid(pipes: Pipes) -> Order:
    """An order whose invoice is paid in full."""
    order, erp_id = pipes.shipped(6000)
    pipes.play(INVOICE, BillOrder(order_id=erp_id, reference=order.name))
    (charge,) = pipes.poll(PAYMENT, {})
    assert pipes.play(PAYMENT, charge).result["remaining"] == 0
    return order


def give_back(pipes: Pipes, order: Order, *amounts: str) -> None:
    rows = [{"orderId": order.gid, "kind": "REFUND", "gateway": "bogus", "amount": one} for one in amounts]
    with pipes.world.ground.lock:
        changing.refund_create(pipes.merchant.shop, {"input": {"orderId": order.gid, "transactions": rows}})


def test_a_refund_is_found_without_its_letter(pipes: Pipes) -> None:
    order, cursor = paid(pipes), dict[str, str]()
    assert pipes.poll(PAYMENT, cursor) == []
    give_back(pipes, order, "5.00", "7.50")

    found = pipes.poll(PAYMENT, cursor)
    assert [(one.amount, one.refund, one.reference) for one in found] == [
        (500, True, order.name),
        (750, True, order.name),
    ]
    for one in found:
        assert pipes.play(PAYMENT, one).row().status == RunStatus.DONE
    assert sorted(one.external_id or "" for one in pipes.kind("creditMemo")) == sorted(
        netsuite_payment.external_id(one) for one in found
    )


def test_only_orders_of_which_money_went_back_are_asked_for_it(pipes: Pipes) -> None:
    order, cursor = paid(pipes), dict[str, str]()
    pipes.poll(PAYMENT, cursor)
    asked = len(_money_questions(pipes))
    pipes.poll(PAYMENT, cursor)
    assert len(_money_questions(pipes)) == asked
    give_back(pipes, order, "5.00")
    pipes.poll(PAYMENT, cursor)
    assert len(_money_questions(pipes)) == asked + 1


def test_a_refund_of_an_order_that_the_erp_has_not_is_none_of_ours(pipes: Pipes) -> None:
    give_back(pipes, pipes.sold(6000), "5.00")
    assert pipes.poll(PAYMENT, {}) == []


def _money_questions(pipes: Pipes) -> list[str]:
    return [
        one.request
        for one in pipes.world.ground.journal.entries(system=System.SHOPIFY)
        if "Transactions(" in one.request
    ]
