"""An act that a model proposes is a card; the person whose conversation it is agrees to it, and only then it is done.

The card is a consent row like a shopper's. Its owner is the key that the conversation was started with, and that key
must name a person: what moves goods has somebody's name on it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from sqlalchemy.orm import Session

from engine.checkout.models import Consent, ConsentKind, ConsentStatus
from engine.checkout.states import CONSENT
from engine.kit import audit, clock
from engine.kit.errors import Conflict, Forbidden, NotFound
from engine.kit.idempotency import fingerprint
from engine.kit.identity import Actor, Identity
from engine.kit.ids import new_id
from engine.operations.acts import Doing, Done, StaffAct, read
from engine.operations.schemas import StaffActView
from engine.runtime import Runtime

STANDS_FOR: Final = timedelta(minutes=30)
_CHANNEL: Final = "chat"


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


def decide(runtime: Runtime, identity: Identity, consent_id: str, *, approved: bool) -> StaffActView:
    """The person's yes or no; a yes does it, in the transaction that says so. Said twice it happens once.

    Raises ``NotFound`` for anybody else's card, ``Forbidden`` for a key that names nobody, ``ActOutdated`` when it
    would not be the same any more, ``Conflict`` for a card that was decided otherwise or ran out.
    """
    with runtime.unit_of_work(identity.tenant_id) as session:
        card = _locked(session, identity, consent_id)
        wanted = ConsentStatus.CLAIMED if approved else ConsentStatus.DECLINED
        if card.status == wanted:
            return view(card)
        if card.status != ConsentStatus.OPEN or card.expires_at <= clock.now():
            raise Conflict("This was decided already, or its time is over. Nothing was done by it.")
        card.channel, card.decided_at = _CHANNEL, clock.now()
        if not approved:
            card.status = CONSENT.check(card.status, ConsentStatus.DECLINED)
            _record(session, identity, card, "declined")
            return view(card)
        act = read(card.summary["act"])
        done = _do(session, runtime, identity, card, act)
        shown = view(card)
    if done.after is not None:
        done.after(runtime)
    return shown


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


def _do(session: Session, runtime: Runtime, identity: Identity, card: Consent, act: StaffAct) -> Done:
    if act.words(session, identity) != card.summary["words"]:
        raise ActOutdated("Things have moved since this card was made. Nothing was done; ask for it anew.")
    card.status = CONSENT.check(card.status, ConsentStatus.APPROVED)
    done = act.run(session, Doing(runtime, identity, card.thread_id))
    card.status = CONSENT.check(card.status, ConsentStatus.CLAIMED)
    card.summary = card.summary | {"outcome": {"words": done.words, "facts": dict(done.facts)}}
    _record(session, identity, card, "approved")
    return done


def _locked(session: Session, identity: Identity, consent_id: str) -> Consent:
    _require_person(identity)
    card = session.get(Consent, (identity.tenant_id, consent_id), with_for_update=True, populate_existing=True)
    if card is None or card.kind != ConsentKind.STAFF_ACT or card.owner_id != identity.id:
        raise NotFound("There is no such card.")
    return card


def _require_person(identity: Identity) -> None:
    if not identity.is_operations:
        raise Forbidden("This is for the shop's operations people: use a key with the scope ops.")
    if identity.actor != Actor.API_KEY or identity.person is None:
        raise Forbidden("This key names nobody: use one that was made with --person.")


def _record(session: Session, identity: Identity, card: Consent, word: str) -> None:
    facts = {"digest": card.digest, "channel": _CHANNEL, "act": card.summary["act"]["kind"]}
    audit.record(session, card.tenant_id, actor=identity.id, action=f"consent.{word}", subject=card.id, facts=facts)
