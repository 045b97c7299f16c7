"""Chargebacks: each step posts once, whatever the order of the news; evidence is sent once."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from engine.checks import check_tenant
from engine.kit import clock, faults
from engine.kit.errors import Conflict, InvalidInput
from engine.payments import disputes, gateway_events, inbox
from engine.payments.errors import EvidenceTooLate
from engine.payments.gateway import DisputeFacts, GatewayTimeout
from engine.payments.models import Alert, Dispute, StoredGatewayEvent
from tests.engine.payments.paying import SOON, TAX, TOTAL, Till, death_at

pytestmark = pytest.mark.usefixtures("still_clock")

PAID = {"psp_clearing": TOTAL, "customer_deposits": TAX - TOTAL, "tax_payable": -TAX}
FEE = 1500
EVIDENCE_POINTS = [point for point in faults.MOVE_POINTS if point.startswith("evidence_")]


def opened(till: Till) -> Dispute:
    """A dispute that we have heard of."""
    till.sale("card_test_dispute")
    with clock.shifted(timedelta(seconds=10)):
        till.hear(till.sent())
    return dispute(till)


def dispute(till: Till) -> Dispute:
    with till.shop.uow() as session:
        return session.query(Dispute).one()


def write(till: Till, dispute_id: str, words: str = "winning_evidence") -> None:
    evidence = {"uncategorized_text": words}
    with till.shop.uow() as session:
        disputes.write_evidence(session, till.tenant_id, dispute_id=dispute_id, evidence=evidence, actor="key_staff")


def test_opened_answered_and_won(till: Till) -> None:
    one = opened(till)
    assert till.books() == PAID | {
        "psp_clearing": -FEE, "disputes_receivable": TOTAL, "gateway_fees": FEE,
    }  # fmt: skip
    assert till.open_alerts() == [("dispute_opened", one.id)]
    till.assert_clean()
    write(till, one.id)
    sent = disputes.send_evidence(till.runtime, till.tenant_id, one.id)
    assert (sent.status, sent.evidence_sent_at is not None) == ("under_review", True)
    assert till.open_alerts() == []
    with pytest.raises(EvidenceTooLate):
        write(till, one.id)
    with clock.shifted(SOON):
        till.hear(till.sent())
    assert dispute(till).status == "won"
    assert till.books() == PAID | {"psp_clearing": TOTAL - FEE, "gateway_fees": FEE}
    till.assert_clean()


def test_lost(till: Till) -> None:
    one = opened(till)
    write(till, one.id, "losing_evidence")
    disputes.send_evidence(till.runtime, till.tenant_id, one.id)
    with clock.shifted(SOON):
        till.hear(till.sent())
    assert till.books() == PAID | {
        "psp_clearing": -FEE, "dispute_losses": TOTAL, "gateway_fees": FEE,
    }  # fmt: skip
    assert till.tally(one.payment_id).refundable == 0
    till.assert_clean()


@pytest.mark.parametrize("won", [True, False])
def test_news_backwards_and_twice(till: Till, won: bool) -> None:
    _, payment_id = till.sale()
    facts = till.gateway.open_dispute(payment_id, merchant=till.tenant_id)
    till.gateway.decide_dispute(facts.gateway_id, won=won)
    sent = till.sent()
    assert len(sent) == 2
    till.hear([*reversed(sent), *sent])
    assert dispute(till).status == ("won" if won else "lost")
    assert till.books()["gateway_fees"] == FEE
    assert till.open_alerts() == []
    till.assert_clean()


@pytest.mark.parametrize("point", ["dispute_before_commit", "dispute_after_commit"])
def test_death_while_hearing_of_it(till: Till, point: str) -> None:
    _, payment_id = till.sale()
    till.gateway.open_dispute(payment_id, merchant=till.tenant_id)
    sent = till.sent()
    with death_at(point):
        till.hear(sent)
    with clock.shifted(SOON):
        till.recover()
    assert dispute(till).status == "needs_response"
    till.assert_clean()


@pytest.mark.parametrize("point", EVIDENCE_POINTS)
def test_death_while_sending_evidence(till: Till, point: str) -> None:
    one = opened(till)
    write(till, one.id, "our side")
    with death_at(point):
        disputes.send_evidence(till.runtime, till.tenant_id, one.id)
    disputes.send_evidence(till.runtime, till.tenant_id, one.id)
    assert dispute(till).status == "under_review"
    assert dispute(till).evidence_sent_at is not None
    till.assert_clean()


def test_evidence_that_was_not_taken_waits_in_the_inbox(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    one = opened(till)
    write(till, one.id)

    def silent(*_: object, **__: object) -> DisputeFacts:
        raise GatewayTimeout("No answer.")

    with monkeypatch.context() as patch:
        patch.setattr(till.gateway, "submit_evidence", silent)
        assert disputes.send_evidence(till.runtime, till.tenant_id, one.id).status == "needs_response"
    assert ("evidence_unsent", one.id) in till.open_alerts()
    inbox.act(till.runtime, till.staff, till.alert_id("evidence_unsent"))
    assert dispute(till).status == "under_review"
    assert till.open_alerts() == []


def test_evidence_has_a_time_and_a_size(till: Till) -> None:
    one = opened(till)
    for words in ("", "x" * 20_001):
        with pytest.raises(InvalidInput):
            write(till, one.id, words) if words else write_nothing(till, one.id)
    with clock.shifted(timedelta(days=8)), pytest.raises(EvidenceTooLate):
        write(till, one.id)
    assert dispute(till).evidence == {}


def write_nothing(till: Till, dispute_id: str) -> None:
    with till.shop.uow() as session:
        disputes.write_evidence(session, till.tenant_id, dispute_id=dispute_id, evidence={}, actor="key_staff")


def differs(till: Till) -> bool:
    results = check_tenant(till.runtime, till.tenant_id, till.shop.tenant.slug)
    return not next(result.ok for result in results if result.name == "our payments equal the gateway's")


def test_the_check_waits_for_a_webhook_on_its_way_and_then_does_not(till: Till) -> None:
    _, payment_id = till.sale()
    till.gateway.open_dispute(payment_id, merchant=till.tenant_id)
    till.assert_clean()
    with clock.shifted(timedelta(minutes=6)):
        assert differs(till)
        till.hear(till.sent())
        till.assert_clean()


def test_the_check_waits_for_a_dispute_in_the_inbox_until_a_person_is_asked(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise Conflict("not now")

    _, payment_id = till.sale()
    till.gateway.open_dispute(payment_id, merchant=till.tenant_id)
    monkeypatch.setattr(disputes, "settle", refuse)
    till.hear(till.sent())
    with clock.shifted(timedelta(minutes=6)):
        till.assert_clean()
        with till.shop.uow() as session:
            session.execute(update(StoredGatewayEvent).values(attempts=gateway_events.MAX_ATTEMPTS))
        assert differs(till)


def test_store_credit_given_before_is_told_with_the_dispute(till: Till) -> None:
    order_id, payment_id = till.sale()
    till.refunded(order_id, TOTAL, destination="store_credit")
    till.gateway.open_dispute(payment_id, merchant=till.tenant_id)
    till.hear(till.sent())
    with till.shop.uow() as session:
        (words,) = session.scalars(select(Alert.detail).where(Alert.kind == "dispute_opened"))
    assert words.endswith("Store credit of $61.55 was given for it already: block it, and say so.")
    till.assert_clean()
