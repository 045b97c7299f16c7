"""When a person has taken a conversation, the agents say nothing more in it: not even the turn that was under way.

The log asks here under the thread's lock, so that nothing of an answer comes after the event that tells of the person.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.conversations.events import Emitted
from engine.conversations.models import Message, Run
from engine.conversations.schemas import ActionName

_TEXT: Final = frozenset({"TEXT_MESSAGE_START", "TEXT_MESSAGE_CONTENT", "TEXT_MESSAGE_END"})
_FACTS: Final = frozenset(
    {
        *("cart", "confirmation", "receipt", "payment_problem", "change", "change_problem", "claim_choice"),
        *("return_cancel", "default_address", "staff_act", "handoff", "return", "claim"),
    }
)
"""Cards that tell what has happened, or ask what must be asked, whoever answers."""


def unsaid(session: Session, tenant_id: str, run_id: str, events: Sequence[Emitted]) -> list[Emitted]:
    """``events`` of a run without what its agents say and offer; a message that had begun is ended. What a press does
    is told: no agent has a say in it.
    """
    if not _is_answer(session, tenant_id, run_id):
        return list(events)
    own, begun = _own(events), _begun(session, tenant_id, events)
    return [event for event in events if _stays(event, own, begun)]


def _is_answer(session: Session, tenant_id: str, run_id: str) -> bool:
    """Whether the agents answer in this run."""
    given = session.scalar(select(Run.input).where(Run.tenant_id == tenant_id, Run.id == run_id)) or {}
    retried = (given.get("action") or {}).get("name") == ActionName.RETRY
    return ("message" in given and "sign_in" not in given) or retried


def _stays(event: Emitted, own: set[str], begun: set[str]) -> bool:
    kind, message_id = event.payload["type"], event.payload.get("messageId", "")
    if kind in _TEXT:
        return message_id in own or (kind == "TEXT_MESSAGE_END" and message_id in begun)
    return kind != "ACTIVITY_SNAPSHOT" or event.payload["activityType"] in _FACTS or message_id in begun


def _own(events: Sequence[Emitted]) -> set[str]:
    """The shopper's messages among them."""
    return {
        event.payload["messageId"]
        for event in events
        if event.payload["type"] == "TEXT_MESSAGE_START" and event.payload["role"] == "user"
    }


def _begun(session: Session, tenant_id: str, events: Sequence[Emitted]) -> set[str]:
    """What of the messages and cards they name is in the log already."""
    named = {event.payload["messageId"] for event in events if "messageId" in event.payload}
    if not named:
        return set()
    return set(session.scalars(select(Message.id).where(Message.tenant_id == tenant_id, Message.id.in_(named))))
