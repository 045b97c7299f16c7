"""A fresh card in the place of one that is over: what was asked, asked as things are now."""

from __future__ import annotations

from engine.checkout import confirmation, new_address
from engine.checkout.models import Consent, ConsentKind
from engine.conversations import asking
from engine.conversations.schemas import OpenCard
from engine.kit.errors import Forbidden, NotFound
from engine.kit.identity import Actor, Identity
from engine.orders.changes import wanted
from engine.orders.changes.propose import propose
from engine.orders.errors import ConsentNeeded
from engine.orders.models import OrderChange
from engine.returns import giving_up
from engine.runtime import Runtime
from engine.warranties import choosing


def ask_again(runtime: Runtime, identity: Identity, consent_id: str, *, thread_id: str) -> OpenCard:
    """Show it again, in the conversation that showed it. Nothing is agreed to by it.

    Raises ``Forbidden`` for staff and keys, ``NotFound`` for anybody else's card or another conversation's, and what
    asking for the first time raises.
    """
    if identity.actor != Actor.SHOPPER:
        raise Forbidden("Only the shopper can ask for this.")
    with runtime.unit_of_work(identity.tenant_id) as session:
        card = session.get(Consent, (identity.tenant_id, consent_id))
        if card is None or card.owner_id != identity.id or card.thread_id != thread_id:
            raise NotFound("There is no such confirmation.")
    fresh = _fresh(runtime, identity, card, thread_id)
    with runtime.unit_of_work(identity.tenant_id) as session:
        return asking.card(session, identity.tenant_id, fresh)


def _fresh(runtime: Runtime, identity: Identity, card: Consent, thread_id: str) -> str:
    assert card.kind == ConsentKind.PAYMENT or card.subject_id is not None
    match card.kind:
        case ConsentKind.PAYMENT:
            return confirmation.request(runtime, identity, thread_id=thread_id).id
        case ConsentKind.ORDER_CHANGE:
            return _change(runtime, identity, card, thread_id)
        case ConsentKind.WARRANTY:
            with runtime.unit_of_work(identity.tenant_id) as session:
                return choosing.show(session, identity, str(card.subject_id), thread_id=thread_id).id
        case ConsentKind.DEFAULT_ADDRESS:
            with runtime.unit_of_work(identity.tenant_id) as session:
                parts = card.summary["default_address"]["ship_to"]
                return new_address.ask(session, identity, parts, thread_id=thread_id).id
        case ConsentKind.STAFF_ACT:
            raise NotFound("There is no such confirmation.")
        case _:
            with runtime.unit_of_work(identity.tenant_id) as session:
                return giving_up.ask(session, identity, str(card.subject_id), thread_id=thread_id).id


def _change(runtime: Runtime, identity: Identity, card: Consent, thread_id: str) -> str:
    with runtime.unit_of_work(identity.tenant_id) as session:
        before = session.get_one(OrderChange, (identity.tenant_id, card.subject_id))
        order_id, asked = before.order_id, wanted.read(before.wanted)
    made = propose(runtime, identity, order_id, asked, thread_id=thread_id)
    if made.consent_id is None:
        raise ConsentNeeded("There is nothing to agree to.")
    return made.consent_id
