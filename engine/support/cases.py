"""Cases as they come and come back: opened by a hand-off or by hand, woken by what the shopper writes."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from sqlalchemy.orm import Session, object_session

from engine.conversations.masking import mask_cards
from engine.conversations.models import Mode, Thread
from engine.kit import audit, clock
from engine.kit.direct import Statement
from engine.kit.errors import NotFound
from engine.kit.gathering import Rows, ask
from engine.kit.identity import Identity
from engine.kit.ids import new_id
from engine.kit.policies import fetch_with_tenant, policy_of
from engine.orders.models import Order
from engine.support import bell, sentiment, sla, words
from engine.support.errors import CaseOver
from engine.support.models import RANK, Case, CaseStatus, Priority
from engine.support.policy import SupportPolicy
from engine.support.states import CASE

_ALPHABET: Final = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
_SUBJECT_LIMIT: Final = 120
_LAST_WORDS: Final = 160
_OF_THREAD: Final = f"""r.tenant_id = %(tenant)s AND r.thread_id = %(thread)s
  AND r.status <> '{CaseStatus.CLOSED.value}'"""
_LOCKED: Final = Rows(Case, _OF_THREAD, lock=True)
_BOUGHT: Final = Statement("""
SELECT id FROM app.orders WHERE tenant_id = %(tenant)s AND owner_id = %(owner)s AND thread_id = %(thread)s
  AND placed_at IS NOT NULL ORDER BY placed_at DESC LIMIT 1
