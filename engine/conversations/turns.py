"""A turn's beginning and its end, each in one round trip to the database.

What a round trip finds other than expected (a run that was left behind, a card that was pressed in this moment) goes
the longer way, which looks first: ``runs``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from engine.conversations import asking, budget, events, log, runs
from engine.conversations.events import Emitted
from engine.conversations.models import Mode
from engine.conversations.runs import Claim, Report
from engine.conversations.schemas import OpenCard
from engine.kit import clock
from engine.kit.bells import CHANNEL
from engine.kit.direct import Ask, Row, Statement
from engine.runtime import Runtime

_TAKE: Final = Statement(f"""
WITH thread AS (
  SELECT id FROM app.threads WHERE tenant_id = %(tenant)s AND id = %(thread)s FOR UPDATE
), running AS (
  SELECT lease_until FROM app.runs WHERE tenant_id = %(tenant)s AND thread_id = %(thread)s AND status = 'running'
), next AS (
  SELECT id FROM app.runs WHERE tenant_id = %(tenant)s AND thread_id = %(thread)s AND status = 'queued'
  ORDER BY number LIMIT 1
), taken AS (
  UPDATE app.runs run SET status = 'running', attempts = run.attempts + 1, lease_until = %(lease_until)s
  FROM thread, next
  WHERE run.tenant_id = %(tenant)s AND run.id = next.id AND run.status = 'queued' AND NOT EXISTS (SELECT FROM running)
  RETURNING run.id, run.number, run.attempts, run.identity, run.input
), counted AS (
  UPDATE app.threads thread SET last_event = thread.last_event + 1, updated_at = %(now)s FROM taken
  WHERE thread.tenant_id = %(tenant)s AND thread.id = %(thread)s
  RETURNING thread.last_event, thread.mode, thread.active_agent, thread.handoff
), told AS (
  INSERT INTO app.events (tenant_id, thread_id, seq, run_id, audience, payload, created_at)
  SELECT %(tenant)s, %(thread)s, counted.last_event, taken.id, 'shopper',
    CAST(%(started)s AS jsonb) || jsonb_build_object('runId', taken.id), %(now)s
  FROM counted, taken
)
SELECT taken.id, taken.number, taken.attempts, taken.identity, taken.input,
  counted.mode, counted.active_agent, counted.handoff, running.lease_until,
  ({runs.NEWEST_OUTSIDE}) AS outside, ({budget.SPENT}) AS spent, ({runs.WORDS_OF}) AS words_of,
  CASE WHEN taken.id IS NOT NULL THEN pg_notify(%(channel)s, concat(%(tenant)s, ':', %(thread)s)) END
FROM (SELECT) AS one LEFT JOIN taken ON true LEFT JOIN counted ON true LEFT JOIN running ON true
""")  # noqa: S608 (our own)
_END: Final = Statement(f"""
WITH thread AS (
  SELECT mode FROM app.threads WHERE tenant_id = %(tenant)s AND id = %(thread)s FOR UPDATE
), ended AS (
  UPDATE app.runs run SET status = %(status)s, finished_at = %(now)s, lease_until = NULL,
    usage = CAST(%(usage)s AS jsonb), agent_path = CAST(%(agent_path)s AS text[]),
    tool_calls = CAST(%(tool_calls)s AS jsonb), input = CAST(%(input)s AS jsonb)
  FROM thread
  WHERE run.tenant_id = %(tenant)s AND run.id = %(run)s AND run.status = 'running' AND run.attempts = %(attempt)s
    AND thread.mode <> 'human'
    AND ARRAY(SELECT CAST(card.id AS text) {asking.OPEN} ORDER BY card.created_at) = CAST(%(cards)s AS text[])
  RETURNING run.id)
SELECT 1 / count(*) AS whole FROM ended
""")  # noqa: S608 (our own)
_ANSWERED_BY: Final = Statement(
    "UPDATE app.threads SET active_agent = %(agent)s WHERE tenant_id = %(tenant)s AND id = %(thread)s"
)
_MORE: Final = Statement("""
SELECT EXISTS (SELECT FROM app.runs
  WHERE tenant_id = %(tenant)s AND thread_id = %(thread)s AND status = 'queued') AS more
""")


def take(runtime: Runtime, tenant_id: str, thread_id: str) -> Claim | None:
    """Take the thread's next run and announce it; ``None`` when there is none or another worker is at it."""
    now = clock.now()
    started = events.run_started(thread_id, "").payload
    values = {
        "tenant": tenant_id,
        "thread": thread_id,
        "now": now,
        "lease_until": now + runs.LEASE,
        "started": json.dumps(started),
        "channel": CHANNEL,
    }
    [[row]] = runtime.store.ask(tenant_id, (_TAKE, values | budget.spent_values(tenant_id)))
    if row["id"] is not None:
        return _claim(tenant_id, thread_id, row)
    if row["lease_until"] is None or row["lease_until"] > now:
        return None
    with runtime.unit_of_work(tenant_id) as session:
        return runs.claim_next(session, tenant_id, thread_id)


def end(
    runtime: Runtime,
    claim: Claim,
    report: Report,
    last: Sequence[Emitted],
    *,
    cards: Sequence[OpenCard],
    cost_micros: int,
) -> bool:
    """Close a run that went well, with its last events, where exactly these cards are open now; whether another run of
    the thread waits. The log comes first: it waits for the thread's row, and what follows sees how things are then.

    Raises ``Refused`` when a card was pressed or ran out in this moment, or when a person has the conversation, or
    another worker the run.
    """
    tenant_id, key = claim.identity.tenant_id, {"tenant": claim.identity.tenant_id, "thread": claim.thread_id}
    told = [*last, events.run_finished(claim.thread_id, claim.run_id, cards)]
    asks: list[Ask] = [log.appending(tenant_id, claim.thread_id, claim.run_id, told)]
    asks.append((_END, key | _ended(claim, report, cards)))
    if report.active_agent and report.active_agent != claim.active_agent:
        asks.append((_ANSWERED_BY, key | {"agent": report.active_agent}))
    if cost_micros > 0:
        asks.append(budget.spending(tenant_id, cost_micros))
    *_, [row] = runtime.store.ask(tenant_id, *asks, (_MORE, key))
    return bool(row["more"])


def _ended(claim: Claim, report: Report, cards: Sequence[OpenCard]) -> Row:
    return asking.open_values(claim.identity, claim.thread_id) | {
        "run": claim.run_id,
        "attempt": claim.attempt,
        "status": report.status,
        "usage": json.dumps(report.usage),
        "agent_path": list(map(str, report.agent_path)),
        "tool_calls": json.dumps(report.tool_calls),
        "input": json.dumps(runs.without_secrets(claim.input)),
        "cards": [card.id for card in cards],
    }


def _claim(tenant_id: str, thread_id: str, row: Row) -> Claim:
    return Claim(
        run_id=row["id"],
        thread_id=thread_id,
        number=row["number"],
        attempt=row["attempts"],
        identity=runs.identity_from(tenant_id, row["identity"]),
        input=row["input"],
        mode=Mode(row["mode"]),
        active_agent=row["active_agent"],
        returned=(row["handoff"] or {}).get("returned"),
        newest_outside=row["outside"],
        over_budget=row["spent"],
        words_of=row["words_of"] or "",
    )
