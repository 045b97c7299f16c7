"""A fault is told, judged and put right: by repair, by another unit or by the money, once."""

from __future__ import annotations

from datetime import timedelta
from threading import Thread

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from engine.kit import clock, faults
from engine.kit.errors import DomainError, Forbidden
from engine.orders.models import OrderLine
from engine.payments.gateway import DisputeStatus
from engine.payments.models import Alert, Dispute, Payment
from engine.warranties import claiming, deciding, resolving
from engine.warranties.models import ClaimStatus, Warranty
from engine.warranties.states import CLAIM
from tests.engine.orders.desk import Desk, broken, held, stock
from tests.engine.returns.coming import ask, deliver, inspect, returned, send_back, the_return
from tests.engine.returns.coming import receive as receive_return
from tests.engine.warranties.fault import (
    REFUND,
    REPAIR,
    REPLACEMENT,
    approve,
    carry_out,
    choose,
    claim,
    delivered,
    grant,
    hear,
    housework,
    look,
    receive,
    refunds,
    replacements,
    review,
    rule,
    states,
)
from tests.pictures import png
from tests.shop import Shop

PNG = png(b"")


def refused(desk: Desk, place: int = 0, **more: str) -> str:
    with pytest.raises(DomainError) as said:
        claim(desk, place, **more)
    return said.value.code


def test_the_machine_names_every_state() -> None:
    assert {state for state in ClaimStatus if CLAIM.terminal(state)} == {"closed", "canceled", "expired"}


def test_a_refund_gives_the_units_worth_back_once(shop: Shop) -> None:
    desk = delivered(shop, 2)
    paid = held(shop)
    done = grant(desk, REFUND)
    assert (str(done.status), done.amount, done.tax) == ("refunded", 5500, 500)
    assert refunds(desk) == [(5500, 500, "succeeded")]
    assert (held(shop), returned(desk), sorted(states(desk))) == (paid - 5500, {"A": 1}, ["active", "refunded"])
    assert stock(shop, "A") == (8, 0)
    carry_out(desk, done.id)
    assert len(refunds(desk)) == 1
    hear(desk)
    assert str(look(desk, done.id).status) == "closed"
    assert sorted(states(desk)) == ["active", "refunded"]
    assert broken(shop) == []


def test_a_refunded_unit_cannot_come_back_and_the_rest_goes_to_the_cent(shop: Shop) -> None:
    desk = delivered(shop, 3, price=3333)
    done = grant(desk, REFUND)
    with pytest.raises(DomainError) as said:
        ask(desk, ("A", 3))
    assert said.value.code == "too_many_units"
    send_back(desk, ("A", 2))
    receive_return(desk, the_return(desk))
    inspect(desk, the_return(desk))
    hear(desk)
    assert returned(desk) == {"A": 3}
    assert sorted(states(desk)) == ["refunded", "returned", "returned"]
    assert look(desk, done.id).amount + refunds(desk)[1][0] == 3 * 3333 + sum(tax for _, tax, _ in refunds(desk))
    assert broken(shop) == []


def test_a_unit_on_its_way_back_is_not_made_good_too(shop: Shop) -> None:
    desk = delivered(shop)
    made = claim(desk)
    review(desk, made)
    send_back(desk, ("A", 1))
    with pytest.raises(DomainError) as said:
        approve(desk, made, REFUND)
    assert (said.value.code, str(look(desk, made).status)) == ("unit_gone", "in_review")
    receive_return(desk, the_return(desk))
    inspect(desk, the_return(desk))
    hear(desk)
    assert (str(look(desk, made).status), states(desk)) == ("canceled", ["returned"])
    assert refused(desk) == "unit_gone"
    assert (len(refunds(desk)), broken(shop)) == (1, [])


def test_an_approved_unit_cannot_be_sent_back(shop: Shop) -> None:
    desk = delivered(shop)
    grant(desk, REPLACEMENT, REFUND)
    with pytest.raises(DomainError) as said:
        ask(desk, ("A", 1))
    assert said.value.code == "too_many_units"


