"""The cards of a conversation that ask its shopper something: one registry, whatever they ask.

The row of the consent is the truth. A kind says how its card looks and what its press writes, and nothing else; what
follows from a yes is the graph's (``graph/outcomes``), by the engine's own doors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from engine.checkout.models import Consent, ConsentKind, ConsentStatus
from engine.checkout.schemas import ConsentView
from engine.conversations import deciding, events, questions
from engine.conversations.deciding import Press
from engine.conversations.events import Emitted
from engine.conversations.models import Message
from engine.conversations.schemas import OpenCard
from engine.kit import clock
from engine.kit.direct import Row, Statement
from engine.kit.errors import Forbidden, NotFound
from engine.kit.gathering import Rows, fetch
from engine.kit.identity import Actor, Identity
from engine.runtime import Runtime

_MAY_CHANGE: Final = (ConsentStatus.OPEN, ConsentStatus.APPROVED)
_UNDER_WAY: Final = ("confirmed", "charging", "requested")
"""States of an agreed change that are not its last."""


OPEN: Final = """
FROM app.consents card
WHERE card.tenant_id = %(tenant)s AND card.thread_id = %(thread)s AND card.kind = ANY(CAST(%(kinds)s AS text[]))
  AND card.status = 'open' AND card.expires_at > %(now)s
  AND (CAST(%(owner)s AS text) IS NULL OR card.owner_id = CAST(%(owner)s AS text))
"""
"""Where the cards are that ``open_cards`` returns; ``open_values`` are its values."""
_OPEN: Final = Rows(
    Consent,
    """r.tenant_id = %(tenant)s AND r.thread_id = %(thread)s AND r.kind = ANY(CAST(%(kinds)s AS text[]))
  AND r.status = 'open' AND r.expires_at > %(now)s
  AND (CAST(%(owner)s AS text) IS NULL OR r.owner_id = CAST(%(owner)s AS text))""",
    order="r.created_at",
)
_STANDING: Final = Statement(f"""
SELECT EXISTS (SELECT {OPEN}) OR EXISTS (
  SELECT FROM app.consents card
  JOIN app.messages shown ON shown.tenant_id = card.tenant_id AND shown.id = card.id
  WHERE card.tenant_id = %(tenant)s AND card.thread_id = %(thread)s AND shown.thread_id = %(thread)s
    AND (shown.data ->> 'status' = ANY(CAST(%(may_change)s AS text[]))
      OR shown.data -> 'change' ->> 'status' = ANY(CAST(%(under_way)s AS text[])))) AS any
""")  # noqa: S608 (our own)


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of question."""

    activity: str
    reason: str
    """The interrupt's."""
    shown: Callable[[Session, Consent], dict[str, Any]]
    """What the card shows, as it is now: its interrupt's metadata."""
    question: Callable[[Mapping[str, Any]], str]
    """The same in a sentence."""
    decide: Callable[[Session, Consent, Press], bool]
    """Write the press into the rows; false for a repeat of the same one."""
    answer: Callable[[Mapping[str, Any]], dict[str, Any]] = lambda _shown: events.RESUME_SCHEMA
    """JSON schema of the answer."""
    by_staff: bool = False
    """One of the shop's own people decides, in their own conversation; else its shopper alone."""


_KINDS: Final[dict[str, Kind]] = {
    ConsentKind.PAYMENT: Kind(
        events.CONFIRMATION, events.CONFIRMATION, questions.payment, questions.pay, deciding.payment
    ),
    ConsentKind.ORDER_CHANGE: Kind(
        events.CHANGE, "order_change", questions.change, questions.change_words, deciding.change
    ),
    ConsentKind.WARRANTY: Kind(
        events.CLAIM_CHOICE,
        "claim_choice",
        questions.claim,
        questions.claim_words,
        deciding.claim,
        questions.claim_answer,
    ),
    ConsentKind.RETURN_CANCEL: Kind(
        events.RETURN_CANCEL, "return_cancel", questions.return_cancel, questions.return_words, deciding.return_cancel
    ),
    ConsentKind.DEFAULT_ADDRESS: Kind(
        events.DEFAULT_ADDRESS,
        "default_address",
        questions.default_address,
        questions.address_words,
        deciding.default_address,
    ),
}


