"""The queue of turns: one at a time per thread, in order of arrival, under a lease that its worker renews."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import and_, or_, select, update
from sqlalchemy.orm import Session

from engine.conversations import budget, events, log
from engine.conversations.errors import LeaseLost
from engine.conversations.events import Emitted
from engine.conversations.models import Message, Mode, Run, RunStatus, Thread
from engine.conversations.schemas import ActionName
from engine.kit import clock, tracing
from engine.kit.identity import Actor, Identity, Scope

LEASE: Final = timedelta(seconds=15)
NEWEST_OUTSIDE: Final = """
SELECT coalesce(max(seq), 0) FROM app.messages
WHERE tenant_id = %(tenant)s AND thread_id = %(thread)s AND run_id IS NULL AND role = 'assistant'
"""
"""The event that opened the newest message no run wrote."""
WORDS_OF: Final = """
SELECT id FROM app.runs words WHERE words.tenant_id = %(tenant)s AND words.thread_id = %(thread)s
AND words.number <= taken.number AND words.input ? 'message' ORDER BY words.number DESC LIMIT 1
"""
"""The run that was begun by the newest words."""
MAX_ATTEMPTS: Final = 2
"""The first try and one continuation after the server stopped in the middle."""
_WAITING: Final = (RunStatus.QUEUED, RunStatus.RUNNING)


@dataclass(frozen=True, slots=True)
class Claim:
    """A run this worker may execute until its lease ends. ``attempt`` fences off an older worker."""

    run_id: str
    thread_id: str
    number: int
    attempt: int
    identity: Identity
    input: dict[str, Any]
    mode: Mode
    active_agent: str | None
    returned: dict[str, Any] | None = None
    """What people did before they gave the conversation back: ``{version, done}``."""
    newest_outside: int = 0
    """The event that opened the newest message no run wrote."""
    over_budget: bool = False
    """The tenant's models have had their money for today."""
    words_of: str = ""
    """The run with the words that this one goes on from: a press belongs to what was said before it."""

    @property
    def trace_id(self) -> str:
        """One trace for words and what follows from them."""
        return tracing.of(self.words_of or self.run_id)


@dataclass(frozen=True, slots=True)
class Report:
    """What a run did."""

    status: RunStatus
    usage: dict[str, Any] = field(default_factory=dict)
    agent_path: list[str] = field(default_factory=list)
    tool_calls: list[dict[str, Any]] = field(default_factory=list)
    active_agent: str | None = None
    error: str | None = None


def identity_json(identity: Identity) -> dict[str, Any]:
    kept = {"kind": identity.actor, "id": identity.id, "customer_id": identity.customer_id}
    return kept | {"scopes": sorted(identity.scopes), "person": identity.person}


def identity_of(run: Run) -> Identity:
    """Who asked for this run."""
    return identity_from(run.tenant_id, run.identity)


def identity_from(tenant_id: str, kept: dict[str, Any]) -> Identity:
    """The identity that ``identity_json`` kept."""
    return Identity(
        tenant_id=tenant_id,
        actor=Actor(kept["kind"]),
        id=kept["id"],
        customer_id=kept["customer_id"],
        scopes=frozenset(Scope(scope) for scope in kept["scopes"]),
        person=kept.get("person"),
    )


def waiting_threads(session: Session, tenant_id: str) -> list[str]:
    """Threads with a run nobody works on: queued behind nothing, or left by a worker whose lease ended."""
    left = and_(Run.status == RunStatus.RUNNING, Run.lease_until < clock.now())
    rows = session.scalars(
        select(Run.thread_id)
        .where(Run.tenant_id == tenant_id, Run.status.in_(_WAITING), or_(Run.status == RunStatus.QUEUED, left))
        .distinct()
    )
    return list(rows)


def claim_next(session: Session, tenant_id: str, thread_id: str) -> Claim | None:
    """Take the thread's next run and announce it; ``None`` when there is none or another worker is at it.

    A run whose worker vanished is continued once, and fails in view the next time.
    """
    thread = session.get(Thread, (tenant_id, thread_id), with_for_update=True)
    if thread is None:
        return None
    running = _first(session, thread, RunStatus.RUNNING)
    if running is not None:
        if running.lease_until and running.lease_until > clock.now():
            return None
        if running.attempts < MAX_ATTEMPTS:
            return _take(session, thread, running)
        _close_messages(session, running)
        fail(session, running, code="interrupted", message="That was interrupted. Please try again.")
    queued = _first(session, thread, RunStatus.QUEUED)
    return _take(session, thread, queued) if queued else None


def renew(session: Session, tenant_id: str, claim: Claim) -> bool:
    """Hold the run for another lease; false when another worker has it."""
    renewed = session.execute(
        update(Run)
        .where(*_held(tenant_id, claim.run_id, claim.attempt))
        .values(lease_until=clock.now() + LEASE)
        .returning(Run.id)
        .execution_options(synchronize_session=False)
    )
    return renewed.first() is not None


def release(session: Session, tenant_id: str, claim: Claim) -> None:
    """End the lease now, so that another worker goes on at once (a clean stop in the middle of a run)."""
    session.execute(
        update(Run)
        .where(*_held(tenant_id, claim.run_id, claim.attempt))
        .values(lease_until=clock.now())
        .execution_options(synchronize_session=False)
    )


def hold(session: Session, tenant_id: str, thread_id: str, run_id: str, attempt: int) -> Run:
    """The run, locked, for the worker that has it; the thread's row first, as everybody locks it.

    Raises ``LeaseLost`` when another worker has it.
    """
    session.get(Thread, (tenant_id, thread_id), with_for_update=True, populate_existing=True)
    run = session.scalars(select(Run).where(*_held(tenant_id, run_id, attempt)).with_for_update()).one_or_none()
    if run is None:
        raise LeaseLost("Another worker goes on with this run.")
    return run


