"""A change of an order that is quoted outside a turn, by its shopper's page or by staff, shown in a conversation."""

from __future__ import annotations

from engine.conversations import asking, events, log
from engine.conversations.models import Thread
from engine.conversations.service import thread_for
from engine.kit.errors import NotFound
from engine.kit.identity import Identity
from engine.orders import queries
from engine.orders.changes.propose import propose
from engine.orders.changes.schemas import ChangeView
from engine.orders.changes.wanted import Wanted
from engine.runtime import Runtime


def propose_in(runtime: Runtime, identity: Identity, order_id: str, wanted: Wanted, *, thread_id: str) -> ChangeView:
    """Quote it, and show its card in the conversation of whoever has to agree: the shopper's own, or for staff that of
    the order's buyer. What staff answer for themselves has no card.

    Raises ``NotFound`` for any other conversation, and what ``propose`` raises.
    """
    with runtime.unit_of_work(identity.tenant_id) as session:
        thread = thread_for(session, identity, thread_id)
        order = queries.find_own(session, identity, order_id)
        _require_theirs(identity, thread, order.owner_id)
    made = propose(runtime, identity, order.id, wanted, thread_id=thread_id)
    if made.consent_id is not None:
        with runtime.unit_of_work(identity.tenant_id) as session:
            card = asking.card(session, identity.tenant_id, made.consent_id)
            news = [*asking.outdated(session, identity.tenant_id, thread_id), events.asked(card)]
            log.append(session, identity.tenant_id, thread_id, None, news)
    return made


def _require_theirs(identity: Identity, thread: Thread, buyer_id: str) -> None:
    if thread.owner_id != (buyer_id if identity.is_staff else identity.id):
        raise NotFound("There is no such conversation.")