""")
SHOPPER: Final = "shopper"
SHOP: Final = "shop"


def open_for(
    session: Session, identity: Identity, thread: Thread, *, reason: str, summary: str, order_id: str | None = None
) -> Case:
    """The case of a conversation whose shopper needs people: the one there is, also one that was resolved not long ago,
    else a new one; about ``order_id``, without one about what was bought there last. The caller holds the thread's
    lock.
    """
    case, policy = of_thread(session, thread), policy_of(session, thread.tenant_id, SupportPolicy)
    if case is not None and case.status == CaseStatus.RESOLVED and not comes_back(case, policy):
        end(session, case, policy, actor="system")
        case = None
    if case is not None:
        case.reason, case.summary, case.order_id = reason, summary, order_id or case.order_id
        wake(session, case, policy, actor=identity.id)
        found = words.known(session, case, thread)
        _listen(case, found.said)
        words.file_case(session, case, found)
        return case
    about = Case(
        tenant_id=thread.tenant_id,
        thread_id=thread.id,
        order_id=order_id or _last_order(session, thread),
        shopper_id=thread.owner_id,
        customer_id=identity.customer_id,
        subject=_subject(summary),
        reason=reason,
        summary=summary,
        priority=policy.priorities.get(reason, Priority.NORMAL),
    )
    return _open(session, about, policy, actor=identity.id, thread=thread)


def open_by_hand(
    session: Session,
    identity: Identity,
    *,
    subject: str,
    summary: str = "",
    priority: Priority = Priority.NORMAL,
    order_id: str | None = None,
) -> Case:
    """A case that staff write down themselves, about an order or about nothing there is. Raises ``NotFound``."""
    order = session.get(Order, (identity.tenant_id, order_id)) if order_id else None
    if order_id and order is None:
        raise NotFound("There is no such order.")
    about = Case(
        tenant_id=identity.tenant_id,
        order_id=order.id if order else None,
        shopper_id=order.owner_id if order else None,
        customer_id=order.customer_id if order else None,
        subject=mask_cards(subject)[:_SUBJECT_LIMIT],
        reason="by_hand",
        summary=mask_cards(summary),
        priority=priority,
    )
    return _open(session, about, policy_of(session, identity.tenant_id, SupportPolicy), actor=identity.id)


def hear(session: Session, thread: Thread) -> None:
    """The shopper wrote in a conversation that had a case: it is the shop's turn, or the case comes back. The caller
    holds the thread's lock.
    """
    case = of_thread(session, thread)
    if case is None:
        return
    policy = policy_of(session, thread.tenant_id, SupportPolicy)
    said = words.said(session, thread)
    _listen(case, said)
    words.file_words(session, case, said[0] if said else "")
    touch(case)
    if case.status == CaseStatus.WAITING_CUSTOMER:
        sla.move(case, CaseStatus.WAITING_STAFF if case.assignee else CaseStatus.OPEN, policy)
    elif case.status == CaseStatus.RESOLVED and policy.reopen_on == "message" and comes_back(case, policy):
        wake(session, case, policy, actor=thread.owner_id)


def wake(session: Session, case: Case, policy: SupportPolicy, *, actor: str) -> None:
    """It is the shop's turn again; a case that was resolved begins a new round with who had it.

    Raises ``CaseOver`` for one that is closed.
    """
    if case.status == CaseStatus.CLOSED:
        raise CaseOver("This case is closed. What comes now is a new one.")
    back = case.status == CaseStatus.RESOLVED
    sla.move(case, CaseStatus.WAITING_STAFF if case.assignee else CaseStatus.OPEN, policy)
    if back:
        case.reopened += 1
        case.resolved_at = None
        sla.start(case, policy)
        record(session, case, actor, "case.reopened")
    touch(case)


def end(session: Session, case: Case, policy: SupportPolicy, *, actor: str) -> None:
    """Nothing brings the case back."""
    sla.move(case, CASE.check(case.status, CaseStatus.CLOSED), policy)
    case.closed_at = clock.now()
    touch(case)
    record(session, case, actor, "case.closed")


def comes_back(case: Case, policy: SupportPolicy) -> bool:
    """Whether a resolved case is still young enough to be reopened."""
    return case.resolved_at is not None and clock.now() <= case.resolved_at + timedelta(days=policy.reopen_days)


def of_thread(session: Session, thread: Thread) -> Case | None:
    """The conversation's case that is not closed, locked and as it is now. The caller holds the thread's lock."""
    (found,) = fetch_with_tenant(
        session, thread.tenant_id, (_LOCKED, {"tenant": thread.tenant_id, "thread": thread.id})
    )
    return found[0] if found else None


def spoken(session: Session, case: Case, text: str) -> None:
    """Somebody of the shop said this to the shopper."""
    case.last_words, case.last_speaker = _short(text), SHOP
    words.file_words(session, case, text)


def touch(case: Case) -> None:
    """Whoever looked before sees an old case, and whoever has the queue open hears of it."""
    case.version += 1
    case.updated_at = clock.now()
    if session := object_session(case):
        bell.ring(session, case.tenant_id)


def record(session: Session, case: Case, actor: str, action: str, facts: dict[str, object] | None = None) -> None:
    """Write down who did what to a case."""
    audit.record(session, case.tenant_id, actor=actor, action=action, subject=case.id, facts=facts)


def new_number() -> str:
    """What a shopper is told; a thousand million of them."""
    return "H-" + "".join(secrets.choice(_ALPHABET) for _ in range(6))


def mode_of(case: Case) -> Mode:
    """Who answers in the conversation of a case that is not over."""
    return Mode.HUMAN if case.assignee else Mode.WAITING_HUMAN


def _open(session: Session, case: Case, policy: SupportPolicy, *, actor: str, thread: Thread | None = None) -> Case:
    case.id, case.number = new_id("case"), new_number()
    case.status, case.rank, case.opened_by = CaseStatus.OPEN, RANK[case.priority], actor
    case.version, case.reopened, case.created_at = 1, 0, clock.now()
    sla.start(case, policy)
    found = words.known(session, case, thread)
    if thread is not None:
        _listen(case, found.said)
    case.shopper_name = found.name
    session.add(case)
    words.file_case(session, case, found)
    record(session, case, actor, "case.opened", {"reason": case.reason, "priority": str(case.priority)})
    bell.ring(session, case.tenant_id)
    return case


def _listen(case: Case, said: Sequence[str]) -> None:
    """How the shopper's last words sound, kept with the case; ``said`` is newest first."""
    case.sentiment = sentiment.of([*reversed(said[: sentiment.MESSAGES])] or [case.summary])
    if said:
        case.last_words, case.last_speaker = _short(said[0]), SHOPPER


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LAST_WORDS else f"{line[: _LAST_WORDS - 1]}…"


def _subject(summary: str) -> str:
    first = summary.strip().split("\n", 1)[0]
    return first[:_SUBJECT_LIMIT] or "A shopper asks for a person"


def _last_order(session: Session, thread: Thread) -> str | None:
    """What was bought in the conversation last."""
    values = {"tenant": thread.tenant_id, "owner": thread.owner_id, "thread": thread.id}
    return next((row["id"] for row in ask(session, _BOUGHT, values)), None)