def test_a_replacement_is_sent_once_and_is_an_expense(shop: Shop) -> None:
    desk = delivered(shop)
    done = grant(desk, REPLACEMENT)
    (order_id,) = replacements(desk)
    assert (str(done.status), done.replacement_order_id, stock(shop, "A")) == ("replaced", order_id, (9, 1))
    carry_out(desk, done.id)
    assert replacements(desk) == [order_id]
    again = Desk(shop, desk.buyer, order_id)
    deliver(again)
    housework(again)
    assert desk.balances()["warranty_expense"] == 2500
    assert (refused(desk), refunds(desk)) == ("unit_gone", [])
    with pytest.raises(DomainError) as said:
        ask(desk, ("A", 1))
    assert said.value.code == "too_many_units"
    assert broken(shop) == []


def test_the_replacement_of_a_replacement_and_then_the_money(shop: Shop) -> None:
    desk = delivered(shop)
    first = grant(desk, REPLACEMENT)
    assert first.replacement_order_id is not None
    deliver(Desk(shop, desk.buyer, first.replacement_order_id))
    hear(desk)
    done = grant(desk, REFUND, place=1)
    assert (str(done.status), done.order_id, done.amount) == ("refunded", desk.order_id, 5500)
    assert (states(desk), returned(desk)["A"]) == (["refunded", "refunded"], 1)
    assert refunds(desk) == [(5500, 500, "succeeded")]
    housework(desk)
    assert broken(shop) == []


def test_a_repair_comes_in_and_goes_back(shop: Shop) -> None:
    desk = delivered(shop)
    made = grant(desk, REPAIR)
    assert (str(made.status), made.comes_back, made.label_cost > 0) == ("approved", True, True)
    with shop.uow() as session:
        assert resolving.label_pdf(session, look(desk, made.id))[:5] == b"%PDF-"
    here = receive(desk, made.id)
    assert str(here.status) == "repairing"
    with shop.uow() as session:
        resolving.send_back(session, shop.tenant.id, made.id, actor="key_staff")
    done = look(desk, made.id)
    assert (str(done.status), done.back_number is not None) == ("closed", True)
    assert desk.balances()["warranty_expense"] == done.label_cost + done.back_cost
    assert (states(desk), stock(shop, "A"), refunds(desk), replacements(desk)) == (["active"], (9, 0), [], [])
    assert broken(shop) == []


def test_what_cannot_be_repaired_is_decided_anew(shop: Shop) -> None:
    desk = delivered(shop)
    made = grant(desk, REPAIR)
    receive(desk, made.id)
    done = approve(desk, made.id, REFUND, message="It is beyond repair.")
    assert (str(done.status), refunds(desk)) == ("refunded", [(5500, 500, "succeeded")])
    housework(desk)
    assert broken(shop) == []


def test_the_shopper_chooses_on_the_card(shop: Shop) -> None:
    desk = delivered(shop)
    made = grant(desk, REPLACEMENT, REFUND)
    assert (str(made.status), made.resolution, made.amount) == ("approved", None, 5500)
    with shop.uow() as session, pytest.raises(Forbidden):
        claiming.choose(session, desk.staff, made.id, resolution=REFUND, channel="test")
    with pytest.raises(DomainError) as said:
        choose(desk, made.id, REPAIR)
    assert said.value.code == "not_offered"
    done = choose(desk, made.id, REFUND)
    assert (str(done.status), refunds(desk)) == ("refunded", [(5500, 500, "succeeded")])
    with pytest.raises(DomainError) as said:
        choose(desk, made.id, REPLACEMENT)
    assert said.value.code == "wrong_step"
    choose(desk, made.id, REFUND)
    assert (len(refunds(desk)), replacements(desk), broken(shop)) == (1, [], [])


def test_what_is_not_chosen_in_time_runs_out(shop: Shop) -> None:
    desk = delivered(shop)
    made = grant(desk, REPLACEMENT, REFUND)
    with clock.shifted(timedelta(days=15)):
        housework(desk)
    assert (str(look(desk, made.id).status), refunds(desk), replacements(desk)) == ("expired", [], [])
    assert (states(desk), broken(shop)) == (["active"], [])


def test_the_rules_say_no_in_words(shop: Shop) -> None:
    desk = delivered(shop)
    assert refused(desk, symptom="wear") == "not_covered"
    assert refused(desk, symptom="haunted") == "invalid_symptom"
    claim(desk)
    assert refused(desk) == "claim_open"


