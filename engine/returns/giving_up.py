"""Giving a return up on a card of its own: what was charged for an exchange goes back by it, so its shopper agrees."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.checkout import consents
from engine.checkout.errors import ConsentDecided
from engine.checkout.models import Consent, ConsentKind, ConsentStatus
from engine.checkout.states import CONSENT
from engine.kit import audit, clock, limits
from engine.kit.errors import Forbidden
from engine.kit.faults import fault_point
from engine.kit.idempotency import fingerprint
from engine.kit.identity import Actor, Identity
from engine.kit.ids import new_id
from engine.kit.policies import policy_of
from engine.kit.tenancy import Tenant
from engine.orders.models import Order
from engine.orders.policy import OrdersPolicy
from engine.payments import refunds
from engine.returns import deciding, exchanging, money, queries
from engine.returns.errors import ReturnMoved
from engine.returns.models import Return, ReturnStatus
from engine.returns.schemas import ReturnView
from engine.returns.taken import lines_of
from engine.runtime import Runtime

_AN_HOUR: Final = 30
"""Cards for one shopper: each is a row."""


@dataclass(frozen=True, slots=True)
class _Held:
    card: Consent | None
    order: Order
    row: Return


def ask(session: Session, identity: Identity, return_id: str, *, thread_id: str) -> Consent:
    """The card on which one of the shopper's own returns is given up, in this conversation. The same card again while
    nothing changed. Raises ``Forbidden`` for whoever is no shopper, ``NoReturn``, ``WrongStep``, ``RateLimited``.
    """
    if identity.actor != Actor.SHOPPER:
        raise Forbidden("Only the shopper can agree to this.")
    held = _hold(session, identity.tenant_id, queries.find(session, identity, return_id).id)
    summary = _summary(session, held)
    bound = fingerprint(summary | {"version": held.row.version})
    card = held.card
    if card is not None and card.status == ConsentStatus.OPEN:
        here = card.owner_id == identity.id and card.thread_id == thread_id
        if here and card.digest == bound and card.expires_at > clock.now():
            return card
        consents.end(session, card, ConsentStatus.SUPERSEDED)
    limits.hit(session, f"return-card:{identity.tenant_id}|{identity.id}", limit=_AN_HOUR, window=timedelta(hours=1))
    return _write(session, identity, held.row, summary, bound, thread_id)


def carry_out(runtime: Runtime, identity: Identity, consent_id: str) -> ReturnView:
    """Do what the card's shopper agreed to, once; a repeat answers what became of it.

    Raises ``ConsentDecided`` without their yes, ``ReturnMoved`` when it is no longer what the card shows, ``WrongStep``
    when the goods are on their way; then nothing happened and the card is put aside.
    """
    try:
        made = _claim(runtime, identity, consent_id)
    except Exception:
        _put_aside(runtime, identity, consent_id)
        raise
    fault_point("after_t1_commit")
    for refund_id in made:
        refunds.execute(runtime, identity.tenant_id, refund_id)
    with runtime.unit_of_work(identity.tenant_id) as session:
        return queries.one(session, identity, _subject(session, identity.tenant_id, consent_id))


def _claim(runtime: Runtime, identity: Identity, consent_id: str) -> tuple[str, ...]:
    with runtime.unit_of_work(identity.tenant_id) as session:
        held = _hold(session, identity.tenant_id, _subject(session, identity.tenant_id, consent_id), consent_id)
        card = held.card
        assert card is not None
        if card.status == ConsentStatus.CLAIMED:
            return ()
        if card.status != ConsentStatus.APPROVED:
            raise ConsentDecided("This was not confirmed. Nothing was changed.")
        if fingerprint(_summary(session, held) | {"version": held.row.version}) != card.digest:
            raise ReturnMoved("The return changed since this card was shown. Nothing happened; look at it again.")
        card.status = CONSENT.check(card.status, ConsentStatus.CLAIMED)
        made = deciding.cancel(session, identity.tenant_id, held.row.id, actor=identity.id)
        fault_point("before_t1_commit")
        return made


def _put_aside(runtime: Runtime, identity: Identity, consent_id: str) -> None:
    with runtime.unit_of_work(identity.tenant_id) as session:
        card = _locked(session, identity.tenant_id, consent_id)
        if card.status == ConsentStatus.APPROVED:
            consents.end(session, card, ConsentStatus.SUPERSEDED)


def _hold(session: Session, tenant_id: str, return_id: str, consent_id: str | None = None) -> _Held:
    """The card (the one named, else the open one), the order and the return, locked in this order. Raises
    ``NoReturn``, and ``WrongStep`` for a return that can no longer be given up and was not by this card.
    """
    card_id = consent_id or session.scalar(
        select(Consent.id).where(
            Consent.tenant_id == tenant_id,
            Consent.subject_id == return_id,
            Consent.kind == ConsentKind.RETURN_CANCEL,
            Consent.status == ConsentStatus.OPEN,
        )
    )
    card = _locked(session, tenant_id, card_id) if card_id else None
    _, order, change, row = deciding.locked(session, tenant_id, return_id)
    if card is None or card.status != ConsentStatus.CLAIMED:
        deciding.check_not_sent(change, row)
    return _Held(card, order, row)


def _summary(session: Session, held: _Held) -> dict[str, Any]:
    order, row = held.order, held.row
    waits = row.status == ReturnStatus.REQUESTED
    back = 0 if waits else exchanging.charge_owed(money.money_of(session, order), row).amount
    return {
        "return_cancel": {
            "return_id": row.id,
            "number": row.number,
            "kind": str(row.kind),
            "order_id": order.id,
            "order_number": order.number,
            "lines": [{"title": line.title, "quantity": line.quantity} for line in lines_of(session, row)],
            "refund": {"amount": back, "currency": order.currency},
            "merchant": session.get_one(Tenant, row.tenant_id).name,
        }
    }


def _write(
    session: Session, identity: Identity, row: Return, summary: Mapping[str, Any], bound: str, thread_id: str
) -> Consent:
    minutes = policy_of(session, row.tenant_id, OrdersPolicy).quote_minutes
    card = Consent(
        tenant_id=row.tenant_id,
        id=new_id("consent"),
        kind=ConsentKind.RETURN_CANCEL,
        subject_id=row.id,
        owner_id=identity.id,
        thread_id=thread_id,
        digest=bound,
        summary=dict(summary),
        status=ConsentStatus.OPEN,
        expires_at=clock.now() + timedelta(minutes=minutes),
    )
    session.add(card)
    session.flush()
    facts = {"digest": bound, "return": row.id}
    audit.record(session, row.tenant_id, actor=identity.id, action="consent.shown", subject=card.id, facts=facts)
    return card


def _locked(session: Session, tenant_id: str, consent_id: str) -> Consent:
    return session.get_one(Consent, (tenant_id, consent_id), with_for_update=True, populate_existing=True)


def _subject(session: Session, tenant_id: str, consent_id: str) -> str:
    card = session.get_one(Consent, (tenant_id, consent_id))
    assert card.kind == ConsentKind.RETURN_CANCEL
    assert card.subject_id is not None
    return card.subject_id
