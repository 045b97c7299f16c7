"""Confirming and applying a change: everything that was agreed to, once, or nothing and a fresh quote."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from sqlalchemy.orm import Session

from engine.checkout.models import Consent, ConsentStatus
from engine.checkout.states import CONSENT
from engine.inventory.errors import OutOfStock
from engine.kit import audit, clock
from engine.kit.errors import DomainError, Forbidden
from engine.kit.faults import fault_point
from engine.kit.identity import Identity
from engine.orders import queries
from engine.orders.changes import challenge, charge, consent, partner, settle, views, write
from engine.orders.changes import wanted as asked
from engine.orders.changes.case import Case
from engine.orders.changes.consent import Held, decide, decide_on, locked, locked_whole
from engine.orders.changes.effect import Effect
from engine.orders.changes.propose import over_limit, propose
from engine.orders.changes.quote import digest, open_case, work_out
from engine.orders.changes.schemas import ChangeView
from engine.orders.errors import ChangeEnded, ChangeOutdated, ConsentNeeded
from engine.orders.models import ChangeStatus, Order, OrderChange
from engine.orders.queries import Parts
from engine.orders.states import CHANGE
from engine.payments.gateway import ChargeStatus
from engine.payments.models import Payment
from engine.returns import opening
from engine.runtime import Runtime

_OVER: Final = frozenset({ChangeStatus.EXPIRED, ChangeStatus.SUPERSEDED, ChangeStatus.REFUSED, ChangeStatus.FAILED})


class _Outdated(Exception):
    """What was agreed to is no longer what would happen."""


@dataclass(slots=True)
class _Next:
    """What is left to do once the transaction is committed."""

    left: write.Applied = write.NOTHING
    payment: Payment | None = None
    token: str = field(default="", repr=False)
    seen: ChangeView | None = None
    """The change, where nothing that is left to do moves it."""


def confirm(
    runtime: Runtime, identity: Identity, order_id: str, change_id: str, *, approved: bool, channel: str
) -> ChangeView:
    """The shopper's own decision, and what follows from it. A repeat answers what became of the first.

    Raises ``Forbidden`` for staff and keys, ``NotFound``, ``ChangeEnded``, ``ChangeOutdated`` with a fresh quote.
    """
    if approved and (done := _at_once(runtime, identity, order_id, change_id, channel)):
        return done
    with runtime.unit_of_work(identity.tenant_id, keyed=True) as session:
        decide(session, identity, order_id, change_id, approved=approved, channel=channel)
    if not approved:
        return look(runtime, identity, order_id, change_id)
    return _apply(runtime, identity, order_id, change_id, None)


def _at_once(runtime: Runtime, identity: Identity, order_id: str, change_id: str, channel: str) -> ChangeView | None:
    """The yes and what follows from it in one transaction, where nobody has to be asked in between; ``None``, and
    nothing is written, where the decision has to stand by itself first.
    """
    try:
        with runtime.unit_of_work(identity.tenant_id, keyed=True) as session:
            held, parts = locked_whole(session, identity, order_id, change_id)
            if not _alone(held[2]):
                return None
            with session.no_autoflush:  # what is decided and what comes of it are written together
                decide_on(session, identity, held, approved=True, channel=channel)
            todo = _claim(session, runtime, identity, held, parts, None)
            session.flush()
            fault_point("before_t1_commit")
    except (_Outdated, DomainError):
        return None
    fault_point("after_t1_commit")
    settle.carry_out(runtime, identity.tenant_id, todo.left)
    return todo.seen or look(runtime, identity, order_id, change_id)


def _alone(change: OrderChange) -> bool:
    """Whether no gateway has to be asked over a network before it is true, and nobody who has the goods."""
    if change.status != ChangeStatus.QUOTED:
        return False
    effect = views.effect_of(change)
    return not (effect.charge or effect.hold or effect.asks_partner) or charge.is_at_once(effect)


def carry_out(runtime: Runtime, identity: Identity, order_id: str, change_id: str) -> ChangeView:
    """Do what its shopper has agreed to, once; a repeat answers what became of it.

    Raises ``ConsentNeeded`` without their yes, ``BankAsks`` when the card's bank wants to see its customer first, and
    what ``confirm`` raises.
    """
    challenge.check(runtime, identity, order_id, change_id)
    return _apply(runtime, identity, order_id, change_id, None)


def apply_as_staff(
    runtime: Runtime, identity: Identity, order_id: str, change_id: str, *, approved: str | None = None
) -> ChangeView:
    """Apply a change that needs no shopper's consent; whoever calls answers for it. ``approved`` names the approval
    that lifts what staff may give back; it charges nobody.

    Raises ``Forbidden`` for a shopper, ``ConsentNeeded``, ``OverStaffLimit``, and what ``confirm`` raises.
    """
    if not identity.is_staff:
        raise Forbidden("Only staff can answer for a change.")
    return _apply(runtime, identity, order_id, change_id, approved)


def change_as_staff(
    runtime: Runtime, identity: Identity, order_id: str, wanted: asked.Wanted, *, approved: str | None = None
) -> ChangeView:
    """Quote and apply at once what staff may answer for. Above their limit nothing is written.

    Raises ``OverStaffLimit``, ``ConsentNeeded`` for a charge, and what ``propose`` and ``apply_as_staff`` raise.
    """
    if not identity.is_staff:
        raise Forbidden("Only staff can answer for a change.")
    with runtime.unit_of_work(identity.tenant_id, keyed=True) as session:
        case = open_case(session, identity, queries.find_own(session, identity, order_id))
        effect = work_out(case, wanted)
        if effect.takes:
            raise ConsentNeeded("It is charged: only the shopper can agree to this.")
        if approved is None and (refused := over_limit(case, effect)):
            raise refused
    change = propose(runtime, identity, order_id, wanted, approved=approved)
    return apply_as_staff(runtime, identity, change.order_id, change.id, approved=approved)


def look(runtime: Runtime, identity: Identity, order_id: str, change_id: str) -> ChangeView:
    """The change as it is now. Raises ``NotFound``."""
    with runtime.unit_of_work(identity.tenant_id, keyed=True) as session:
        _, order, change = locked(session, identity, order_id, change_id)
        return views.view(order, change)


def _apply(runtime: Runtime, identity: Identity, order_id: str, change_id: str, approved: str | None) -> ChangeView:
    try:
        with runtime.unit_of_work(identity.tenant_id, keyed=True) as session:
            held, parts = locked_whole(session, identity, order_id, change_id)
            todo = _claim(session, runtime, identity, held, parts, approved)
            session.flush()
            fault_point("before_t1_commit")
    except (_Outdated, OutOfStock):
        raise _fresh(runtime, identity, order_id, change_id) from None
    fault_point("after_t1_commit")
    if todo.payment is not None:
        ended = charge.take(runtime, todo.payment, todo.token)
        settle.settle_change(runtime, identity.tenant_id, todo.payment.id, ended)
    settle.carry_out(runtime, identity.tenant_id, todo.left)
    return todo.seen or look(runtime, identity, order_id, change_id)


def _claim(
    session: Session, runtime: Runtime, identity: Identity, held: Held, parts: Parts, approved: str | None
) -> _Next:
    """T1: everything that was agreed to, or for a charge all that is scarce in it."""
    card, order, change = held
    if change.status in {ChangeStatus.APPLIED, ChangeStatus.CHARGING, ChangeStatus.REQUESTED}:
        return _Next()
    if change.status in _OVER:
        raise ChangeEnded(change.message or "This change has ended; ask for a fresh quote.")
    if change.expires_at <= clock.now():
        raise ChangeEnded("The quote has run out. Nothing was changed; ask for a fresh one.")
    _authorize(session, identity, card, change, approved)
    with session.no_autoflush:
        effect = _agreed(open_case(session, identity, order, parts), change, approved)
    if card is not None and card.status == ConsentStatus.APPROVED:
        card.status = CONSENT.check(card.status, ConsentStatus.CLAIMED)
    if effect.terms is not None and effect.terms.reviewed:
        opening.wait_for_review(session, order, change, effect)
        return _Next()
    if effect.charge or effect.hold:
        assert card is not None
        if charge.is_at_once(effect):
            return _paid_here(session, runtime, order, change, card)
        return _charge(session, runtime, order, change, card)
    if effect.asks_partner and partner.ask(session, order, change):
        write.try_refund(session, order, change)
        return _Next()
    applied = write.apply(session, order, change)
    return _Next(applied, seen=views.view(order, change))


def _authorize(
    session: Session, identity: Identity, card: Consent | None, change: OrderChange, approved: str | None
) -> None:
    """The consent allows it, or, where none is asked for, the staff member who answers for it; an approval takes the
    place of the consent that staff asked the shopper for.
    """
    if card is not None and card.status == ConsentStatus.APPROVED and card.digest == change.digest:
        return
    if card is not None:
        if approved is None or card.owner_id == change.requested_by or _moves_money(change):
            raise ConsentNeeded("The shopper has not agreed to this.")
        card.status = CONSENT.check(card.status, ConsentStatus.SUPERSEDED)
        change.consent_id = None
    if not identity.is_staff:
        raise Forbidden("This was prepared by staff, who answer for it.")
    change.approved_by, change.approval_id = identity.id, approved
    change.decided_at = clock.now()
    if change.status == ChangeStatus.QUOTED:
        change.status = CHANGE.check(change.status, ChangeStatus.CONFIRMED)
    facts = {"change": change.id, "digest": change.digest} | ({"approved": approved} if approved else {})
    audit.record(
        session,
        change.tenant_id,
        actor=identity.id,
        action="order.change_approved",
        subject=change.order_id,
        facts=facts,
    )


def _moves_money(change: OrderChange) -> bool:
    """Whether it charges or sets aside: only the shopper agrees to that."""
    return views.effect_of(change).takes > 0


def _agreed(case: Case, change: OrderChange, approved: str | None) -> Effect:
    """The effect, if it is still what would happen. Raises ``_Outdated``, and ``OverStaffLimit`` for what staff answer
    for above their limit of this moment.
    """
    if case.order.version != change.order_version:
        raise _Outdated
    try:
        effect = work_out(case, asked.read(change.wanted))
    except DomainError:
        raise _Outdated from None
    if digest(case.order, effect) != change.digest:
        raise _Outdated
    if change.approved_by and approved is None and (refused := over_limit(case, effect)):
        raise refused
    return effect


def _charge(session: Session, runtime: Runtime, order: Order, change: OrderChange, card: Consent) -> _Next:
    write.try_refund(session, order, change)
    payment = charge.start(session, runtime, order, change, card)
    if payment.stored_value_id is None:
        return _Next(payment=payment, token=charge.token_of(runtime, card))
    return _Next(settle.settle_here(session, order.tenant_id, payment.id, charge.at_once(payment)))


def _paid_here(session: Session, runtime: Runtime, order: Order, change: OrderChange, card: Consent) -> _Next:
    """Charged and made true in the transaction that takes the yes, or neither. Raises ``ChangeEnded``."""
    with session.no_autoflush:
        payment = charge.begin(session, runtime, order, change, card)
        ended = charge.take(runtime, payment, charge.token_of(runtime, card))
        if ended is None or ended.status != ChargeStatus.CAPTURED:
            raise ChangeEnded("This way to pay can no longer be charged for it. Nothing was changed.")
        settle.captured(session, order, change, payment, ended)
    applied = write.apply(session, order, change)
    return _Next(applied, seen=views.view(order, change))


def _fresh(runtime: Runtime, identity: Identity, order_id: str, change_id: str) -> DomainError:
    """Put the change aside, unused, and say what it would be now: a new quote, or why there is none."""
    with runtime.unit_of_work(identity.tenant_id, keyed=True) as session:
        card, _, change = locked(session, identity, order_id, change_id)
        consent.put_aside(session, card, change, "The order or its prices changed; a fresh quote takes its place.")
        wanted, thread_id = asked.read(change.wanted), card.thread_id if card is not None else None
    words = "The order or its prices changed since this was quoted. Nothing happened; look at it again."
    try:
        return ChangeOutdated(words, fresh=propose(runtime, identity, order_id, wanted, thread_id=thread_id))
    except DomainError as refused:
        return refused