def test_a_fault_after_the_term_is_too_late(shop: Shop) -> None:
    desk = delivered(shop, months=1, days_ago=40)
    assert refused(desk) == "warranty_over"
    with shop.uow() as session:
        today = clock.now().date()
        session.execute(update(Warranty).where(Warranty.tenant_id == shop.tenant.id).values(ends_on=today))
    claim(desk)


def test_a_question_waits_for_its_answer(shop: Shop) -> None:
    desk = delivered(shop)
    made = claim(desk)
    review(desk, made)
    with shop.uow() as session:
        deciding.ask(session, shop.tenant.id, made, question="Which lamp?", actor="key_staff")
    assert str(look(desk, made).status) == "need_info"
    with shop.uow() as session:
        piece = claiming.add_evidence(session, desk.buyer, made, name="../../photo of me.html", content=PNG)
        assert (piece.media_type, piece.name, piece.size) == ("image/png", "photo-of-me.png", len(PNG))
        assert claiming.add_evidence(session, desk.buyer, made, name="b.png", content=PNG).id == piece.id
        claiming.answer(session, desk.buyer, made, text="The one with card 4242 4242 4242 4242.")
    assert str(look(desk, made).status) == "in_review"
    with shop.uow() as session:
        deciding.deny(session, shop.tenant.id, made, message="It was dropped.", note="Third time.", actor="key_staff")
    assert (look(desk, made).message, look(desk, made).staff_note) == ("It was dropped.", "Third time.")
    with shop.uow() as session, pytest.raises(DomainError):
        claiming.add_evidence(session, desk.buyer, made, name="c.png", content=png(b"", noise=1))
    review(desk, made)
    assert str(approve(desk, made, REPLACEMENT).status) == "replaced"


@pytest.mark.parametrize(
    "content", [b"", b"<html><script>", b"MZ\x90\x00", b"GIF89a", b"\xff\xd8\xff" + b"0" * (2 * 1024 * 1024)]
)
def test_only_pictures_and_papers_are_taken(shop: Shop, content: bytes) -> None:
    desk = delivered(shop)
    made = claim(desk)
    with shop.uow() as session, pytest.raises(DomainError) as said:
        claiming.add_evidence(session, desk.buyer, made, name="a.png", content=content)
    assert said.value.code == "evidence_refused"


def test_a_claim_holds_so_many_files(shop: Shop) -> None:
    desk = delivered(shop)
    rule(shop, evidence_files=1)
    made = claim(desk)
    with shop.uow() as session:
        claiming.add_evidence(session, desk.buyer, made, name="a.png", content=PNG)
        with pytest.raises(DomainError) as said:
            claiming.add_evidence(session, desk.buyer, made, name="b.png", content=png(b"", noise=1))
    assert said.value.code == "evidence_refused"


class Died(BaseException):
    """The plug was pulled."""


@pytest.mark.parametrize("resolution", [REFUND, REPLACEMENT])
@pytest.mark.parametrize("point", [*faults.CLAIM_POINTS, "refund_after_gateway"])
def test_the_power_fails_and_it_is_done_once(shop: Shop, resolution: object, point: str) -> None:
    desk = delivered(shop)
    made = grant(desk, resolution, carry=False)  # type: ignore[arg-type]

    def hook(name: str) -> None:
        if name == point:
            raise Died

    faults.set_hook(hook)
    try:
        carry_out(desk, made.id)
    except Died:
        pass
    finally:
        faults.set_hook(None)
    with clock.shifted(timedelta(minutes=5)):
        housework(desk)
        housework(desk)
    moved = (len(replacements(desk)), refunds(desk))
    assert moved == ((0, [(5500, 500, "succeeded")]) if resolution == REFUND else (1, []))
    assert broken(shop) == []


