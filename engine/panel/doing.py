"""Doing what somebody of the shop said yes to on a card: once, and only as the card said it.

Locks: the order first. A card is used up in the transaction that begins its act; what is refused after that gives it
back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.approvals.asking import Performed, Where, ask, perform
from engine.approvals.models import ApprovalKind
from engine.approvals.schemas import ApprovalView
from engine.conversations.models import Thread
from engine.conversations.showing import propose_in
from engine.fulfillment import exceptions
from engine.kit import audit
from engine.kit.audit import AuditRow
from engine.kit.errors import DomainError, Forbidden
from engine.kit.identity import Identity
from engine.mail import again
from engine.orders import queries
from engine.orders import service as orders
from engine.orders.changes import apply
from engine.orders.changes.propose import propose
from engine.orders.changes.schemas import ChangeView
from engine.orders.models import ChangeStatus
from engine.panel import cards
from engine.panel.cards import Draft, Scene
from engine.panel.errors import CardOutdated, CardUsed
from engine.panel.schemas import ActCard, Acted
from engine.panel.wanted import (
    Asked,
    ChangeAsked,
    HoldAsked,
    LetterAsked,
    LostParcelAsked,
    ResumeAsked,
)
from engine.runtime import Runtime

ACTED = "order.staff_acted"
REFUSED = "order.staff_refused"
_APPLIED = {
    ChangeStatus.APPLIED: "Done.",
    ChangeStatus.REQUESTED: "Asked for: it is done when whoever looks at it, or has the goods, says yes.",
    ChangeStatus.CHARGING: "The payment is being made.",
}
_WAITS = "Somebody else has to approve it. It waits among the approvals."


@dataclass(frozen=True, slots=True)
class Yes:
    """What was said yes to: the card's id and digest, and where it is about."""

    card_id: str
    seen: str
    where: Where = field(default_factory=Where)


def show(session: Session, runtime: Runtime, identity: Identity, order_id: str, asked: Asked) -> ActCard:
    """The act as a card. Writes nothing. Raises what the act would be refused for."""
    scene = _scene(session, runtime, identity, order_id)
    return cards.card(scene, asked, cards.new_id())


def act(
    session: Session, runtime: Runtime, identity: Identity, order_id: str, asked: Asked, yes: Yes
) -> tuple[Acted, Callable[[], None]]:
    """Do it in the caller's transaction, and what is left to do once that is committed. Not for ``ChangeAsked``.

    Raises ``CardUsed``, ``CardOutdated``, and what the act is refused for; then nothing was done.
    """
    scene = _scene(session, runtime, identity, order_id)
    drawn = _claim(scene, asked, yes)
    if drawn.kind is not None:
        done = perform(
            session, runtime, identity, drawn.kind, drawn.given, reason=_note(asked, drawn), where=_place(scene, yes)
        )
        return _performed(done), lambda: done.after_commit(runtime, identity.tenant_id)
    outcome = _simple(scene, asked)
    return Acted(status="done", words="Done.", outcome=outcome), lambda: None


def change(runtime: Runtime, identity: Identity, order_id: str, asked: ChangeAsked, yes: Yes) -> Acted:
    """A change of the order: applied, asked of whoever must approve it, or shown to the shopper.

    Raises ``CardUsed``, ``CardOutdated``, and what quoting and applying raise.
    """
    with runtime.unit_of_work(identity.tenant_id) as session:
        scene = _scene(session, runtime, identity, order_id)
        drawn = _claim(scene, asked, yes)
        order_id, thread_id = scene.order.id, _thread_of_buyer(scene, yes)
        if drawn.over is not None:
            return _asked_for(scene, drawn, asked, yes)
    try:
        return _carry_out(runtime, identity, order_id, asked, drawn, thread_id)
    except DomainError as refused:
        _came_to_nothing(runtime, identity, order_id, asked, yes, refused)
        raise


def _carry_out(
    runtime: Runtime, identity: Identity, order_id: str, asked: ChangeAsked, drawn: Draft, thread_id: str | None
) -> Acted:
    """In transactions of its own; each that is refused leaves everything as it was."""
    if drawn.decides == "shopper":
        return _to_the_shopper(runtime, identity, order_id, asked, thread_id)
    made = propose(runtime, identity, order_id, asked.wanted)
    if made.digest != drawn.bound["digest"]:
        raise _outdated()
    view = apply.apply_as_staff(runtime, identity, order_id, made.id)
    return Acted(status="done", words=view.message or _APPLIED.get(ChangeStatus(view.status), "Done."), change=view)


def _came_to_nothing(
    runtime: Runtime, identity: Identity, order_id: str, asked: ChangeAsked, yes: Yes, refused: DomainError
) -> None:
    """The card is good for its yes again, as long as it says what would be done."""
    facts = {"card": yes.card_id, "act": asked.wanted.kind, "code": refused.code, "reason": refused.message}
    with runtime.unit_of_work(identity.tenant_id) as session:
        orders.lock(session, identity.tenant_id, order_id)
        audit.record(session, identity.tenant_id, actor=identity.id, action=REFUSED, subject=order_id, facts=facts)


