"""A known shopper's default address is changed on a card of its own. Orders keep those they were placed with."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.checkout import consents
from engine.checkout.errors import ConsentDecided, ConsentExpired
from engine.checkout.models import Consent, ConsentKind, ConsentStatus
from engine.checkout.states import CONSENT
from engine.customers import book
from engine.customers.addresses import PARTS
from engine.customers.errors import SameAddress
from engine.customers.schemas import SavedAddressView
from engine.customers.service import default_address
from engine.kit import audit, clock, limits
from engine.kit.errors import Forbidden, NotFound
from engine.kit.idempotency import fingerprint
from engine.kit.identity import Actor, Identity
from engine.kit.ids import new_id
from engine.kit.tenancy import Tenant
from engine.runtime import Runtime

_STANDS: Final = timedelta(minutes=10)
_AN_HOUR: Final = 30
"""Cards for one shopper: each is a row."""
_FIELDS: Final = (*PARTS, "line_two")


def ask(session: Session, identity: Identity, parts: Mapping[str, Any], *, thread_id: str | None) -> Consent:
    """The card on which a signed-in shopper's default address becomes another one. An older open one is put aside.

    Raises ``Forbidden`` for whoever is no shopper, ``EmailNeeded``, ``AddressIncomplete``, ``SameAddress``,
    ``RateLimited``.
    """
    if identity.actor != Actor.SHOPPER:
        raise Forbidden("Only the shopper can agree to this.")
    customer_id = book.own_profile(session, identity).id
    address = book.whole(session, identity.tenant_id, parts)
    if _present(session, identity) == address:
        raise SameAddress("That is the default address already.")
    older = session.scalars(_live(identity.tenant_id, customer_id).with_for_update()).first()
    if older is not None:
        consents.end(session, older, ConsentStatus.SUPERSEDED)
    limits.hit(session, f"address-card:{identity.tenant_id}|{identity.id}", limit=_AN_HOUR, window=timedelta(hours=1))
    merchant = session.get_one(Tenant, identity.tenant_id).name
    card = Consent(
        tenant_id=identity.tenant_id,
        id=new_id("consent"),
        kind=ConsentKind.DEFAULT_ADDRESS,
        subject_id=customer_id,
        owner_id=identity.id,
        thread_id=thread_id,
        digest=fingerprint({"customer": customer_id, "address": address}),
        summary={"default_address": {"ship_to": address, "merchant": merchant}},
        status=ConsentStatus.OPEN,
        expires_at=clock.now() + _STANDS,
    )
    session.add(card)
    session.flush()
    facts = {"digest": card.digest}
    audit.record(session, card.tenant_id, actor=identity.id, action="consent.shown", subject=card.id, facts=facts)
    return card


def decide(session: Session, identity: Identity, card: Consent, *, approved: bool, channel: str) -> bool:
    """Write the decision of its own shopper; false for a repeat of the same.

    Raises ``NotFound``, ``ConsentExpired``, ``ConsentDecided``.
    """
    if identity.actor != Actor.SHOPPER or card.owner_id != identity.id:
        raise NotFound("There is no such confirmation.")
    session.refresh(card, with_for_update=True)
    wanted = ConsentStatus.APPROVED if approved else ConsentStatus.DECLINED
    if card.status == wanted or (approved and card.status == ConsentStatus.CLAIMED):
        return False
    if card.status != ConsentStatus.OPEN:
        raise ConsentDecided("This card was decided already or replaced. Nothing was changed by it.")
    if card.expires_at <= clock.now():
        raise ConsentExpired("This card has run out. Nothing was changed; ask for a fresh one.")
    card.status = CONSENT.check(card.status, wanted)
    card.channel, card.decided_at = channel, clock.now()
    action = "consent.approved" if approved else "consent.declined"
    facts = {"digest": card.digest, "channel": channel}
    audit.record(session, card.tenant_id, actor=identity.id, action=action, subject=card.id, facts=facts)
    return True


def carry_out(runtime: Runtime, identity: Identity, consent_id: str) -> SavedAddressView:
    """Do what the card's shopper agreed to, once; a repeat answers what is kept now.

    Raises ``ConsentDecided`` without their yes, and what the address book refuses.
    """
    with runtime.unit_of_work(identity.tenant_id) as session:
        return _claim(session, identity, consent_id)


def confirm(runtime: Runtime, identity: Identity, consent_id: str, *, channel: str) -> SavedAddressView:
    """The shopper's yes, and what follows from it, at once."""
    with runtime.unit_of_work(identity.tenant_id) as session:
        card = session.get(Consent, (identity.tenant_id, consent_id))
        if card is None or card.kind != ConsentKind.DEFAULT_ADDRESS:
            raise NotFound("There is no such confirmation.")
        decide(session, identity, card, approved=True, channel=channel)
        return _claim(session, identity, consent_id)


def _claim(session: Session, identity: Identity, consent_id: str) -> SavedAddressView:
    card = session.get_one(Consent, (identity.tenant_id, consent_id), with_for_update=True, populate_existing=True)
    row = default_address(session, identity)
    if card.status == ConsentStatus.CLAIMED and row is not None:
        return SavedAddressView.of(row)
    if card.status != ConsentStatus.APPROVED:
        raise ConsentDecided("This was not confirmed. Nothing was changed.")
    card.status = CONSENT.check(card.status, ConsentStatus.CLAIMED)
    parts = card.summary["default_address"]["ship_to"]
    if row is None:
        return SavedAddressView.of(book.add_address(session, identity, parts, default=True))
    return SavedAddressView.of(book.change_address(session, identity, row.id, parts, default=not row.is_default))


def _present(session: Session, identity: Identity) -> dict[str, str] | None:
    row = default_address(session, identity)
    return {field: getattr(row, field) for field in _FIELDS} if row is not None else None


def _live(tenant_id: str, customer_id: str) -> Any:
    return select(Consent).where(
        Consent.tenant_id == tenant_id,
        Consent.subject_id == customer_id,
        Consent.kind == ConsentKind.DEFAULT_ADDRESS,
        Consent.status.in_((ConsentStatus.OPEN, ConsentStatus.APPROVED)),
    )