def register(name: ConsentKind, kind: Kind) -> None:
    """A kind of a room above this one."""
    _KINDS[name] = kind


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided. ``first`` is false for a repeat of the same decision."""

    card: OpenCard
    first: bool


def open_cards(session: Session, identity: Identity, thread_id: str) -> list[OpenCard]:
    """The cards of a conversation that can be decided now. Only its own identity (or staff) is answered."""
    (rows,) = fetch(session, (_OPEN, open_values(identity, thread_id)))
    return [view(session, row) for row in rows]


def open_values(identity: Identity, thread_id: str) -> Row:
    return {
        "tenant": identity.tenant_id,
        "thread": thread_id,
        "kinds": list(map(str, _KINDS)),
        "now": clock.now(),
        "owner": None if identity.is_staff else identity.id,
    }


def standing(runtime: Runtime, identity: Identity, thread_id: str) -> tuple[list[OpenCard], list[Emitted]]:
    """The open cards, and news about those that are outdated. Where there is nothing of either, one look says so."""
    more = {"may_change": list(map(str, _MAY_CHANGE)), "under_way": list(_UNDER_WAY)}
    [[row]] = runtime.store.ask(identity.tenant_id, (_STANDING, open_values(identity, thread_id) | more))
    if not row["any"]:
        return [], []
    with runtime.unit_of_work(identity.tenant_id) as session:
        news = outdated(session, identity.tenant_id, thread_id)
        return open_cards(session, identity, thread_id), news


def view(session: Session, row: Consent) -> OpenCard:
    """The card as its shopper sees it; an open card past its time shows as expired."""
    status = row.status
    if status == ConsentStatus.OPEN and row.expires_at <= clock.now():
        status = ConsentStatus.EXPIRED
    kind = _KINDS[row.kind]
    shown = kind.shown(session, row)
    return OpenCard(
        id=row.id,
        status=status,
        expires_at=row.expires_at,
        activity=kind.activity,
        reason=kind.reason,
        message=kind.question(shown),
        shown=shown,
        answer=kind.answer(shown),
    )


def of_payment(card: ConsentView) -> OpenCard:
    """A payment card as one of all kinds."""
    kind = _KINDS[ConsentKind.PAYMENT]
    shown = {"checkout": card.checkout.model_dump(mode="json")}
    return OpenCard(
        id=card.id,
        status=card.status,
        expires_at=card.expires_at,
        activity=kind.activity,
        reason=kind.reason,
        message=kind.question(shown),
        shown=shown,
        answer=events.RESUME_SCHEMA,
    )


def card(session: Session, tenant_id: str, consent_id: str) -> OpenCard:
    """The card as it is now. Raises ``NoResultFound``."""
    return view(session, session.get_one(Consent, (tenant_id, consent_id), populate_existing=True))


def decide(session: Session, identity: Identity, consent_id: str, press: Press) -> Decision:
    """Write the human's decision into the card's row. Only its own shopper may, in the conversation that shows it.

    Raises ``Forbidden`` for staff and keys, ``NotFound`` for anybody else's card, ``Conflict`` for one that was decided
    otherwise, replaced or ran out, ``InvalidInput`` without a choice where one is asked for.
    """
    row = session.get(Consent, (identity.tenant_id, consent_id))
    if identity.actor != Actor.SHOPPER and (row is None or not _KINDS[row.kind].by_staff):
        raise Forbidden("Only the shopper can confirm this.")
    if row is None:
        raise NotFound("There is no such confirmation.")
    first = _KINDS[row.kind].decide(session, row, press)
    session.flush()
    return Decision(view(session, row), first)


def resolved(card: OpenCard) -> list[Emitted]:
    """The card with its new status, and the news that it has one."""
    return [events.asked(card), events.confirm_resolved(card.id, card.status)]


def asked_anew(session: Session, tenant_id: str, consent_id: str, reason: str) -> Emitted:
    """A card that takes the place of another, with why."""
    return events.asked(card(session, tenant_id, consent_id), reason=reason)


def outdated(session: Session, tenant_id: str, thread_id: str) -> list[Emitted]:
    """News about every card whose shown status is no longer true (used, ran out, replaced)."""
    status, change = Message.data["status"].astext, Message.data["change"]["status"].astext
    messages = session.execute(
        select(Message.id, status.label("status"), change.label("change")).where(
            Message.tenant_id == tenant_id,
            Message.thread_id == thread_id,
            Message.activity_type.in_({kind.activity for kind in _KINDS.values()}),
            or_(status.in_(_MAY_CHANGE), change.in_(_UNDER_WAY)),
        )
    ).all()
    news: list[Emitted] = []
    for message in messages:
        now = card(session, tenant_id, message.id)
        moved = now.shown.get("change", {}).get("status") != message.change
        if now.status != message.status or moved:
            news.extend(resolved(now))
    return news
