"""What the shopper of a conversation asked for, and how far each of it got: kept so that nothing is forgotten."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from sqlalchemy.orm import Session

from engine.conversations.masking import mask_cards
from engine.conversations.models import Thread
from engine.kit import clock
from engine.kit.errors import NotFound
from engine.kit.identity import Identity

MOST: Final = 12
LENGTH: Final = 160


class RequestStatus(StrEnum):
    OPEN = "open"
    ASKED = "asked"  # it waits for the shopper: for a word, or for a press on a card
    DONE = "done"
    REFUSED = "refused"  # it cannot be, and they were told


@dataclass(frozen=True, slots=True)
class Request:
    text: str
    status: RequestStatus


def keep(session: Session, identity: Identity, thread_id: str, requests: Sequence[Request]) -> list[dict[str, Any]]:
    """The whole list anew, in its order; no more than ``MOST``. Raises ``NotFound`` for another's conversation."""
    thread = session.get(Thread, (identity.tenant_id, thread_id), with_for_update=True, populate_existing=True)
    if thread is None or (thread.owner_id != identity.id and not identity.is_staff):
        raise NotFound("There is no such conversation.")
    thread.requests = [
        {"number": number, "text": mask_cards(" ".join(one.text.split()))[:LENGTH], "status": str(one.status)}
        for number, one in enumerate(requests[:MOST], start=1)
    ]
    thread.updated_at = clock.now()
    return thread.requests


def unfinished(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Those that are not over, in words: ``1. exchange the boots (asked)``."""
    over = {RequestStatus.DONE, RequestStatus.REFUSED}
    left = [one for one in rows if one["status"] not in over]
    return [f"{one['number']}. {one['text']} ({one['status']})" for one in left]
