"""Receipts and invoices: to the cent, numbered without a gap, never changed, readable in any alphabet."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import ProgrammingError

from engine.kit import audit
from engine.kit.policies import change_policy
from engine.kit.tenancy import Tenant
from engine.orders.documents import invoices, printing, receipts
from engine.orders.documents.errors import NothingToInvoice, NotPaidYet, SellerUnknown
from engine.orders.documents.paper import rate_label
from engine.orders.invoice_models import Invoice, InvoiceKind
from engine.orders.models import AdjustmentKind, Order
from engine.orders.seller import SellerPolicy
from engine.orders.service import adjust, lock
from engine.payments import refunds
from engine.payments.models import Payment, PaymentStatus
from tests.engine.orders.desk import Desk, broken, buy, sibling
from tests.engine.returns.coming import deliver, inspect, receive, rule, send_back, the_return
from tests.shop import Shop


@pytest.fixture
def shop(shop: Shop) -> Shop:
    with shop.uow() as session:
        said = {"legal_name": "Shop Ltd", "address": ("1 Road", "Town"), "vat_id": "DE123", "invoice_prefix": "TS"}
        change_policy(session.get_one(Tenant, shop.tenant.id), SellerPolicy, said)
    shop.add("A", price=5000)
    shop.add("B", price=2000, tax_category="food")
    sibling(shop, "A", "A2", price=6000)
    return shop


@pytest.fixture
def desk(shop: Shop) -> Desk:
    """Three of A (50.00, 10 %) and one of B (20.00, no tax), shipped for 5.95 with 10 %: 175.95 + 15.60 = 191.55."""
    found = buy(shop, "A", 3, "B")
    assert found.look().total.amount == 19155
    return found


def issue(desk: Desk) -> Invoice:
    with desk.shop.uow() as session:
        return invoices.issue(session, order_of(session, desk), actor="key_x")


def order_of(session: Any, desk: Desk) -> Order:
    return session.get_one(Order, (desk.shop.tenant.id, desk.order_id))


def papers(desk: Desk) -> list[tuple[str, int, int, int]]:
    with desk.shop.uow() as session:
        rows = invoices.documents(session, order_of(session, desk))
        return [(row.label, row.net, row.tax, row.total) for row in rows]


def year(row: Invoice) -> int:
    return row.issued_at.year


def test_an_invoice_says_the_order_to_the_cent(desk: Desk) -> None:
    row = issue(desk)
    assert (row.kind, row.number, row.label) == ("invoice", 1, f"TS-{year(row)}-000001")
    assert (row.net, row.tax, row.total) == (17595, 1560, 19155)
    paper = row.document
    assert [(line["sku"], line["quantity"], line["net"], line["tax"]) for line in paper["lines"]] == [
        ("B", 1, 2000, 0),
        ("A", 3, 15000, 1500),
        ("", 1, 595, 60),
    ]
    assert paper["rates"] == [
        {"rate_ppm": 100_000, "net": 15595, "tax": 1560, "total": 17155},
        {"rate_ppm": 0, "net": 2000, "tax": 0, "total": 2000},
    ]
    assert paper["title"] == "VAT invoice"
    assert (paper["seller"]["name"], paper["seller"]["vat_id"]) == ("Shop Ltd", "DE123")
    assert paper["buyer"]["address"] == ["12 Pine St", "97204 Portland WA", "US"]
    assert broken(desk.shop) == []


def test_it_is_issued_once_whoever_asks(desk: Desk) -> None:
    with ThreadPoolExecutor(4) as pool:
        rows = list(pool.map(lambda _: issue(desk), range(4)))
    assert {row.id for row in rows} == {rows[0].id}
    with desk.shop.uow() as session:
        told = session.scalars(select(audit.AuditRow).where(audit.AuditRow.action == "invoice.issued")).all()
        assert [(row.actor, row.subject) for row in told] == [("key_x", rows[0].id)]


def test_numbers_have_no_gap_when_many_issue_and_some_fail(shop: Shop) -> None:
    desks = [buy(shop, "A") for _ in range(5)]

    def ask(number: int) -> None:
        with shop.uow() as session:
            invoices.issue(session, order_of(session, desks[number]), actor="x")
            if number % 2:
                raise KeyError(number)

    with ThreadPoolExecutor(5) as pool:
        done = [pool.submit(ask, number) for number in range(5)]
    assert [type(one.exception()) for one in done].count(KeyError) == 2
    with shop.uow() as session:
        rows = session.scalars(select(Invoice).order_by(Invoice.number)).all()
    assert [row.number for row in rows] == [1, 2, 3]
    assert [row.issued_at for row in rows] == sorted(row.issued_at for row in rows)
    assert broken(shop) == []


def test_an_invoice_cannot_be_changed(desk: Desk) -> None:
    issue(desk)
    for statement in ("UPDATE app.invoices SET total = 1, net = 1, tax = 0", "DELETE FROM app.invoices"):
        with pytest.raises(ProgrammingError, match="permission denied"), desk.shop.uow() as session:
            session.execute(text(statement))


def test_what_is_canceled_before_is_not_on_it_and_afterwards_is_credited(desk: Desk) -> None:
    desk.do("cancel", reason="other", lines=[{"line_id": desk.line("B").id, "quantity": 1}])
    first = issue(desk)
    assert first.total == 19155 - 2000
    desk.do("cancel", reason="other", lines=[{"line_id": desk.line("A").id, "quantity": 1}])
    invoices.correct_invoiced(desk.shop.runtime, desk.shop.tenant.id)
    invoices.correct_invoiced(desk.shop.runtime, desk.shop.tenant.id)
    assert papers(desk) == [
        (f"TS-{year(first)}-000001", 15595, 1560, 17155),
        (f"TS-CN-{year(first)}-000001", 5000, 500, 5500),
    ]
    with desk.shop.uow() as session:
        _, note = invoices.documents(session, order_of(session, desk))
    assert (note.kind, note.corrects_id) == (InvoiceKind.CREDIT_NOTE, first.id)
    assert (note.document["corrects"], note.document["lines"][0]["text"]) == (first.label, "Canceled goods")
    assert broken(desk.shop) == []


def rates_of_notes(desk: Desk) -> list[list[tuple[int, int, int]]]:
    with desk.shop.uow() as session:
        notes = invoices.documents(session, order_of(session, desk))[1:]
        return [[(rate["rate_ppm"], rate["net"], rate["tax"]) for rate in one.document["rates"]] for one in notes]


def test_a_credit_note_takes_the_rates_of_what_it_credits(desk: Desk) -> None:
    issue(desk)
    desk.do("cancel", reason="other", lines=[{"line_id": desk.line("A").id, "quantity": 1}])
    issue(desk)
    desk.do("cancel", reason="other", lines=[{"line_id": desk.line("B").id, "quantity": 1}])
    issue(desk)
    desk.do("cancel", reason="other")
    issue(desk)
    assert rates_of_notes(desk) == [
        [(100_000, 5000, 500)],
        [(0, 2000, 0)],
        [(100_000, 10595, 1060)],
    ]
    assert broken(desk.shop) == []


def test_a_credit_note_of_goods_at_two_rates_has_both(desk: Desk) -> None:
    issue(desk)
    desk.do(
        "cancel",
        reason="other",
        lines=[{"line_id": desk.line("A").id, "quantity": 2}, {"line_id": desk.line("B").id, "quantity": 1}],
    )
    issue(desk)
    assert rates_of_notes(desk) == [[(100_000, 10000, 1000), (0, 2000, 0)]]


def test_goods_that_come_back_are_credited_at_their_own_rate(desk: Desk) -> None:
    rule(desk.shop, refund_shipping="share")
    deliver(desk)
    issue(desk)
    for sku in ("B", "A"):
        send_back(desk, (sku, 1))
        receive(desk, the_return(desk))
        inspect(desk, the_return(desk))
        issue(desk)
    # of the 5.95 + 0.60 of shipping, 20 of 170 is 0.70 + 0.07; 70 of 170 is 2.45 + 0.24
    assert rates_of_notes(desk) == [[(100_000, 70, 7), (0, 2000, 0)], [(100_000, 5175, 517)]]
    assert broken(desk.shop) == []


def test_what_becomes_more_is_invoiced_too(desk: Desk) -> None:
    first = issue(desk)
    variants = desk.shop.variants
    desk.do("items", swaps=[{"variant_id": variants["A"], "to_variant_id": variants["A2"], "quantity": 1}])
    issue(desk)
    assert papers(desk)[1:] == [(f"TS-{year(first)}-000002", 1000, 100, 1100)]
    assert broken(desk.shop) == []


def test_goodwill_is_credited_however_early_it_came(desk: Desk) -> None:
    shop = desk.shop
    with shop.uow() as session:
        order = lock(session, shop.tenant.id, desk.order_id)
        (refund,) = refunds.request(
            session, shop.tenant.id, order_id=order.id, amount=501, tax=0, unearned=501, reason="x", requested_by="x"
        )
        adjust(session, order, kind=AdjustmentKind.GOODWILL, amount=-501, tax=0, refund_id=refund.id)
    refunds.execute(shop.runtime, shop.tenant.id, refund.id)
    issue(desk)
    assert [total for *_, total in papers(desk)] == [19155, 501]
    with shop.uow() as session:
        _, note = invoices.documents(session, order_of(session, desk))
    assert [(rate["rate_ppm"], rate["net"]) for rate in note.document["rates"]] == [(100_000, 444), (0, 57)]


def test_no_invoice_without_a_seller_money_or_goods(desk: Desk) -> None:
    shop = desk.shop

    def nothing_was_issued() -> None:
        with shop.uow() as session:
            assert session.scalars(select(Invoice)).all() == []

    with shop.uow() as session:
        session.scalars(select(Payment)).one().status = PaymentStatus.AUTHORIZED
        session.execute(text("UPDATE app.captures SET status = 'failed'"))
        with pytest.raises(NotPaidYet):
            invoices.issue(session, order_of(session, desk), actor="x")
        session.rollback()
    nothing_was_issued()
    with shop.uow() as session:
        change_policy(session.get_one(Tenant, shop.tenant.id), SellerPolicy, {"legal_name": ""})
    with pytest.raises(SellerUnknown):
        issue(desk)
    nothing_was_issued()
    desk.do("cancel", reason="other")
    with pytest.raises(NothingToInvoice):
        issue(desk)
    nothing_was_issued()


def test_a_receipt_says_what_was_paid_and_given_back(desk: Desk) -> None:
    desk.do("cancel", reason="other", lines=[{"line_id": desk.line("B").id, "quantity": 1}])
    with desk.shop.uow() as session:
        paper = receipts.receipt(session, order_of(session, desk))
        assert session.scalars(select(Invoice)).all() == []
    assert (paper["title"], paper["total"]) == ("Receipt", 17155)
    assert [(row["text"], row["amount"]) for row in paper["paid"]] == [
        ("Paid by Test Visa •••• 4242", 19155),
        ("Given back to Test Visa •••• 4242", -2000),
    ]


def test_papers_print_in_any_alphabet_and_the_same_every_time(desk: Desk) -> None:
    paper = json.loads(json.dumps(issue(desk).document))
    paper["buyer"] |= {"name": "Zoë Жуков 山田 <b>", "address": ["Łódź"]}
    made = printing.pdf(paper)
    assert made.startswith(b"%PDF-")
    assert made == printing.pdf(paper)
    assert b"DejaVuSans" in made
    assert b"STSong" in made
    page = printing.html(paper)
    for words in ("Zoë Жуков 山田 &lt;b&gt;", "VAT ID: DE123", "$191.55", "10 %", '<th scope="col">Tax rate</th>'):
        assert words in page, words
    assert "http" not in page
    assert re.search(r"style-src 'sha256-[A-Za-z0-9+/]{43}='", printing.POLICY)


def test_an_untaxed_sale_says_why(desk: Desk) -> None:
    with desk.shop.uow() as session:
        session.execute(text("UPDATE app.order_lines SET tax = 0"))
        order = order_of(session, desk)
        order.tax, order.shipping_tax, order.total = 0, 0, 17595
        session.execute(text("UPDATE app.captures SET amount = 17595, tax = 0"))
        order.buyer = dict(order.buyer) | {"vat_id": "FR9"}
        session.flush()
        row = invoices.issue(session, order, actor="x")
        assert row.document["notes"] == ["Reverse charge: the recipient accounts for the tax."]
        session.rollback()


@pytest.mark.parametrize(
    ("ppm", "label"), [(0, "0 %"), (190_000, "19 %"), (82_500, "8.25 %"), (5, "0.0005 %"), (1_000_000, "100 %")]
)
def test_rates_read_well(ppm: int, label: str) -> None:
    assert rate_label(ppm) == label