def _scene(session: Session, runtime: Runtime, identity: Identity, order_id: str) -> Scene:
    """Raises ``Forbidden`` for who is not of the shop, ``NotFound``."""
    if not identity.is_staff:
        raise Forbidden("This is for the shop's people.")
    found = queries.find_own(session, identity, order_id)
    return Scene(session, runtime, identity, orders.lock(session, identity.tenant_id, found.id))


def _claim(scene: Scene, asked: Asked, yes: Yes) -> Draft:
    """Use the card up, if it still says what would be done. Raises ``CardUsed``, ``CardOutdated``."""
    order, session = scene.order, scene.session
    last = select(AuditRow.action).where(
        AuditRow.tenant_id == order.tenant_id,
        AuditRow.subject == order.id,
        AuditRow.action.in_((ACTED, REFUSED)),
        AuditRow.facts["card"].astext == yes.card_id,
    )
    if session.scalar(last.order_by(AuditRow.id.desc()).limit(1)) == ACTED:
        raise CardUsed("This was said yes to before. Look at the order for what became of it.")
    drawn = cards.draft(scene, asked)
    if cards.numbered(scene, asked, drawn, yes.card_id).seen != yes.seen:
        raise _outdated()
    facts: dict[str, Any] = {"card": yes.card_id, "act": asked.action, "decides": drawn.decides}
    if drawn.amount is not None:
        facts |= {"amount": drawn.amount.amount, "currency": drawn.amount.currency}
    if isinstance(asked, ChangeAsked):
        facts |= {"act": asked.wanted.kind}
    actor = scene.identity.id
    audit.record(session, order.tenant_id, actor=actor, action=ACTED, subject=order.id, facts=facts)
    return drawn


def _outdated() -> CardOutdated:
    return CardOutdated("The order changed since this card was shown. Nothing was done: look at a fresh one.")


def _note(asked: Asked, drawn: Draft) -> str:
    return str(getattr(asked, "note", "")) or drawn.reason


def _place(scene: Scene, yes: Yes) -> Where:
    """A conversation of the order's own buyer, or none: nobody else hears of it."""
    thread_id = _thread_of_buyer(scene, yes)
    return Where(thread_id=thread_id, case_id=yes.where.case_id if thread_id else None)


def _thread_of_buyer(scene: Scene, yes: Yes) -> str | None:
    order = scene.order
    for thread_id in (yes.where.thread_id, order.thread_id):
        thread = scene.session.get(Thread, (order.tenant_id, thread_id)) if thread_id else None
        if thread is not None and thread.owner_id == order.owner_id:
            return thread.id
    return None


def _simple(scene: Scene, asked: Asked) -> dict[str, Any]:
    session, order, actor = scene.session, scene.order, scene.identity.id
    match asked:
        case LostParcelAsked():
            units = exceptions.remedy_lost(
                session, order.tenant_id, asked.shipment_id, remedy=asked.remedy, actor=actor
            )
            return {"shipment_id": asked.shipment_id, "units": units}
        case LetterAsked():
            return {"mail_id": again.send(session, order, asked.mail_id, actor=actor).id}
        case HoldAsked():
            orders.hold(session, order, reason=asked.reason, actor=actor)
        case ResumeAsked():
            orders.resume(session, order, actor=actor)
    return {"order_id": order.id}


def _performed(done: Performed) -> Acted:
    if done.approval is not None:
        return Acted(status="pending_approval", words=_WAITS, approval=ApprovalView.of(done.approval))
    words = "Done."
    if done.outcome and (number := done.outcome.get("number")):
        words = f"Done: order {number} sends it."
    if done.outcome and (code := done.outcome.get("code")):
        words = f"Done: the code is {code}."
    return Acted(status="done", words=words, outcome=done.outcome)


def _asked_for(scene: Scene, drawn: Draft, asked: ChangeAsked, yes: Yes) -> Acted:
    waiting = ask(
        scene.session,
        scene.identity,
        ApprovalKind.ORDER_CHANGE,
        drawn.given,
        over=drawn.over,
        reason=_note(asked, drawn),
        where=_place(scene, yes),
    )
    return Acted(status="pending_approval", words=_WAITS, approval=ApprovalView.of(waiting))


def _to_the_shopper(
    runtime: Runtime, identity: Identity, order_id: str, asked: ChangeAsked, thread_id: str | None
) -> Acted:
    made: ChangeView
    if thread_id is None:
        made = propose(runtime, identity, order_id, asked.wanted)
        words = "It waits for the shopper's yes on their order's page."
    else:
        made = propose_in(runtime, identity, order_id, asked.wanted, thread_id=thread_id)
        words = "The card is in the shopper's conversation and waits for their yes."
    return Acted(status="waits_for_shopper", words=words, change=made)
