"""What left is invoiced once; what was paid is booked on the invoice once; what does not fit is for a person."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete

from engine.kit import clock
from engine.orders.service import lock
from engine.payments import refunds
from engine.sync.canonical import OURS
from engine.sync.models import System
from engine.sync.sandbox.shopify import changing
from engine.workflows import netsuite_invoice, netsuite_payment
from engine.workflows.access import Access, Wiring
from engine.workflows.models import RunMode, RunRow, RunStatus
from engine.workflows.netsuite_invoice import BillOrder
from engine.workflows.netsuite_payment import Settled
from engine.workflows.rehearsal import Death, When
from engine.workflows.settings import Billing
from tests.contracts.connectors import bench
from tests.engine.fulfillment.conftest import Warehouse
from tests.sync.workflows.pipes import Pipes, created, document, major

INVOICE, PAYMENT = netsuite_invoice.WORKFLOW, netsuite_payment.WORKFLOW


def billed(pipes: Pipes, total: int = 6000) -> tuple[Any, str, str]:
    """The shop's order, the ERP's and its invoice."""
    order, erp_id = pipes.shipped(total)
    run = pipes.play(INVOICE, BillOrder(order_id=erp_id, reference=order.name))
    assert run.row().status == RunStatus.DONE, run.row().error
    return order, erp_id, run.result["invoice"]


def test_an_order_that_left_is_invoiced_and_marked(pipes: Pipes) -> None:
    order, erp_id = pipes.shipped()
    found = pipes.poll(INVOICE)
    assert [(one.order_id, one.reference) for one in found] == [(erp_id, order.name)]
    run = pipes.play(INVOICE, found[0])

    made = pipes.kind("invoice")[0]
    assert (run.row().status, run.row().subject_ref) == (RunStatus.DONE, order.name)
    assert run.result == {"invoice": str(made.id), "number": made.fields["tranId"], "total": 6000, "currency": "USD"}
    assert (made.external_id, len(pipes.kind("invoice"))) == (f"INV-{erp_id}", 1)
    assert order.tags == ["INVOICED"]
    assert pipes.poll(INVOICE) == []
    assert pipes.erp.sales_order(id=erp_id).status == "G"


@pytest.mark.parametrize("when", When)
@pytest.mark.parametrize("step", ["look", "invoice", "link", "tag"])
def test_whenever_it_dies_there_is_one_invoice(pipes: Pipes, when: When, step: str) -> None:
    order, erp_id = pipes.shipped()
    run = pipes.play(INVOICE, BillOrder(order_id=erp_id), deaths=[Death(when, step)])

    assert (run.lives, run.row().status) == (2, RunStatus.DONE)
    assert (len(pipes.kind("invoice")), order.tags) == (1, ["INVOICED"])


@pytest.mark.parametrize("kind", ["timeout_after_commit", "timeout_before_commit", "http_500", "concurrency_exceeded"])
def test_an_invoice_in_doubt_is_looked_for_before_it_is_made_again(pipes: Pipes, kind: str) -> None:
    _, erp_id = pipes.shipped()
    rule = pipes.put("netsuite", kind, match={"operation": "salesOrder!invoice"})
    run = pipes.play(INVOICE, BillOrder(order_id=erp_id))

    assert (rule.struck, run.row().status, len(pipes.kind("invoice"))) == (1, RunStatus.DONE, 1)
    assert "? invoice" in run.seen


def test_what_left_before_a_shop_sold_for_cash_is_sold_for_cash(pipes: Pipes) -> None:
    """It gets no invoice any more, and nobody else would bill it. What is about to be sold as it leaves, is not."""
    order, erp_id = pipes.shipped()
    pipes.rule(billing=Billing.CASH_SALE)
    (found,) = pipes.poll(INVOICE)
    with pipes.shop.uow() as session:
        tracking = {"workflow": "dclTrackingUpdate", "version": "1.0.0", "trigger": "test", "payload": {}}
        session.add(
            RunRow(tenant_id=pipes.tenant_id, id="leaves", subject_kind="order", subject_ref=order.name, **tracking)
        )
    assert pipes.play(INVOICE, found).result == {"skipped": "it is being sold as it leaves"}
    assert pipes.kind("cashSale") == []

    with pipes.shop.uow() as session:
        session.execute(delete(RunRow))  # both are over
    run = pipes.play(INVOICE, found)
    (sold,) = pipes.kind("cashSale")
    assert (run.row().status, run.result["rest"], run.result["cash_sale"]) == ("done", str(sold.id), str(sold.id))
    assert pipes.link(System.NETSUITE, "cashSale", str(sold.id), pipes.erp.account)
    assert (pipes.kind("invoice"), pipes.poll(INVOICE)) == ([], [])
    assert pipes.erp.sales_order(id=erp_id).status == "G"


def test_what_was_invoiced_before_a_shop_sold_for_cash_stays_so(pipes: Pipes) -> None:
    _, erp_id, invoice = billed(pipes)
    pipes.rule(billing=Billing.CASH_SALE)
    run = pipes.play(INVOICE, BillOrder(order_id=erp_id))
    assert (run.row().status, run.result["invoice"], pipes.kind("cashSale")) == ("done", invoice, [])


def test_an_order_that_was_sold_for_cash_gets_no_invoice(pipes: Pipes) -> None:
    _, erp_id = pipes.shipped()
    sold = pipes.erp.bill(erp_id, "CS-1", "cash_sale")
    run = pipes.play(INVOICE, BillOrder(order_id=erp_id))

    assert run.result["cash_sale"] == sold.source_id
    assert pipes.kind("invoice") == []


def test_an_order_that_did_not_leave_is_refused_and_for_a_person(pipes: Pipes) -> None:
    order = pipes.sold()
    erp_id = pipes.in_erp(created("shopify", "x", "1", order.name))
    run = pipes.play(INVOICE, BillOrder(order_id=erp_id))

    assert run.row().status == RunStatus.FAILED
    assert [(row.workflow, row.step, row.code) for row in pipes.queue()] == [
        ("netsuiteInvoice", "invoice", "vendor_rejected")
    ]
    assert (pipes.kind("invoice"), order.tags) == ([], [])


def test_in_the_shadow_nothing_is_invoiced(pipes: Pipes) -> None:
    order, erp_id = pipes.shipped()
    run = pipes.play(INVOICE, BillOrder(order_id=erp_id), mode=RunMode.SHADOW)

    assert (run.row().status, run.result["total"]) == (RunStatus.DONE, 6000)
    assert (pipes.kind("invoice"), order.tags) == ([], [])


def test_a_paid_order_closes_its_invoice(pipes: Pipes) -> None:
    order, _, invoice = billed(pipes)
    found = pipes.poll(PAYMENT)
    assert [(one.amount, one.currency, one.reference, one.refund) for one in found] == [
        (6000, "USD", order.name, False)
    ]
    run = pipes.play(PAYMENT, found[0])

    booked = pipes.kind("customerPayment")[0]
    assert run.result == {
        "invoice": invoice,
        "remaining": 0,
        "payment": str(booked.id),
        "unapplied": 0,
        "lacking": 0,
    }
    assert booked.external_id == f"PAY-{found[0].charge_id}"
    assert (booked.fields["undepFunds"], pipes.queue()) == (True, [])
    assert pipes.poll(PAYMENT) == []
    link = pipes.link(System.NETSUITE, "customerPayment", str(booked.id), pipes.erp.account)
    assert link.internal_id.endswith(f":{found[0].charge_id}")


def test_money_lies_where_the_shop_says(pipes: Pipes) -> None:
    billed(pipes)
    pipes.rule(payment_account="100")
    pipes.play(PAYMENT, pipes.poll(PAYMENT)[0])

    assert pipes.kind("customerPayment")[0].fields["account"]["id"] == "100"


@pytest.mark.parametrize("when", When)
@pytest.mark.parametrize("step", ["find", "pay", "verify", "link"])
def test_whenever_it_dies_there_is_one_payment(pipes: Pipes, when: When, step: str) -> None:
    billed(pipes)
    run = pipes.play(PAYMENT, pipes.poll(PAYMENT)[0], deaths=[Death(when, step)])

    assert (run.lives, run.row().status, run.result["remaining"]) == (2, RunStatus.DONE, 0)
    assert [str(one.fields["payment"]) for one in pipes.kind("customerPayment")] == ["60"]


def test_a_payment_in_doubt_is_looked_for(pipes: Pipes) -> None:
    billed(pipes)
    pipes.put("netsuite", "timeout_after_commit", match={"operation": "invoice!customerPayment"})
    run = pipes.play(PAYMENT, pipes.poll(PAYMENT)[0])

    assert (run.result["remaining"], len(pipes.kind("customerPayment"))) == (0, 1)
    assert "? pay" in run.seen


def test_more_than_the_invoice_stays_unapplied_and_is_for_a_person(pipes: Pipes) -> None:
    billed(pipes, total=6500)
    run = pipes.play(PAYMENT, pipes.poll(PAYMENT)[0])

    assert (run.row().status, run.result["remaining"], run.result["unapplied"]) == (RunStatus.DONE, 0, 500)
    assert pipes.faults() == [("unapplied", "500 of 6500 USD (minor units)")]


def test_less_than_the_invoice_is_for_a_person(pipes: Pipes) -> None:
    billed(pipes, total=5000)
    run = pipes.play(PAYMENT, pipes.poll(PAYMENT)[0])

    assert (run.result["remaining"], run.result["lacking"]) == (1000, 1000)
    assert pipes.faults() == [("remaining", "1000 USD (minor units)")]


def charge(order: Any, pipes: Pipes, **changed: Any) -> Settled:
    usual = {
        "source": "shopify",
        "account": pipes.merchant.credentials.shop_domain,
        "order_id": order.gid.rpartition("/")[2],
        "charge_id": "77",
        "reference": order.name,
        "amount": 6000,
        "currency": "USD",
        "at": clock.now(),
    }
    return Settled.model_validate(usual | changed)


def test_money_in_another_currency_is_refused(pipes: Pipes) -> None:
    order, _, _ = billed(pipes)
    run = pipes.play(PAYMENT, charge(order, pipes, currency="EUR"))

    assert (run.row().status, pipes.kind("customerPayment")) == (RunStatus.FAILED, [])
    assert pipes.faults() == [("currency", "EUR was paid, the invoice is in USD")]


def test_money_of_an_order_that_has_no_invoice_is_refused(pipes: Pipes) -> None:
    order, _ = pipes.shipped()
    for payload in (charge(order, pipes), charge(order, pipes, order_id="1", charge_id="78")):
        assert pipes.play(PAYMENT, payload).row().status == RunStatus.FAILED
    assert sorted(pipes.faults()) == [("order_id", "it has no invoice"), ("order_id", "not linked")]


def refunded(pipes: Pipes, order: Any, amount: str, *, not_: str = "") -> Settled:
    """The shop gives money back; what its letter says. ``not_`` is the charge of an earlier one."""
    given = {
        "orderId": order.gid,
        "transactions": [
            {
                "orderId": order.gid,
                "gateway": "bogus",
                "kind": "REFUND",
                "amount": amount,
                "parentId": order.transactions[0].gid,
            }
        ],
    }
    with pipes.world.ground.lock:
        pipes.merchant.shop.begin_act()
        changing.refund_create(pipes.merchant.shop, {"input": given})
    access = Access(pipes.runtime, pipes.tenant_id, pipes.settings, Wiring(transport=bench.line_to(pipes.world)))
    every = access.storefront(pipes.connected[System.SHOPIFY]).settlements(order.gid.rpartition("/")[2])
    return netsuite_payment.settled(next(one for one in every if one.refund and one.charge_id != not_))


def test_a_refund_of_what_was_paid_is_credited_once(pipes: Pipes) -> None:
    order, _, invoice = billed(pipes)
    pipes.play(PAYMENT, pipes.poll(PAYMENT)[0])
    payload = refunded(pipes, order, "12.34")
    run = pipes.play(PAYMENT, payload, deaths=[Death(When.INSIDE, "credit")])

    memos = pipes.kind("creditMemo")
    assert [(one.external_id, str(one.lines[0].amount)) for one in memos] == [(f"REF-{payload.charge_id}", "12.34")]
    assert run.result == {"invoice": invoice, "credit": str(memos[0].id)}
    assert pipes.queue() == []


def test_a_refund_of_what_no_invoice_had_is_no_credit_and_for_a_person(pipes: Pipes) -> None:
    order, _, _ = billed(pipes, total=6500)
    pipes.play(PAYMENT, pipes.poll(PAYMENT)[0])
    run = pipes.play(PAYMENT, refunded(pipes, order, "5.00"))

    assert (run.row().status, run.result["credit"], pipes.kind("creditMemo")) == (RunStatus.DONE, "", [])
    assert ("unapplied", "500 USD (minor units)") in pipes.faults()


def test_a_refund_before_the_invoice_waits_for_it(pipes: Pipes) -> None:
    order, erp_id = pipes.shipped()
    waited = list[float]()

    def bill(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 2:
            pipes.erp.bill(erp_id, f"INV-{erp_id}", "invoice")

    payload = refunded(pipes, order, "5.00")
    run = pipes.play(PAYMENT, payload, waits=bill)

    assert (run.row().status, [round(one) for one in waited]) == (RunStatus.DONE, [600, 3_600])
    assert [(one.external_id, str(one.lines[0].amount)) for one in pipes.kind("creditMemo")] == [
        (f"REF-{payload.charge_id}", "5.00")
    ]
    assert pipes.queue() == []


def test_a_refund_of_what_is_never_billed_is_for_a_person_in_the_end(pipes: Pipes) -> None:
    order, _ = pipes.shipped()
    run = pipes.play(PAYMENT, refunded(pipes, order, "5.00"))

    assert (run.row().status, pipes.kind("creditMemo")) == (RunStatus.FAILED, [])
    assert pipes.faults() == [("order_id", "it has neither invoice nor cash sale")]


def test_a_refund_of_an_order_that_was_called_off_is_no_credit(pipes: Pipes) -> None:
    order = pipes.sold()
    erp_id = pipes.in_erp(document(order, pipes.merchant.credentials.shop_domain))
    pipes.erp.close_order(erp_id)
    run = pipes.play(PAYMENT, refunded(pipes, order, "60.00"))

    assert (run.row().status, "skipped" in run.result, run.waited) == (RunStatus.DONE, True, [])
    assert (pipes.kind("creditMemo"), pipes.queue()) == ([], [])


@pytest.mark.parametrize("paid_first", [True, False])
@pytest.mark.parametrize("first", [0, 1])
def test_what_came_above_the_invoice_goes_back_first_and_once(pipes: Pipes, first: int, paid_first: bool) -> None:
    order, _, _ = billed(pipes, total=6500)
    if paid_first:
        pipes.play(PAYMENT, pipes.poll(PAYMENT)[0])
    one = refunded(pipes, order, "3.00")
    pipes.world.advance(timedelta(minutes=1))
    refunds_ = [one, refunded(pipes, order, "7.00", not_=one.charge_id)]
    credits_ = [pipes.play(PAYMENT, refunds_[place]).result["credit"] for place in (first, 1 - first)]

    assert [bool(credits_[place]) for place in (first, 1 - first)] == [False, True]
    memos = pipes.kind("creditMemo")
    assert [(memo.external_id, str(memo.lines[0].amount)) for memo in memos] == [
        (f"REF-{refunds_[1].charge_id}", "5.00")
    ]
    told = [message for path, message in pipes.faults() if path == "unapplied" and " of " not in message]
    assert sorted(told) == ["200 USD (minor units)", "300 USD (minor units)"]


def test_a_refund_of_several_charges_is_credited_by_what_all_of_them_paid(pipes: Pipes) -> None:
    order, _, _ = billed(pipes, total=4000)
    pipes.play(PAYMENT, pipes.poll(PAYMENT)[0])
    rest = charge(order, pipes, charge_id="91", amount=2000)
    taken = order.transactions[0]
    order.transactions.append(replace(taken, id=91, amount=replace(taken.amount, shop=2000, presentment=2000)))
    pipes.play(PAYMENT, rest)
    run = pipes.play(PAYMENT, refunded(pipes, order, "10.00"))

    assert (run.row().status, bool(run.result["credit"])) == (RunStatus.DONE, True)
    assert [str(one.lines[0].amount) for one in pipes.kind("creditMemo")] == ["10.00"]


def test_a_refund_of_a_cash_sale_is_for_a_person_who_is_told_what_to_do(pipes: Pipes) -> None:
    order, erp_id = pipes.shipped()
    sold = pipes.erp.bill(erp_id, "CS-1", "cash_sale")
    payload = refunded(pipes, order, "5.00")
    run = pipes.play(PAYMENT, payload)

    assert (run.row().status, run.result["cash_sale"]) == (RunStatus.DONE, sold.number)
    (row,) = pipes.queue()
    assert (
        row.reason
        == f"Money of cash sale {sold.number} went back: enter a cash refund of it in the ERP, then close this."
    )
    assert row.fields == [{"path": "cash_sale", "message": f"500 USD (minor units), charge {payload.charge_id}"}]
    assert pipes.kind("creditMemo") == []


def test_what_left_of_a_cash_sold_order_since_the_shop_went_over_to_invoices_is_sold_for_cash(pipes: Pipes) -> None:
    order = pipes.sold()
    erp_id = pipes.in_erp(document(order, pipes.merchant.credentials.shop_domain))
    pipes.leaves(erp_id, units=2)
    pipes.erp.bill(erp_id, "CS-1", "cash_sale")
    pipes.leaves(erp_id, units=1)
    (payload,) = pipes.poll(INVOICE)
    run = pipes.play(INVOICE, payload, deaths=[Death(When.INSIDE, "sell")])

    sales = pipes.kind("cashSale")
    assert [one.external_id for one in sales] == ["CS-1", f"CS-{erp_id}-REST"]
    assert run.result["rest"] == str(sales[1].id)
    assert [int(one.lines[0].quantity) for one in sales] == [2, 1]
    assert (pipes.kind("invoice"), pipes.poll(INVOICE)) == ([], [])
    assert pipes.erp.sales_order(id=erp_id).status == "G"


def test_our_own_money_is_booked_as_a_platforms_is(pipes: Pipes) -> None:
    house = Warehouse(pipes.shop)
    pipes.shop.add("OWN", price=2000, stock={"EAST": 10})
    order_id = house.buy(OWN=3)
    row = house.order(order_id)
    erp_id = pipes.in_erp(created(OURS, pipes.shop.tenant.slug, order_id, row.number), amount=major(row.total))
    pipes.leaves(erp_id)
    assert pipes.play(INVOICE, BillOrder(order_id=erp_id)).row().status == RunStatus.DONE
    found = pipes.poll(PAYMENT)

    assert [(one.source, one.amount, one.refund) for one in found] == [(OURS, row.total, False)]
    run = pipes.play(PAYMENT, found[0])
    assert (run.row().status, run.result["unapplied"] + run.result["lacking"]) == (RunStatus.DONE, 0)
    assert run.result["remaining"] == 0


def test_what_our_own_shop_gave_back_is_found_when_its_invoice_is_paid(pipes: Pipes) -> None:
    house = Warehouse(pipes.shop)
    pipes.shop.add("OWN", price=2000, stock={"EAST": 10})
    order_id = house.buy(OWN=3)
    row, cursor = house.order(order_id), dict[str, Any]()
    erp_id = pipes.in_erp(created(OURS, pipes.shop.tenant.slug, order_id, row.number), amount=major(row.total))
    pipes.leaves(erp_id)
    pipes.play(INVOICE, BillOrder(order_id=erp_id))
    pipes.play(PAYMENT, pipes.poll(PAYMENT, cursor)[0])
    assert pipes.poll(PAYMENT, cursor) == []
    with pipes.shop.uow() as session:
        lock(session, pipes.tenant_id, order_id)
        who = {"reason": "test", "requested_by": "key_staff", "tax": 0, "unearned": 500}
        (asked,) = refunds.request(session, pipes.tenant_id, order_id=order_id, amount=500, **who)
    refunds.execute(pipes.runtime, pipes.tenant_id, asked.id)
    found = pipes.poll(PAYMENT, cursor)

    assert [(one.source, one.amount, one.refund) for one in found] == [(OURS, 500, True)]
    assert pipes.play(PAYMENT, found[0]).row().status == RunStatus.DONE
    assert [str(one.lines[0].amount) for one in pipes.kind("creditMemo")] == ["5.00"]
