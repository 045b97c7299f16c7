"""The press on a card that a change raised, as its shopper would: no tool can do that."""

from __future__ import annotations

from typing import Final

from engine.checkout import new_address
from engine.kit.errors import Conflict
from engine.orders.changes.apply import confirm
from engine.orders.models import ChangeStatus
from tools.spec import Card, ToolContext

_CHANNEL: Final = "chat"


class NotMade(Conflict):
    """It was agreed to, and came to nothing."""

    code = "change_not_made"


def press(context: ToolContext, card: Card) -> str:
    """Agree to what the card shows and have it done; the consent's id.

    Raises ``NotMade``, and what refuses it in the meantime.
    """
    consent_id = str(card.data["id"])
    if "change" not in card.data:
        new_address.confirm(context.runtime, context.identity, consent_id, channel=_CHANNEL)
        return consent_id
    change = card.data["change"]
    ended = confirm(
        context.runtime, context.identity, change["order_id"], change["id"], approved=True, channel=_CHANNEL
    )
    if ended.status != ChangeStatus.APPLIED:
        raise NotMade(ended.message or "It could not be done.")
    return consent_id
