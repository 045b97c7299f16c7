"""Payouts are imported once, posted once, matched to our rows; what differs is in the inbox until it is explained."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from sqlalchemy import func, select

from engine.checkout.complete import complete
from engine.checks import check_tenant
from engine.finance import payouts, postings, settlements
from engine.finance import service as finance
from engine.finance.errors import NothingToWriteOff
from engine.finance.models import JournalEntry, Payout, PayoutLine
from engine.finance.reconciliation import ReconciliationReport, reconcile
from engine.kit import clock
from engine.kit.errors import NotFound, Unavailable
from engine.kit.ids import new_id
from engine.payments.errors import GatewayNotConfigured
from engine.payments.gateway import DisputeStatus, Gateway, PayoutFacts, PayoutKind
from engine.payments.gateway import PayoutLine as Line
from engine.payments.gateways.sandbox.gateway import SandboxGateway
from engine.payments.models import Alert, Dispute, Payment, Refund, RefundStatus
from tests.shop import Shop

NOW = datetime(2026, 9, 8, 12, tzinfo=UTC)


def sold(shop: Shop, sku: str = "A", *, price: int = 5000) -> str:
    """One order is paid; returns its payment's id."""
    if sku not in shop.variants:
        shop.add(sku, price=price)
    buyer = shop.shopper()
    done = complete(shop.runtime, buyer, shop.approved(buyer, sku))
    assert done.order is not None
    with shop.uow() as session:
        return session.scalars(select(Payment.id).where(Payment.order_id == done.order.id)).one()


def refunded(shop: Shop, payment_id: str, amount: int, status: RefundStatus = RefundStatus.SUCCEEDED) -> str:
    """A refund as the payments' room leaves it: its row and its entry, and with ``failed`` the reversal too."""
    refund_id = new_id("refund")
    with shop.uow() as session:
        payment = session.get_one(Payment, (shop.tenant.id, payment_id))
        session.add(
            Refund(
                tenant_id=shop.tenant.id,
                id=refund_id,
                payment_id=payment_id,
                order_id=payment.order_id,
                amount=amount,
                currency="USD",
                reason="x",
                status=status,
                unearned=amount,
            )
        )
        entry_id = finance.post(
            session, shop.tenant.id, kind="refund", subject=refund_id, currency="USD",
            amounts=postings.refund(amount, 0, amount),
        )  # fmt: skip
        if status == RefundStatus.FAILED:
            finance.reverse(session, shop.tenant.id, str(entry_id), kind="refund_failed", subject=refund_id)
    return refund_id


def disputed(shop: Shop, payment_id: str, amount: int, fee: int, status: DisputeStatus) -> str:
    dispute_id = new_id("dispute")
    with shop.uow() as session:
        payment = session.get_one(Payment, (shop.tenant.id, payment_id))
        session.add(
            Dispute(
                tenant_id=shop.tenant.id,
                id=dispute_id,
                payment_id=payment_id,
                order_id=payment.order_id,
                gateway="sandbox",
                gateway_dispute_id=f"dp_{dispute_id[4:]}",
                amount=amount,
                fee=fee,
                currency="USD",
                reason="fraudulent",
                status=status,
                opened_at=NOW,
                closed_at=NOW,
            )
        )
        amounts = {"chargeback_opened": postings.chargeback_opened(amount, fee)}
        if status == DisputeStatus.WON:
            amounts["chargeback_won"] = postings.chargeback_won(amount)
        for kind, moved in amounts.items():
            finance.post(session, shop.tenant.id, kind=kind, subject=dispute_id, currency="USD", amounts=moved)
    return f"dp_{dispute_id[4:]}"


def payout_of(*lines: Line, name: str = "po_1") -> PayoutFacts:
    amount = sum(line.amount - line.fee for line in lines)
    return PayoutFacts(name, "USD", amount, NOW, lines)


