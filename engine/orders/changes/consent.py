"""The shopper's own yes or no to a change. Staff and keys cannot give it, whatever they may do else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy.orm import Session

from engine.checkout import consents
from engine.checkout.models import Consent, ConsentKind, ConsentStatus
from engine.checkout.states import CONSENT
from engine.kit import audit, clock
from engine.kit.errors import Forbidden, NotFound
from engine.kit.gathering import Rows, Wanted, fetch
from engine.kit.identity import Actor, Identity
from engine.kit.policies import fetch_with_tenant
from engine.orders import queries, service
from engine.orders.errors import ChangeEnded
from engine.orders.models import ChangeStatus, Order, OrderChange
from engine.orders.queries import Parts
from engine.orders.states import CHANGE

Held = tuple[Consent | None, Order, OrderChange]
"""A consent (if one is asked for), its order and its change, locked in this order."""

_CHANGE: Final = Rows(
    OrderChange, "r.tenant_id = %(tenant)s AND r.id = %(change)s AND r.order_id = %(order)s", lock=True
)
_CARD: Final = Rows(
    Consent,
    """r.tenant_id = %(tenant)s AND r.id = (SELECT c.consent_id FROM app.order_changes c
  WHERE c.tenant_id = %(tenant)s AND c.id = %(change)s AND c.order_id = %(order)s)""",
    lock=True,
)


def locked(session: Session, identity: Identity, order_id: str, change_id: str) -> Held:
    """The consent (if one is asked for), the order and the change, locked in this order. Raises ``NotFound``."""
    return _held(*fetch(session, *_wanted(identity, order_id, change_id)))


def locked_whole(session: Session, identity: Identity, order_id: str, change_id: str) -> tuple[Held, Parts]:
    """The same, with everything that belongs to the order as it is under these locks, in one trip."""
    wanted = [*_wanted(identity, order_id, change_id), *queries.parts_wanted(identity.tenant_id, [order_id])]
    cards, orders, changes, *parts = fetch_with_tenant(session, identity.tenant_id, *wanted)
    return _held(cards, orders, changes), queries.parts_found([order_id], parts)[order_id]


def _wanted(identity: Identity, order_id: str, change_id: str) -> list[Wanted]:
    named = {"tenant": identity.tenant_id, "order": order_id, "change": change_id}
    return [(_CARD, named), (service.LOCKED, named), (_CHANGE, named)]


def _held(cards: Sequence[Consent], orders: Sequence[Order], changes: Sequence[OrderChange]) -> Held:
    if not orders or not changes:
        raise NotFound("There is no such change.")
    return (cards[0] if cards else None), orders[0], changes[0]


@dataclass(frozen=True, slots=True)
class Decided:
    """What was decided. ``first`` is false for a repeat of the same decision."""

    change: OrderChange
    first: bool


def decide(
    session: Session,
    identity: Identity,
    order_id: str,
    change_id: str,
    *,
    approved: bool,
    channel: str,
    thread_id: str | None = None,
) -> Decided:
    """Write the decision, in the conversation ``thread_id`` if it is made in one. A repeat of the same changes nothing.

    Raises ``Forbidden`` for staff and keys, ``NotFound`` for anybody else's and for one that another conversation
    shows, ``ChangeEnded`` when it was decided otherwise, replaced or ran out.
    """
    if identity.actor != Actor.SHOPPER:
        raise Forbidden("Only the shopper can agree to this.")
    held = locked(session, identity, order_id, change_id)
    return decide_on(session, identity, held, approved=approved, channel=channel, thread_id=thread_id)


def decide_on(
    session: Session, identity: Identity, held: Held, *, approved: bool, channel: str, thread_id: str | None = None
) -> Decided:
    """The same of what is locked already."""
    if identity.actor != Actor.SHOPPER:
        raise Forbidden("Only the shopper can agree to this.")
    card, order, change = held
    elsewhere = card is not None and thread_id is not None and card.thread_id not in {None, thread_id}
    if card is None or card.kind != ConsentKind.ORDER_CHANGE or not _is_for(card, order, identity) or elsewhere:
        raise NotFound("There is no such change.")
    wanted = ConsentStatus.APPROVED if approved else ConsentStatus.DECLINED
    if card.status == wanted or (approved and card.status == ConsentStatus.CLAIMED):
        return Decided(change, first=False)
    if card.status != ConsentStatus.OPEN or card.expires_at <= clock.now():
        raise ChangeEnded(_over(card))
    card.status = CONSENT.check(card.status, wanted)
    card.channel = channel
    card.decided_at = change.decided_at = clock.now()
    change.status = CHANGE.check(change.status, ChangeStatus.CONFIRMED if approved else ChangeStatus.REFUSED)
    if not approved:
        change.message = "It was not confirmed; nothing was changed."
    action = "consent.approved" if approved else "consent.declined"
    facts = {"digest": card.digest, "channel": channel, "change": change.id}
    audit.record(session, card.tenant_id, actor=identity.id, action=action, subject=card.id, facts=facts)
    if card.thread_id and thread_id is None:  # the conversation that shows it hears of it
        consents.tell(session, card)
    return Decided(change, first=True)


def put_aside(session: Session, card: Consent | None, change: OrderChange, words: str) -> None:
    """Close a change that nobody has used, with its card, if it can still be. The caller holds both."""
    if not CHANGE.allows(change.status, ChangeStatus.SUPERSEDED):
        return
    change.status, change.message = ChangeStatus.SUPERSEDED, words
    if card is not None and CONSENT.allows(card.status, ConsentStatus.SUPERSEDED):
        consents.end(session, card, ConsentStatus.SUPERSEDED)


def _over(card: Consent) -> str:
    if card.status == ConsentStatus.SUPERSEDED:
        return "This card was replaced by a newer one. Nothing was changed by it."
    if card.status in {ConsentStatus.OPEN, ConsentStatus.EXPIRED}:
        return "This card has run out. Nothing was changed; ask for a fresh one."
    return "This was decided already, or its time is over. Nothing was changed by it."


def _is_for(card: Consent, order: Order, identity: Identity) -> bool:
    same_customer = identity.customer_id is not None and order.customer_id == identity.customer_id
    return card.owner_id == identity.id or (card.owner_id == order.owner_id and same_customer)
