"""Handing a conversation to people."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from sqlalchemy.orm import Session

from engine.conversations import events, log
from engine.conversations.masking import mask_cards
from engine.conversations.models import Mode, Thread
from engine.conversations.schemas import HandoffView
from engine.conversations.service import thread_for
from engine.kit import audit, clock
from engine.kit.errors import NotFound
from engine.kit.gathering import Rows
from engine.kit.identity import Identity
from engine.kit.policies import fetch_with_tenant, policy_of
from engine.kit.tenancy import Tenant
from engine.support import cases, package, queue
from engine.support.hours import BusinessHours, in_words
from engine.support.policy import SupportPolicy

REASONS: Final = frozenset({"asked_for_person", "complaint", "payment_problem", "cannot_help", "other"})
_SUMMARY_LIMIT: Final = 600
_THREAD: Final = Rows(Thread, "r.tenant_id = %(tenant)s AND r.id = %(thread)s", lock=True)


def request(session: Session, identity: Identity, thread_id: str, *, reason: str, summary: str) -> HandoffView:
    """Ask the shop's staff to take over: their case is opened, and from then on no agent answers in this thread.

    Asking again while it waits, or while a person is there, returns the first request. Raises ``NotFound``.
    """
    (found,) = fetch_with_tenant(
        session, identity.tenant_id, (_THREAD, {"tenant": identity.tenant_id, "thread": thread_id})
    )
    if not found:
        raise NotFound("There is no such conversation.")
    thread: Thread = found[0]
    if not _is_asked(thread):
        _open(session, identity, thread, reason=reason if reason in REASONS else "other", summary=summary)
    return _view(session, thread)


def _open(session: Session, identity: Identity, thread: Thread, *, reason: str, summary: str) -> None:
    words = mask_cards(summary)[:_SUMMARY_LIMIT]
    case = cases.open_for(session, identity, thread, reason=reason, summary=words)
    case.package = package.build(session, identity, thread, reason=reason, said=words, sentiment=case.sentiment)
    reference = case.number
    thread.mode, thread.human = cases.mode_of(case), case.assignee
    thread.handoff = {
        "reference": reference,
        "reason": reason,
        "summary": words,
        "requested_at": clock.now().isoformat(),
    }
    session.flush()
    log.append(session, thread.tenant_id, thread.id, None, [events.mode_changed(thread.mode, reference)])
    audit.record(
        session,
        thread.tenant_id,
        actor=identity.id,
        action="conversation.handoff_requested",
        subject=thread.id,
        facts={"reason": reason, "reference": reference},
    )


def current(session: Session, identity: Identity, thread_id: str) -> HandoffView:
    """How a conversation's request for a person stands now. Only its own identity (or staff) is answered.

    Raises ``NotFound`` also where nobody was asked for.
    """
    thread = thread_for(session, identity, thread_id)
    if not _is_asked(thread):
        raise NotFound("Nobody was asked to join this conversation.")
    return _view(session, thread)


def _is_asked(thread: Thread) -> bool:
    """Whether a request stands: people may be here without one, who came for a complaint or by themselves."""
    return thread.mode != Mode.AGENT and "reference" in (thread.handoff or {})


def _view(session: Session, thread: Thread) -> HandoffView:
    tenant = session.get_one(Tenant, thread.tenant_id)
    handoff, policy, now = thread.handoff or {}, policy_of(session, thread.tenant_id, SupportPolicy), clock.now()
    opens_at = BusinessHours(policy).after(now, timedelta())
    case = queue.of_thread(session, thread)
    return HandoffView(
        mode=thread.mode,
        reference=handoff["reference"],
        reason=handoff["reason"],
        hours=str(tenant.settings.get("support_hours", "")) or in_words(policy),
        position=queue.place_of(session, case) if case is not None else None,
        opens_at=opens_at if opens_at > now else None,
        answer_by=case.due_at if case is not None and case.first_response_at is None else None,
    )
