"""Notes on an order: for its shopper, or for staff only."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.kit import audit, limits
from engine.kit.errors import Forbidden, InvalidInput
from engine.kit.identity import Identity
from engine.kit.ids import new_id
from engine.orders.models import NoteAudience, Order, OrderNote

LONGEST = 2_000
MOST = 30
"""That one shopper writes in an hour."""


def add(session: Session, identity: Identity, order: Order, text: str, *, audience: NoteAudience) -> OrderNote:
    """Write a note. A shopper writes notes that everybody of the order sees.

    Raises ``Forbidden`` when a shopper writes for staff only, ``InvalidInput`` for a note without words or too long,
    ``RateLimited`` for a shopper's many.
    """
    words = text.strip()
    if not identity.is_staff and audience != NoteAudience.SHOPPER:
        raise Forbidden("Notes for staff are written by staff.")
    if not words or len(words) > LONGEST or "\x00" in words:
        raise InvalidInput(f"A note has 1 to {LONGEST} characters.", param="text")
    if not identity.is_staff:
        limits.hit(session, f"order-note:{identity.tenant_id}|{identity.id}", limit=MOST, window=timedelta(hours=1))
    note = OrderNote(
        tenant_id=order.tenant_id,
        id=new_id("note"),
        order_id=order.id,
        author=identity.id,
        audience=audience,
        text=words,
    )
    session.add(note)
    facts = {"audience": str(audience), "note": note.id}
    audit.record(session, order.tenant_id, actor=identity.id, action="order.noted", subject=order.id, facts=facts)
    return note


def of_order(session: Session, identity: Identity, order_id: str) -> list[OrderNote]:
    """The notes that this reader may see, oldest first."""
    query = select(OrderNote).where(OrderNote.tenant_id == identity.tenant_id, OrderNote.order_id == order_id)
    if not identity.is_staff:
        query = query.where(OrderNote.audience == NoteAudience.SHOPPER)
    return list(session.scalars(query.order_by(OrderNote.created_at, OrderNote.id)))
