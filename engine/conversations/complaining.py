"""A complaint: written down as a case for the shop's people, while the agents go on answering."""

from __future__ import annotations

from typing import Final

from sqlalchemy.orm import Session

from engine.conversations.masking import mask_cards
from engine.conversations.models import Thread
from engine.kit import audit
from engine.kit.errors import NotFound
from engine.kit.identity import Identity
from engine.kit.views import View
from engine.orders import queries
from engine.support import cases

_SUMMARY_LIMIT: Final = 600


class ComplaintView(View):
    reference: str
    order_number: str | None


def complain(
    session: Session, identity: Identity, thread_id: str, *, words: str, order: str | None = None
) -> ComplaintView:
    """The conversation's case, opened or taken up again for this; about one of the identity's own orders if one is
    named. Nobody has it yet: who takes it answers here.

    Raises ``NotFound`` for an order or conversation that is not there.
    """
    thread = session.get(Thread, (identity.tenant_id, thread_id), with_for_update=True, populate_existing=True)
    if thread is None:
        raise NotFound("There is no such conversation.")
    about = queries.find_own(session, identity, order) if order else None
    said = mask_cards(words)[:_SUMMARY_LIMIT]
    case = cases.open_for(
        session, identity, thread, reason="complaint", summary=said, order_id=about.id if about else None
    )
    thread.handoff = (thread.handoff or {}) | {"complaint": case.number}
    audit.record(
        session,
        thread.tenant_id,
        actor=identity.id,
        action="conversation.complained",
        subject=thread.id,
        facts={"reference": case.number},
    )
    return ComplaintView(reference=case.number, order_number=about.number if about else None)
