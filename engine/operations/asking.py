"""An act that a model proposes is a card; the person whose conversation it is agrees to it, and only then it is done.

The card is a consent row like a shopper's. Its owner is the key that the conversation was started with, and that key
must name a person: what moves goods has somebody's name on it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.checkout.errors import ConsentDecided
from engine.checkout.models import Consent, ConsentKind, ConsentStatus
from engine.checkout.states import CONSENT
from engine.conversations import asking, events
from engine.conversations.deciding import Press
from engine.kit import audit, clock
from engine.kit.errors import Conflict, DomainError, Forbidden, NotFound
from engine.kit.idempotency import fingerprint
from engine.kit.identity import Actor, Identity
from engine.kit.ids import new_id
from engine.operations.acting import Doing, Done, StaffAct, Step
from engine.operations.acts import read
from engine.operations.schemas import StaffActView
from engine.runtime import Runtime

STANDS_FOR: Final = timedelta(minutes=30)
_CHANNEL: Final = "chat"
log = structlog.get_logger(__name__)


class ActOutdated(Conflict):
    code = "act_outdated"


def propose(session: Session, identity: Identity, given: Mapping[str, Any], *, thread_id: str) -> StaffActView:
    """Put an act into words and write its card down. Nothing is done. The same act again puts the older card aside.

    Raises ``Forbidden`` for anybody but a named person of the shop, ``InvalidInput``, and what stands in the way.
    """
    _require_person(identity)
    act = read(given)
    words = act.words(session, identity)
    asked = {"act": act.model_dump(mode="json"), "words": words}
    _put_older_aside(session, identity, fingerprint(asked), thread_id)
    card = Consent(
        tenant_id=identity.tenant_id,
        id=new_id("consent"),
        kind=ConsentKind.STAFF_ACT,
        subject_id=new_id("act"),
        owner_id=identity.id,
        thread_id=thread_id,
        digest=fingerprint(asked),
        summary=asked,
        status=ConsentStatus.OPEN,
        expires_at=clock.now() + STANDS_FOR,
    )
    session.add(card)
    session.flush()
    return view(card)


def _put_older_aside(session: Session, identity: Identity, digest: str, thread_id: str) -> None:
    """Two presses on two equal cards would do it twice, also where the first was cut off before it was done."""
    older = select(Consent).where(
        Consent.tenant_id == identity.tenant_id,
        Consent.thread_id == thread_id,
        Consent.kind == ConsentKind.STAFF_ACT,
        Consent.digest == digest,
        Consent.status.in_((ConsentStatus.OPEN, ConsentStatus.APPROVED)),
    )
    for card in session.scalars(older.with_for_update()):
        card.status = CONSENT.check(card.status, ConsentStatus.SUPERSEDED)


def agree(
    session: Session,
    identity: Identity,
    consent_id: str,
    *,
    approved: bool,
    channel: str = _CHANNEL,
    thread_id: str | None = None,
) -> bool:
    """Write the person's yes or no, in the conversation that asks if it is said in one; false for a repeat.

    Raises ``NotFound`` for anybody else's card, ``Forbidden`` for a key that names nobody, ``ActOutdated`` when it
    would not be the same any more, ``Conflict`` for a card that was decided otherwise or ran out.
    """
    card = _locked(session, identity, consent_id)
    if thread_id is not None and card.thread_id != thread_id:
        raise NotFound("There is no such card.")
    wanted = ConsentStatus.APPROVED if approved else ConsentStatus.DECLINED
    if card.status == wanted or (approved and card.status == ConsentStatus.CLAIMED):
        return False
    if card.status != ConsentStatus.OPEN or card.expires_at <= clock.now():
        raise Conflict("This was decided already, or its time is over. Nothing was done by it.")
    if approved:
        _require_same(session, identity, card)
    card.status = CONSENT.check(card.status, wanted)
    card.channel, card.decided_at = channel, clock.now()
    _record(session, identity, card, "approved" if approved else "declined")
    return True


def carry_out(runtime: Runtime, identity: Identity, consent_id: str) -> StaffActView:
    """Do what was agreed to, once; the card as it is then.

    Raises ``ConsentDecided`` without a yes, ``ActOutdated``, and what stands in the way; the card is put aside then.
    """
    try:
        with runtime.unit_of_work(identity.tenant_id) as session:
            card = _locked(session, identity, consent_id)
            done = None if card.status == ConsentStatus.CLAIMED else _do(session, runtime, identity, card)
            shown = view(card)
    except DomainError:
        _put_aside(runtime, identity, consent_id)
        raise
    if done is not None and done.after is not None:
        _go_on(runtime, shown, done.after)
    return shown


def _go_on(runtime: Runtime, card: StaffActView, step: Step) -> None:
    """It is done by now: what is refused here waits for its job, or in the inbox."""
    try:
        step(runtime)
    except DomainError as error:
        log.warning("a step after an act was refused", card=card.id, act=card.kind, code=error.code)


def view(card: Consent) -> StaffActView:
    """The card as its person sees it."""
    act, told = read(card.summary["act"]), card.summary.get("outcome") or {}
    expired = card.status == ConsentStatus.OPEN and card.expires_at <= clock.now()
    return StaffActView(
        id=card.id,
        kind=str(card.summary["act"]["kind"]),
        title=act.title,
        words=card.summary["words"],
        status=ConsentStatus.EXPIRED if expired else card.status,
        expires_at=card.expires_at,
        outcome=told.get("words", ""),
        facts=told.get("facts", {}),
    )


def _do(session: Session, runtime: Runtime, identity: Identity, card: Consent) -> Done:
    if card.status != ConsentStatus.APPROVED:
        raise ConsentDecided("Nobody agrees to this card any more. Nothing was done; ask for it anew.")
    act = _require_same(session, identity, card)
    done = act.run(session, Doing(runtime, identity, card.thread_id))
    card.status = CONSENT.check(card.status, ConsentStatus.CLAIMED)
    card.summary = card.summary | {"outcome": {"words": done.words, "facts": dict(done.facts)}}
    return done


def _require_same(session: Session, identity: Identity, card: Consent) -> StaffAct:
    act = read(card.summary["act"])
    if act.words(session, identity) != card.summary["words"]:
        raise ActOutdated("Things have moved since this card was made. Nothing was done; ask for it anew.")
    return act


def _put_aside(runtime: Runtime, identity: Identity, consent_id: str) -> None:
    with runtime.unit_of_work(identity.tenant_id) as session:
        card = _locked(session, identity, consent_id)
        if card.status == ConsentStatus.APPROVED:
            card.status = CONSENT.check(card.status, ConsentStatus.SUPERSEDED)


def _locked(session: Session, identity: Identity, consent_id: str) -> Consent:
    _require_person(identity)
    card = session.get(Consent, (identity.tenant_id, consent_id), with_for_update=True, populate_existing=True)
    if card is None or card.kind != ConsentKind.STAFF_ACT or card.owner_id != identity.id:
        raise NotFound("There is no such card.")
    return card


def _require_person(identity: Identity) -> None:
    if not identity.is_operations:
        raise Forbidden("This is for the shop's operations people: use a key with the scope ops.")
    if identity.actor not in {Actor.API_KEY, Actor.MEMBER} or identity.person is None:
        raise Forbidden("This key names nobody: use one that was made with --person.")


def _record(session: Session, identity: Identity, card: Consent, word: str) -> None:
    facts = {"digest": card.digest, "channel": card.channel, "act": card.summary["act"]["kind"]}
    audit.record(session, card.tenant_id, actor=identity.id, action=f"consent.{word}", subject=card.id, facts=facts)


def _shown(_session: Session, card: Consent) -> dict[str, Any]:
    """The card but for what all cards have."""
    return view(card).model_dump(mode="json", exclude={"id", "status", "expires_at"})


def _press(session: Session, card: Consent, press: Press) -> bool:
    return agree(
        session,
        press.identity,
        card.id,
        approved=press.approved,
        channel=press.channel,
        thread_id=press.thread_id,
    )


asking.register(
    ConsentKind.STAFF_ACT,
    asking.Kind(
        events.STAFF_ACT,
        events.STAFF_ACT,
        _shown,
        lambda shown: f"{shown['title']}? {' '.join(shown['words'])}",
        _press,
        by_staff=True,
    ),
)