def recorded(shop: Shop, facts: PayoutFacts) -> str | None:
    with shop.uow() as session:
        return settlements.record(session, shop.tenant.id, "sandbox", facts)


def matches(shop: Shop) -> list[tuple[str, str, int | None]]:
    with shop.uow() as session:
        rows = session.execute(
            select(PayoutLine.kind, PayoutLine.match, PayoutLine.expected).order_by(PayoutLine.position)
        )
        return [tuple(row) for row in rows]


def alerts(shop: Shop) -> list[str]:
    with shop.uow() as session:
        rows = session.scalars(select(Alert.kind).where(Alert.resolved_at.is_(None)).order_by(Alert.created_at))
        return list(rows)


def report(shop: Shop) -> ReconciliationReport:
    with shop.uow() as session:
        return reconcile(session, shop.tenant.id)


def balances(shop: Shop) -> dict[str, int]:
    with shop.uow() as session:
        return finance.balances(session, shop.tenant.id)


def books_rules(shop: Shop) -> list[Any]:
    """What is broken of the rules about books and payouts."""
    return [
        one
        for one in check_tenant(shop.runtime, shop.tenant.id, shop.tenant.slug)
        if not one.ok and any(word in one.name for word in ("payout", "journal", "trial", "reversal"))
        and "refund" not in one.name
    ]  # fmt: skip


def test_the_sandbox_pays_out_what_was_sold_and_the_bank_has_it(shop: Shop) -> None:
    one, two = sold(shop), sold(shop)
    gateway = cast("SandboxGateway", shop.runtime.gateways["sandbox"])
    [_] = gateway.pay_out(merchant=shop.tenant.id, before=clock.now() + timedelta(hours=1))
    assert settlements.import_payouts(shop.runtime, shop.tenant.id) == 1
    assert settlements.import_payouts(shop.runtime, shop.tenant.id) == 0
    with shop.uow() as session:
        [payout] = payouts.payouts(session, shop.tenant.id).items
    assert {line.payment_id for line in payout.lines} == {one, two}
    assert {line.match for line in payout.lines} == {"matched"}
    held = balances(shop)
    assert held["psp_clearing"] == 0
    assert held["bank"] == payout.amount.amount == 2 * 6155 - payout.fees.amount
    assert held["gateway_fees"] == payout.fees.amount > 0
    assert alerts(shop) == []
    assert (report(shop).differences, [row.unexplained for row in report(shop).clearing]) == ([], [0])
    assert books_rules(shop) == []


class Elsewhere:
    """A gateway that answers nothing but this error."""

    def __init__(self, name: str, error: Exception) -> None:
        self.name, self._error = name, error

    def payouts(self, **_: object) -> list[PayoutFacts]:
        raise self._error


def test_a_gateway_without_an_account_or_an_answer_keeps_no_other_from_paying_out(shop: Shop) -> None:
    sold(shop)
    gateway = cast("SandboxGateway", shop.runtime.gateways["sandbox"])
    gateway.pay_out(merchant=shop.tenant.id, before=clock.now() + timedelta(hours=1))
    unknown, down = (
        cast("Gateway", Elsewhere("unknown", GatewayNotConfigured("No account."))),
        cast("Gateway", Elsewhere("down", Unavailable("No answer."))),
    )
    some = replace(shop.runtime, gateways={"down": down, "unknown": unknown, "sandbox": gateway})
    with pytest.raises(Unavailable, match="No answer"):
        settlements.import_payouts(some, shop.tenant.id)
    with shop.uow() as session:
        assert len(payouts.payouts(session, shop.tenant.id).items) == 1
    some = replace(shop.runtime, gateways={"unknown": unknown, "sandbox": gateway})
    assert settlements.import_payouts(some, shop.tenant.id) == 0


