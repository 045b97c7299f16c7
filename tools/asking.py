"""Cards that ask their shopper something. The press on one is never a tool's."""

from __future__ import annotations

from datetime import datetime

from engine.checkout.models import ConsentStatus
from engine.conversations import events
from engine.conversations.schemas import OpenCard
from engine.orders.changes.schemas import ChangeView
from tools.spec import Card


def change_card(view: ChangeView) -> Card:
    """The card on which a quoted change is agreed to or refused: of ``propose(…, thread_id=context.thread_id)``."""
    assert view.consent_id is not None
    data = {
        "id": view.consent_id,
        "status": ConsentStatus.OPEN,
        "expires_at": view.expires_at.isoformat(),
        "change": view.model_dump(mode="json"),
    }
    return Card(events.CHANGE, data, key=view.consent_id)


def asked_card(card: OpenCard) -> Card:
    """Any other card that asks: of ``asking.view`` on the row that ``choosing.show`` or ``giving_up.ask`` gives."""
    return Card(card.activity, card.data(), key=card.id)


def sign_in_card(email: str, expires_at: datetime) -> Card:
    """The form for the code that was sent to ``email``; it says the same whoever the address belongs to."""
    return Card(events.SIGN_IN, {"email": email, "expires_at": expires_at.isoformat()}, key=events.SIGN_IN)