def finish(
    session: Session, tenant_id: str, claim: Claim, report: Report, last: Sequence[Emitted], *, cost_micros: int = 0
) -> None:
    """Close the run with its last events and what its models cost, in one transaction. Raises ``LeaseLost`` when
    another worker has it.
    """
    run = hold(session, tenant_id, claim.thread_id, claim.run_id, claim.attempt)
    run.status, run.finished_at, run.lease_until = report.status, clock.now(), None
    run.usage, run.agent_path, run.tool_calls = report.usage, report.agent_path, report.tool_calls
    run.error = report.error
    run.input = without_secrets(run.input)
    if report.active_agent and report.active_agent != claim.active_agent:
        thread = session.get_one(Thread, (tenant_id, claim.thread_id))
        thread.active_agent = report.active_agent
    session.flush()
    log.append(session, tenant_id, claim.thread_id, claim.run_id, last)
    budget.spend(session, tenant_id, cost_micros)


def fail(session: Session, run: Run, *, code: str, message: str) -> None:
    """Close a run that nobody works on any more; the shopper may try again."""
    run.status, run.finished_at, run.lease_until, run.error = RunStatus.FAILED, clock.now(), None, code
    run.input = without_secrets(run.input)
    session.flush()
    last = events.run_error(run.id, code=code, message=message, retryable=True)
    log.append(session, run.tenant_id, run.thread_id, run.id, [last])


def mode(session: Session, tenant_id: str, thread_id: str) -> Mode:
    """Who answers in this thread."""
    statement = select(Thread.mode).where(Thread.tenant_id == tenant_id, Thread.id == thread_id)
    return Mode(session.scalars(statement).one())


def failed_words(session: Session, tenant_id: str, thread_id: str, *, before: int) -> tuple[list[str], str] | None:
    """The newest words older than run number ``before``, if no run answered them, and the runs that tried."""
    tries = session.scalars(
        select(Run)
        .where(
            Run.tenant_id == tenant_id,
            Run.thread_id == thread_id,
            Run.number < before,
            or_(Run.input.has_key("message"), Run.input["action"]["name"].astext == ActionName.RETRY),
        )
        .order_by(Run.number.desc())
        .limit(20)
    )
    failed: list[str] = []
    for run in tries:
        if run.status != RunStatus.FAILED:
            return None
        failed.append(run.id)
        if "message" in run.input:
            return failed, run.input["message"]
    return None


def staff_words(session: Session, tenant_id: str, thread_id: str, *, after: int) -> list[Message]:
    """Messages no run wrote (people of the shop) since event ``after``, oldest first."""
    rows = session.scalars(
        select(Message)
        .where(
            Message.tenant_id == tenant_id,
            Message.thread_id == thread_id,
            Message.run_id.is_(None),
            Message.role == "assistant",
            Message.seq > after,
        )
        .order_by(Message.seq)
        .limit(40)
    )
    return list(rows)


def _first(session: Session, thread: Thread, status: RunStatus) -> Run | None:
    statement = (
        select(Run)
        .where(Run.tenant_id == thread.tenant_id, Run.thread_id == thread.id, Run.status == status)
        .order_by(Run.number)
        .limit(1)
    )
    return session.scalars(statement).one_or_none()


def _words_of(session: Session, run: Run) -> str:
    statement = select(Run.id).where(
        Run.tenant_id == run.tenant_id,
        Run.thread_id == run.thread_id,
        Run.number <= run.number,
        Run.input.has_key("message"),
    )
    return session.scalar(statement.order_by(Run.number.desc()).limit(1)) or ""


def _take(session: Session, thread: Thread, run: Run) -> Claim:
    first = run.status == RunStatus.QUEUED
    run.status, run.lease_until = RunStatus.RUNNING, clock.now() + LEASE
    run.attempts += 1
    session.flush()
    if first:
        log.append(session, thread.tenant_id, thread.id, run.id, [events.run_started(thread.id, run.id)])
    else:
        _close_messages(session, run)
    return Claim(
        run_id=run.id,
        thread_id=thread.id,
        number=run.number,
        attempt=run.attempts,
        identity=identity_of(run),
        input=run.input,
        words_of=_words_of(session, run),
        mode=Mode(thread.mode),
        active_agent=thread.active_agent,
        returned=(thread.handoff or {}).get("returned"),
        newest_outside=_newest_outside(session, thread),
        over_budget=budget.is_spent(session, thread.tenant_id),
    )


def _newest_outside(session: Session, thread: Thread) -> int:
    values = {"tenant": thread.tenant_id, "thread": thread.id}
    return int(session.connection().exec_driver_sql(NEWEST_OUTSIDE, values).scalar_one())


def _close_messages(session: Session, run: Run) -> None:
    """End what the vanished worker was saying."""
    begun = log.unfinished_messages(session, run.tenant_id, run.thread_id, run.id)
    if begun:
        ends = [events.text_end(message_id) for message_id in begun]
        log.append(session, run.tenant_id, run.thread_id, run.id, ends)


def _held(tenant_id: str, run_id: str, attempt: int) -> tuple[Any, ...]:
    return (
        Run.tenant_id == tenant_id,
        Run.id == run_id,
        Run.status == RunStatus.RUNNING,
        Run.attempts == attempt,
    )


def without_secrets(stored: dict[str, Any]) -> dict[str, Any]:
    """A run's input as it is kept: a card's token is used once."""
    action = stored.get("action")
    if not action or "card_token" not in action.get("args", {}):
        return stored
    return stored | {"action": action | {"args": {}}}
