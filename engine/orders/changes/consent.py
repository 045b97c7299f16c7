"""The shopper's own yes or no to a change. Staff and keys cannot give it, whatever they may do else."""

from __future__ import annotations

from sqlalchemy.orm import Session

from engine.checkout.models import Consent, ConsentKind, ConsentStatus
from engine.checkout.states import CONSENT
from engine.kit import audit, clock
from engine.kit.errors import Forbidden, NotFound
from engine.kit.identity import Actor, Identity
from engine.orders import service
from engine.orders.errors import ChangeEnded
from engine.orders.models import ChangeStatus, Order, OrderChange
from engine.orders.states import CHANGE


def locked(
    session: Session, identity: Identity, order_id: str, change_id: str
) -> tuple[Consent | None, Order, OrderChange]:
    """The consent (if one is asked for), the order and the change, locked in this order. Raises ``NotFound``."""
    seen = session.get(OrderChange, (identity.tenant_id, change_id))
    if seen is None or seen.order_id != order_id:
        raise NotFound("There is no such change.")
    card = None
    if seen.consent_id is not None:
        card = session.get_one(
            Consent, (identity.tenant_id, seen.consent_id), with_for_update=True, populate_existing=True
        )
    order = service.lock(session, identity.tenant_id, order_id)
    change = session.get_one(OrderChange, (identity.tenant_id, change_id), with_for_update=True, populate_existing=True)
    return card, order, change


def decide(
    session: Session, identity: Identity, order_id: str, change_id: str, *, approved: bool, channel: str
) -> OrderChange:
    """Write the decision. A repeat of the same changes nothing.

    Raises ``Forbidden`` for staff and keys, ``NotFound`` for anybody else's, ``ChangeEnded`` when it was decided
    otherwise, replaced or ran out.
    """
    if identity.actor != Actor.SHOPPER:
        raise Forbidden("Only the shopper can agree to this.")
    card, order, change = locked(session, identity, order_id, change_id)
    if card is None or card.kind != ConsentKind.ORDER_CHANGE or not _is_for(card, order, identity):
        raise NotFound("There is no such change.")
    wanted = ConsentStatus.APPROVED if approved else ConsentStatus.DECLINED
    if card.status == wanted or (approved and card.status == ConsentStatus.CLAIMED):
        return change
    if card.status != ConsentStatus.OPEN or card.expires_at <= clock.now():
        raise ChangeEnded("This was decided already, or its time is over. Nothing was changed by it.")
    card.status = CONSENT.check(card.status, wanted)
    card.channel = channel
    card.decided_at = change.decided_at = clock.now()
    change.status = CHANGE.check(change.status, ChangeStatus.CONFIRMED if approved else ChangeStatus.REFUSED)
    if not approved:
        change.message = "It was not confirmed; nothing was changed."
    action = "consent.approved" if approved else "consent.declined"
    facts = {"digest": card.digest, "channel": channel, "change": change.id}
    audit.record(session, card.tenant_id, actor=identity.id, action=action, subject=card.id, facts=facts)
    return change


def _is_for(card: Consent, order: Order, identity: Identity) -> bool:
    same_customer = identity.customer_id is not None and order.customer_id == identity.customer_id
    return card.owner_id == identity.id or (card.owner_id == order.owner_id and same_customer)