def test_every_kind_of_line_finds_its_row(shop: Shop) -> None:
    paid = sold(shop)
    went, failed = refunded(shop, paid, 1000), refunded(shop, paid, 700, RefundStatus.FAILED)
    open_one = disputed(shop, paid, 2000, 1500, DisputeStatus.NEEDS_RESPONSE)
    won = disputed(shop, paid, 400, 1500, DisputeStatus.WON)
    lines = [
        Line(PayoutKind.CHARGE, paid, paid, 6155, 208),
        Line(PayoutKind.REFUND, went, paid, -1000, 0),
        Line(PayoutKind.REFUND, failed, paid, -700, 0),
        Line(PayoutKind.ADJUSTMENT, failed, paid, 700, 0),
        Line(PayoutKind.DISPUTE, open_one, paid, -2000, 1500),
        Line(PayoutKind.DISPUTE, won, paid, -400, 1500),
        Line(PayoutKind.DISPUTE_WON, won, paid, 400, 0),
    ]
    before = report(shop)
    assert [(one.gateway, one.waiting, one.waiting_events) for one in before.gateways] == [("sandbox", 155, 7)]
    assert before.clearing[0].unexplained == 0
    assert recorded(shop, payout_of(*lines)) is not None
    assert matches(shop) == [
        ("charge", "matched", 6155), ("refund", "matched", -1000), ("refund", "matched", -700),
        ("adjustment", "matched", 700), ("dispute", "matched", -3500), ("dispute", "matched", -1900),
        ("dispute_won", "matched", 400),
    ]  # fmt: skip
    assert balances(shop)["psp_clearing"] == 0
    assert balances(shop)["gateway_fees"] == 208 + 1500 + 1500
    assert balances(shop)["bank"] == 155 - 208
    after = report(shop)
    assert [(one.waiting, one.paid_out, one.fees) for one in after.gateways] == [(0, -53, 3208)]
    assert (after.clearing[0].unexplained, after.differences) == (0, [])
    assert alerts(shop) == []
    assert books_rules(shop) == []


def test_a_payout_is_stored_and_posted_once_however_many_import_it(shop: Shop) -> None:
    paid = sold(shop)
    facts = payout_of(Line(PayoutKind.CHARGE, paid, paid, 6155, 208))
    with ThreadPoolExecutor(4) as pool:
        stored = list(pool.map(lambda _: recorded(shop, facts), range(8)))
    assert sum(one is not None for one in stored) == 1
    with shop.uow() as session:
        posted = session.scalar(select(func.count()).select_from(JournalEntry).where(JournalEntry.kind == "payout"))
        assert posted == 1
    assert balances(shop)["bank"] == 5947


def test_a_payout_that_contradicts_itself_is_not_imported(shop: Shop) -> None:
    paid = sold(shop)
    right = payout_of(Line(PayoutKind.CHARGE, paid, paid, 6155, 208))
    assert recorded(shop, replace(right, amount=right.amount + 1)) is None
    assert alerts(shop) == ["payout_inconsistent"]
    assert matches(shop) == []
    assert "bank" not in balances(shop)
    assert recorded(shop, right) is not None
    assert alerts(shop) == []


def test_a_strange_line_waits_in_the_inbox_until_its_row_turns_up(shop: Shop) -> None:
    paid = sold(shop)
    refund_id = new_id("refund")
    recorded(shop, payout_of(Line(PayoutKind.REFUND, refund_id, paid, -1000, 0)))
    assert matches(shop) == [("refund", "unmatched", None)]
    assert alerts(shop) == ["payout_difference"]
    [clearing] = report(shop).clearing
    assert (clearing.booked, clearing.waiting, clearing.differences, clearing.unexplained) == (7155, 6155, -1000, 0)
    assert books_rules(shop) == []
    with shop.uow() as session:
        payment = session.get_one(Payment, (shop.tenant.id, paid))
        session.add(
            Refund(
                tenant_id=shop.tenant.id,
                id=refund_id,
                payment_id=paid,
                order_id=payment.order_id,
                amount=1000,
                currency="USD",
                reason="late",
                status=RefundStatus.SUCCEEDED,
                unearned=1000,
            )
        )
        amounts = postings.refund(1000, 0, 1000)
        finance.post(session, shop.tenant.id, kind="refund", subject=refund_id, currency="USD", amounts=amounts)
    with shop.uow() as session:
        assert settlements.look_again(session, shop.tenant.id) == 1
    assert matches(shop) == [("refund", "matched", -1000)]
    assert alerts(shop) == []


