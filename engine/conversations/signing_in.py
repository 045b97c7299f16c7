"""A code from an e-mail that was typed into the conversation: it is taken here, and goes no further.

It is checked before any turn begins: no run, log, history or model ever holds it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from sqlalchemy.orm import Session

from engine.conversations import service
from engine.conversations.models import Run
from engine.customers import codes, verifying
from engine.customers.errors import AlreadyKnown, CodeWrong
from engine.kit.errors import DomainError
from engine.kit.identity import Actor, Identity
from engine.runtime import Runtime

MASK: Final = "••••••"
SIGNED_IN: Final = "signed_in"
"""In a run's input, what came of the code: this, or the words of why not."""


@dataclass(frozen=True, slots=True)
class Typed:
    """A code that this session waits for, and the address it was sent to."""

    email: str
    code: str


def typed(runtime: Runtime, identity: Identity, message: str | None) -> Typed | None:
    """The code in the shopper's words, if they are nothing else and one is awaited."""
    code = codes.typed(message or "")
    if code is None or identity.actor != Actor.SHOPPER:
        return None
    with runtime.unit_of_work(identity.tenant_id) as session:
        email = codes.awaited(session, identity)
    return Typed(email, code) if email else None


def take(
    runtime: Runtime, identity: Identity, thread_id: str, given: Typed, *, known: Callable[[Session, Identity], None]
) -> Run:
    """Try the code, and queue the turn that says what came of it. ``known`` is told, in the transaction that proves it,
    who the session is from now on.

    Raises ``RateLimited``, and what ``service.submit`` raises of a conversation that is not theirs.
    """
    with runtime.unit_of_work(identity.tenant_id) as session:
        service.own_thread(session, identity, thread_id)
    who, came = identity, SIGNED_IN
    try:
        code_id = codes.check(runtime, identity, given.email, given.code)
        with runtime.unit_of_work(identity.tenant_id) as session:
            who = verifying.verify(session, identity, code_id)
            known(session, who)
    except (CodeWrong, AlreadyKnown) as refused:
        came = _words(refused)
    with runtime.unit_of_work(identity.tenant_id) as session:
        return service.submit_code(session, who, thread_id, shown=MASK, came=came)


def _words(refused: DomainError) -> str:
    return refused.message
