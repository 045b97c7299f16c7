"""What a decision came to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from engine.conversations import asking
from engine.conversations import cards as shown_cards
from engine.conversations.events import Emitted
from engine.conversations.schemas import ActionName
from engine.kit.errors import DomainError
from graph.state import RunContext
from icommerce_agents.adapter import cards_of
from tools.spec import Card, Outcome


@dataclass(frozen=True, slots=True)
class Told:
    """Words, and cards below them."""

    words: str
    shown: Sequence[Emitted] = ()


def refused(consent_id: str, error: DomainError, *, again: bool = False) -> Emitted:
    """The engine said no; ``again``: a fresh card may be asked for."""
    retry = ask_again(consent_id) if again or error.retryable else None
    return shown_cards.change_problem(consent_id, code=error.code, message=error.message, retry=retry)


def ask_again(consent_id: str) -> dict[str, Any]:
    """The press that brings a fresh card in the place of this one."""
    return {"action": str(ActionName.ASK_AGAIN), "args": {"card": consent_id}}


def as_it_is(context: RunContext, consent_id: str) -> list[Emitted]:
    """The card with its present status."""
    with context.tools.unit_of_work() as session:
        return asking.resolved(asking.card(session, context.tenant_id, consent_id))


def fresh(context: RunContext, consent_id: str, reason: str) -> list[Emitted]:
    """The card that takes the place of another."""
    with context.tools.unit_of_work() as session:
        return [asking.asked_anew(session, context.tenant_id, consent_id, reason)]


def shown(context: RunContext, kind: str, data: dict[str, Any], key: str) -> list[Emitted]:
    """A card of this run."""
    return cards_of(Outcome({}, cards=(Card(kind, data, key=key),)), context.claim.run_id)