def test_two_at_once_do_it_once(shop: Shop) -> None:
    desk = delivered(shop)
    made = grant(desk, REPLACEMENT, carry=False)
    both = [Thread(target=carry_out, args=(desk, made.id)) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert (len(replacements(desk)), broken(shop)) == (1, [])


def dispute(desk: Desk, status: DisputeStatus = DisputeStatus.NEEDS_RESPONSE) -> None:
    with desk.shop.uow() as session:
        payment = session.scalars(select(Payment).where(Payment.tenant_id == desk.shop.tenant.id)).one()
        session.add(
            Dispute(
                tenant_id=payment.tenant_id,
                id="dsp_1",
                payment_id=payment.id,
                order_id=desk.order_id,
                gateway="sandbox",
                gateway_dispute_id="dp_1",
                amount=1,
                fee=0,
                currency="USD",
                reason="x",
                status=status,
                opened_at=clock.now(),
            )
        )


def test_a_chargeback_stops_the_money_and_not_a_repair(shop: Shop) -> None:
    desk = delivered(shop, 2)
    dispute(desk)
    stuck = grant(desk, REFUND)
    assert (str(stuck.status), stuck.problem, refunds(desk)) == ("approved", "order_disputed", [])
    with shop.uow() as session:
        kinds = session.scalars(select(Alert.kind).where(Alert.tenant_id == shop.tenant.id)).all()
    assert "claim_blocked" in kinds
    fixed = grant(desk, REPAIR, place=1)
    assert str(receive(desk, fixed.id).status) == "repairing"
    with shop.uow() as session:
        session.execute(update(Dispute).where(Dispute.id == "dsp_1").values(status=DisputeStatus.WON))
    assert resolving.retry_blocked(shop.runtime, shop.tenant.id) == 1
    assert (str(look(desk, stuck.id).status), refunds(desk)) == ("refunded", [(5500, 500, "succeeded")])


def test_what_a_lost_chargeback_leaves_goes_back_and_no_goods_do(shop: Shop) -> None:
    desk = delivered(shop, 2)
    dispute(desk, DisputeStatus.LOST)
    stuck = grant(desk, REPLACEMENT)
    assert (str(stuck.status), stuck.problem, replacements(desk)) == ("approved", "order_disputed", [])
    assert str(grant(desk, REFUND, place=1).status) == "refunded"
    assert refunds(desk) == [(5500, 500, "succeeded")]


def test_without_stock_the_claim_waits_or_is_decided_anew(shop: Shop) -> None:
    desk = delivered(shop, 10)
    stuck = grant(desk, REPLACEMENT)
    assert (str(stuck.status), stuck.problem, replacements(desk)) == ("approved", "out_of_stock", [])
    done = approve(desk, stuck.id, REFUND)
    assert (str(done.status), done.problem, len(refunds(desk))) == ("refunded", None, 1)
    hear(desk)
    assert broken(shop) == []


def test_claims_that_wait_or_break_keep_no_other_waiting(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = delivered(shop, 3)
    rule(shop, send_in_for=["repair", "refund"])
    monkeypatch.setattr(resolving, "_BATCH", 1)
    waits = grant(desk, REFUND)
    breaks = grant(desk, REFUND, place=1, comes_back=False, carry=False)
    goes = grant(desk, REFUND, place=2, comes_back=False, carry=False)
    done = resolving.make_good

    def made(session: Session, tenant_id: str, claim_id: str, *, actor: str) -> tuple[str, ...]:
        if claim_id == breaks.id:
            raise RuntimeError(claim_id)
        return done(session, tenant_id, claim_id, actor=actor)

    monkeypatch.setattr(resolving, "make_good", made)
    assert resolving.finish_approved(shop.runtime, shop.tenant.id) == 2
    assert [str(look(desk, one.id).status) for one in (waits, breaks, goes)] == ["approved", "approved", "refunded"]


def test_given_up_before_anything_moved(shop: Shop) -> None:
    desk = delivered(shop)
    made = grant(desk, REPAIR)
    with shop.uow() as session:
        claiming.cancel(session, desk.buyer, made.id)
    assert (str(look(desk, made.id).status), states(desk)) == ("canceled", ["active"])
    again = grant(desk, REPLACEMENT)
    with shop.uow() as session, pytest.raises(DomainError):
        claiming.cancel(session, desk.buyer, again.id)
    assert broken(shop) == []


def test_units_counted_by_returns_and_warranties_are_the_lines(shop: Shop) -> None:
    desk = delivered(shop, 2)
    grant(desk, REFUND)
    send_back(desk, ("A", 1))
    receive_return(desk, the_return(desk))
    inspect(desk, the_return(desk))
    hear(desk)
    with shop.uow() as session:
        line = session.scalars(select(OrderLine).where(OrderLine.order_id == desk.order_id)).one()
    assert (line.returned, sorted(states(desk)), broken(shop)) == (2, ["refunded", "returned"], [])
