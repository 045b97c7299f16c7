"""What the shop and the shopper decide about a return, and what follows when nobody does anything."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Final

import structlog
from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from engine.checkout.models import Consent
from engine.kit import audit, clock
from engine.kit.errors import DomainError
from engine.kit.faults import fault_point
from engine.kit.identity import Identity
from engine.orders import service as orders
from engine.orders.changes import charge, settle, write
from engine.orders.changes.views import effect_of
from engine.orders.models import ChangeStatus, Order, OrderChange
from engine.orders.states import CHANGE
from engine.payments import refunds
from engine.payments.alerts import raise_alert, resolve_alert
from engine.payments.gateway import Charge, ChargeStatus
from engine.payments.models import Payment
from engine.returns import exchanging, goods, news, waived
from engine.returns.errors import DifferenceUnpaid, NoReturn, NotInspected, WrongStep
from engine.returns.models import Return, ReturnKind, ReturnStatus
from engine.returns.parcel import lock, settle_due
from engine.returns.settling import BLOCKED, close_if_done
from engine.returns.states import ENDED, NOT_SENT, finish
from engine.returns.taken import lines_of
from engine.runtime import Runtime

log = structlog.get_logger(__name__)
SHORT: Final = "return_short"
"""Kind of the inbox item: money went back for goods that never came; its subject is the return."""
_BATCH: Final = 50
_GRACE: Final = timedelta(seconds=2)
Step = Callable[[Session, str, str], tuple[str, ...]]
One = Callable[[Runtime, str, str], bool]


def approve(runtime: Runtime, identity: Identity, return_id: str, *, approved: str | None = None) -> None:
    """The shop says yes to what the shopper has agreed to; a difference is charged now. ``approved`` names an approval
    that lifts the limits of its refunds.

    Raises ``NoReturn``, ``WrongStep``, ``OutOfStock`` and what refunds and stored value refuse; then it waits on.
    """
    left = write.NOTHING
    payment, token = None, ""
    with runtime.unit_of_work(identity.tenant_id) as session:
        card, order, change, row = locked(session, identity.tenant_id, return_id)
        if row.status != ReturnStatus.REQUESTED or change.status != ChangeStatus.REQUESTED:
            raise WrongStep(f"A return that is {ReturnStatus(row.status).value} waits for nobody's yes.")
        exchanging.check_undisputed(session, order, row)
        change.approved_by, row.approved_by = identity.id, identity.id
        change.approval_id = approved or change.approval_id
        if effect_of(change).charge and card is not None:
            payment, token, left = _charge(session, runtime, order, change, card)
        else:
            left = write.apply(session, order, change)
        fault_point("before_t1_commit")
    fault_point("after_t1_commit")
    if payment is not None:
        settle.settle_change(runtime, identity.tenant_id, payment.id, charge.take(runtime, payment, token))
    settle.carry_out(runtime, identity.tenant_id, left)


def decline(session: Session, tenant_id: str, return_id: str, *, words: str, actor: str) -> Return:
    """The shop says no, in ``words`` that its shopper reads. Raises ``NoReturn``, ``WrongStep``."""
    _, order, change, row = locked(session, tenant_id, return_id)
    if row.status != ReturnStatus.REQUESTED or change.status != ChangeStatus.REQUESTED:
        raise WrongStep(f"A return that is {ReturnStatus(row.status).value} can no longer be declined.")
    _refuse(session, order, change, row, ReturnStatus.DECLINED, words, actor)
    news.tell(session, order, row, "return.declined")
    return row


def cancel(session: Session, tenant_id: str, return_id: str, *, actor: str) -> tuple[str, ...]:
    """It is not sent after all; the refunds to carry out. Raises ``NoReturn``, ``WrongStep`` once it is on its way."""
    _, order, change, row = locked(session, tenant_id, return_id)
    check_not_sent(change, row)
    return _give_up(session, order, change, row, ReturnStatus.CANCELED, "It was given up; nothing comes back.", actor)


def check_not_sent(change: OrderChange, row: Return) -> None:
    """Raises ``WrongStep`` for a return that can no longer be given up."""
    if row.status not in NOT_SENT or row.sent_at is not None or change.status == ChangeStatus.CHARGING:
        raise WrongStep("It is on its way, or has ended: it can no longer be given up.")


def close(
    session: Session, tenant_id: str, return_id: str, *, actor: str, approved: str | None = None
) -> tuple[str, ...]:
    """Nothing more will come: what is here is settled, what is not is no longer expected; the refunds to carry out.

    Raises ``NoReturn``, ``WrongStep``, ``NotInspected``.
    """
    order, row = lock(session, tenant_id, return_id)
    if row.status in ENDED or row.status == ReturnStatus.REQUESTED:
        raise WrongStep(f"A return that is {ReturnStatus(row.status).value} cannot be closed.")
    if row.to_charge and settle.is_under_way(session, tenant_id, row.change_id):
        raise WrongStep("Its difference is being taken now. Close it once that has ended.")
    lines = lines_of(session, row)
    if any(line.inspected < line.received for line in lines):
        raise NotInspected("Say first what becomes of the goods that are here.")
    made: list[str] = []
    undone = row.kind == ReturnKind.EXCHANGE and not all(line.settled for line in lines)
    if undone:
        made += [one.id for one in exchanging.give_charge_back(session, order, row, actor=actor)]
        row.kind = ReturnKind.RETURN
        row.fee += waived.take_up(lines)
        row.replacement, row.replacement_tax = 0, 0
        row.to_charge, row.to_charge_tax = 0, 0
        row.refund = row.credit - row.fee + row.charge
        session.flush()
    made += settle_due(session, order, row, actor=actor, word=approved)
    if undone:
        goods.let_go(session, row, lines_of(session, row))
    if row.problem is None:
        _end(session, order, row, "It is closed; what came back is settled.", actor)
    return tuple(made)


def settle_again(
    session: Session, tenant_id: str, return_id: str, *, actor: str, approved: str | None = None, strict: bool = False
) -> tuple[str, ...]:
    """Try once more to give back what could not be given back; ``approved`` lifts the shop's limits.

    Raises ``NoReturn``, ``WrongStep`` when nothing was in its way or its difference was refused (the yes to it is used
    up), and when ``strict`` what refunds refuse.
    """
    order, row = lock(session, tenant_id, return_id)
    if row.problem is None:
        raise WrongStep("Nothing keeps its money from going back.")
    if row.problem == DifferenceUnpaid.code:
        raise WrongStep("Its difference was refused, and is not asked for twice. Closed, it pays back what came.")
    if row.to_charge:  # ``collecting`` tries, and the inbox hears of it
        row.problem = None
        return ()
    made = settle_due(session, order, row, actor=actor, word=approved, strict=strict)
    close_if_done(session, order, row)
    return made


def expire_returns(runtime: Runtime, tenant_id: str) -> int:
    """End returns that nobody decided on or sent in time; how many."""
    late = Return.expires_at <= clock.now() - _GRACE
    wanted = Return.status.in_(sorted(NOT_SENT)) & Return.sent_at.is_(None) & late
    return each(runtime, tenant_id, wanted, _in_turn(_expire))


def retry_blocked(runtime: Runtime, tenant_id: str) -> int:
    """Money that a dispute kept here goes back when the dispute is over; how many returns were tried."""
    blocked = (Return.problem != DifferenceUnpaid.code) & Return.status.not_in(sorted(ENDED))
    return each(runtime, tenant_id, blocked, _in_turn(_again))


def each(runtime: Runtime, tenant_id: str, wanted: ColumnElement[bool], one: One) -> int:
    """Do it with all the returns that are wanted, page by page, oldest first: ids are in the order of their time. How
    many it was done with; what it refuses, or breaks on, keeps no other return waiting.
    """
    done, after = 0, ""
    while True:
        with runtime.unit_of_work(tenant_id) as session:
            ids = session.scalars(
                select(Return.id)
                .where(Return.tenant_id == tenant_id, Return.id > after, wanted)
                .order_by(Return.id)
                .limit(_BATCH)
            ).all()
        done += sum(_tried(runtime, tenant_id, return_id, one) for return_id in ids)
        if len(ids) < _BATCH:
            return done
        after = ids[-1]


def _tried(runtime: Runtime, tenant_id: str, return_id: str, one: One) -> bool:
    try:
        return one(runtime, tenant_id, return_id)
    except Exception:
        log.exception("return left as it is", return_id=return_id)
        return False


def _in_turn(step: Step) -> One:
    """One step of a job in a transaction of its own, and the refunds that follow."""

    def one(runtime: Runtime, tenant_id: str, return_id: str) -> bool:
        with runtime.unit_of_work(tenant_id) as session:
            made = step(session, tenant_id, return_id)
        _carry_out(runtime, tenant_id, made)
        return True

    return one


def _again(session: Session, tenant_id: str, return_id: str) -> tuple[str, ...]:
    return settle_again(session, tenant_id, return_id, actor="system")


def locked(session: Session, tenant_id: str, return_id: str) -> tuple[Consent | None, Order, OrderChange, Return]:
    """Consent, order, change and return, locked in this order. Raises ``NoReturn``."""
    seen = session.get(Return, (tenant_id, return_id))
    if seen is None:
        raise NoReturn("There is no such return.")
    consent_id = session.get_one(OrderChange, (tenant_id, seen.change_id)).consent_id
    card = (
        session.get_one(Consent, (tenant_id, consent_id), with_for_update=True, populate_existing=True)
        if consent_id
        else None
    )
    order = orders.lock(session, tenant_id, seen.order_id)
    change = session.get_one(OrderChange, (tenant_id, seen.change_id), with_for_update=True, populate_existing=True)
    return (
        card,
        order,
        change,
        session.get_one(Return, (tenant_id, return_id), with_for_update=True, populate_existing=True),
    )


def _charge(
    session: Session, runtime: Runtime, order: Order, change: OrderChange, card: Consent
) -> tuple[Payment | None, str, write.Applied]:
    payment = charge.start(session, runtime, order, change, card)
    if payment.stored_value_id is None:
        return payment, charge.token_of(runtime, card), write.NOTHING
    done = Charge(payment.id, ChargeStatus.CAPTURED)
    return None, "", settle.settle_here(session, order.tenant_id, payment.id, done)


def _expire(session: Session, tenant_id: str, return_id: str) -> tuple[str, ...]:
    _, order, change, row = locked(session, tenant_id, return_id)
    late = row.status in NOT_SENT and row.sent_at is None and row.expires_at <= clock.now()
    if not late or change.status == ChangeStatus.CHARGING:
        return ()
    words = "Nobody decided in time." if row.status == ReturnStatus.REQUESTED else "It was not sent in time."
    return _give_up(session, order, change, row, ReturnStatus.EXPIRED, words, "system")


def _give_up(
    session: Session, order: Order, change: OrderChange, row: Return, status: ReturnStatus, words: str, actor: str
) -> tuple[str, ...]:
    made: list[str] = []
    if row.status == ReturnStatus.REQUESTED:
        _refuse(session, order, change, row, status, words, actor)
    else:
        if row.kind == ReturnKind.EXCHANGE:
            lines = lines_of(session, row)
            made = [one.id for one in exchanging.undo(session, order, row, lines, actor=actor)]
        finish(row, status, words)
        orders.touch(order)
        audit.record(session, row.tenant_id, actor=actor, action=f"return.{status}", subject=row.id)
    news.tell(session, order, row, "return.closed")
    return tuple(made)


def _refuse(
    session: Session, order: Order, change: OrderChange, row: Return, status: ReturnStatus, words: str, actor: str
) -> None:
    change.status = CHANGE.check(change.status, ChangeStatus.REFUSED)
    change.decided_at = clock.now()
    change.message = words
    finish(row, status, words)
    orders.touch(order)
    audit.record(session, row.tenant_id, actor=actor, action=f"return.{status}", subject=row.id)


def _end(session: Session, order: Order, row: Return, words: str, actor: str) -> None:
    lines = lines_of(session, row)
    gone = sum(max(0, line.settled - line.received) for line in lines)
    if gone:
        said = f"Return {row.number}: money went back for {gone} units that never came."
        raise_alert(session, row.tenant_id, SHORT, row.id, said, facts={"order": order.id})
    resolve_alert(session, row.tenant_id, BLOCKED, row.id)
    finish(row, ReturnStatus.CLOSED, words)
    orders.touch(order)
    audit.record(session, row.tenant_id, actor=actor, action="return.closed", subject=row.id)
    news.tell(session, order, row, "return.closed")


def _carry_out(runtime: Runtime, tenant_id: str, refund_ids: tuple[str, ...]) -> None:
    for refund_id in refund_ids:
        try:
            refunds.execute(runtime, tenant_id, refund_id)
        except DomainError:
            log.exception("refund outstanding", refund_id=refund_id)
