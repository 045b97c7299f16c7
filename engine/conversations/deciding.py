"""What a press on each kind of card writes, in the transaction that takes it. Nothing is carried out here."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from engine.checkout import confirmation, new_address
from engine.checkout.errors import ConsentDecided, ConsentExpired
from engine.checkout.models import Consent, ConsentStatus
from engine.checkout.states import CONSENT
from engine.kit import audit, clock
from engine.kit.errors import InvalidInput, NotFound
from engine.kit.identity import Identity
from engine.orders.changes import consent as changes
from engine.orders.models import OrderChange
from engine.warranties import claiming
from engine.warranties.models import Resolution


@dataclass(frozen=True, slots=True)
class Press:
    """Who pressed what, where."""

    identity: Identity
    approved: bool
    channel: str
    thread_id: str
    choice: str | None = None


def payment(session: Session, row: Consent, press: Press) -> bool:
    """Raises ``NotFound``, ``ConsentExpired``, ``ConsentDecided``."""
    decided = confirmation.decide(
        session,
        press.identity,
        row.id,
        approved=press.approved,
        channel=press.channel,
        thread_id=press.thread_id,
    )
    return decided.first


def change(session: Session, row: Consent, press: Press) -> bool:
    """Raises ``NotFound``, ``ChangeEnded``."""
    about = session.get(OrderChange, (row.tenant_id, row.subject_id))
    if about is None:
        raise NotFound("There is no such change.")
    decided = changes.decide(
        session,
        press.identity,
        about.order_id,
        about.id,
        approved=press.approved,
        channel=press.channel,
        thread_id=press.thread_id,
    )
    return decided.first


def claim(session: Session, row: Consent, press: Press) -> bool:
    """A choice among what is offered; it is not declined, it waits. Raises ``NotFound``, ``InvalidInput``, ``Conflict``
    when something else was chosen or there is nothing to choose any more, ``NotOffered``.
    """
    _own(row, press)
    if not press.approved or press.choice not in set(Resolution):
        raise InvalidInput("Choose one of what is offered; until then the card waits.", param="resume")
    assert row.subject_id is not None
    session.refresh(row, with_for_update=True)
    if row.status == ConsentStatus.CLAIMED:
        if row.choice == press.choice:
            return False
        raise ConsentDecided("Something else was chosen already.")
    if row.status != ConsentStatus.OPEN:
        raise ConsentDecided("This card was replaced by a newer one. Nothing was chosen by it.")
    claiming.choose(session, press.identity, row.subject_id, resolution=Resolution(press.choice), channel=press.channel)
    return True


def return_cancel(session: Session, row: Consent, press: Press) -> bool:
    """Raises ``NotFound``, ``ConsentExpired``, ``ConsentDecided``."""
    _own(row, press)
    session.refresh(row, with_for_update=True)
    wanted = ConsentStatus.APPROVED if press.approved else ConsentStatus.DECLINED
    if row.status == wanted or (press.approved and row.status == ConsentStatus.CLAIMED):
        return False
    if row.status == ConsentStatus.OPEN and row.expires_at <= clock.now():
        raise ConsentExpired("This card has run out. Nothing was changed; ask for a fresh one.")
    if row.status != ConsentStatus.OPEN:
        raise ConsentDecided("This card was decided already or replaced. Nothing was changed by it.")
    row.status = CONSENT.check(row.status, wanted)
    row.channel, row.decided_at = press.channel, clock.now()
    action = "consent.approved" if press.approved else "consent.declined"
    facts = {"digest": row.digest, "channel": press.channel, "return": row.subject_id}
    audit.record(session, row.tenant_id, actor=press.identity.id, action=action, subject=row.id, facts=facts)
    return True


def default_address(session: Session, row: Consent, press: Press) -> bool:
    """Raises ``NotFound``, ``ConsentExpired``, ``ConsentDecided``."""
    _own(row, press)
    return new_address.decide(session, press.identity, row, approved=press.approved, channel=press.channel)


def _own(row: Consent, press: Press) -> None:
    if row.owner_id != press.identity.id or row.thread_id != press.thread_id:
        raise NotFound("There is no such confirmation.")