@pytest.mark.parametrize(("amount", "off"), [(6100, 55), (6200, -45)])
def test_a_line_with_another_amount_differs_until_it_is_written_off(shop: Shop, amount: int, off: int) -> None:
    paid = sold(shop)
    payout_id = str(recorded(shop, payout_of(Line(PayoutKind.CHARGE, paid, paid, amount, 0))))
    assert matches(shop) == [("charge", "differs", 6155)]
    assert alerts(shop) == ["payout_difference"]
    assert [line.difference for line in report(shop).differences] == [-off]
    with shop.uow() as session:
        settlements.write_off(session, shop.tenant.id, payout_id=payout_id, position=0, actor="key_1")
    held = balances(shop)
    assert (held["psp_clearing"], held["write_offs"]) == (0, off)
    assert alerts(shop) == []
    assert (report(shop).differences, report(shop).clearing[0].unexplained) == ([], 0)
    with pytest.raises(NothingToWriteOff), shop.uow() as session:
        settlements.write_off(session, shop.tenant.id, payout_id=payout_id, position=0, actor="key_1")
    assert books_rules(shop) == []


def test_nothing_to_write_off(shop: Shop) -> None:
    paid = sold(shop)
    payout_id = str(recorded(shop, payout_of(Line(PayoutKind.CHARGE, paid, paid, 6155, 0))))
    with pytest.raises(NothingToWriteOff), shop.uow() as session:
        settlements.write_off(session, shop.tenant.id, payout_id=payout_id, position=0, actor="key_1")
    with pytest.raises(NotFound), shop.uow() as session:
        settlements.write_off(session, shop.tenant.id, payout_id=payout_id, position=1, actor="key_1")
    assert "write_offs" not in balances(shop)


def test_the_same_capture_is_not_paid_out_twice(shop: Shop) -> None:
    paid = sold(shop)
    for number in (1, 2):
        recorded(shop, payout_of(Line(PayoutKind.CHARGE, paid, paid, 6155, 0), name=f"po_{number}"))
    with shop.uow() as session:
        rows = session.execute(
            select(Payout.gateway_payout_id, PayoutLine.match)
            .join(PayoutLine, PayoutLine.payout_id == Payout.id)
            .order_by(Payout.gateway_payout_id)
        ).all()
    assert [tuple(row) for row in rows] == [("po_1", "matched"), ("po_2", "unmatched")]
    assert report(shop).clearing[0].differences == 6155


def test_what_waits_too_long_is_overdue(shop: Shop) -> None:
    sold(shop)
    assert report(shop).overdue == []
    with clock.shifted(timedelta(days=11)):
        late = report(shop)
    assert [(one.kind, one.amount) for one in late.overdue] == [("charge", 6155)]
    assert [one.overdue_events for one in late.gateways] == [1]


def test_a_payout_of_a_locked_month_is_booked_now(shop: Shop) -> None:
    from engine.finance import periods

    paid = sold(shop)
    with shop.uow() as session:
        periods.lock(session, shop.tenant.id, month="2026-09", actor="key_1")
    payout_id = recorded(shop, payout_of(Line(PayoutKind.CHARGE, paid, paid, 6155, 0)))
    with shop.uow() as session:
        row = session.scalars(select(JournalEntry).where(JournalEntry.subject == payout_id)).one()
        assert (row.event_at, row.occurred_at) == (NOW, row.posted_at)
