"""The one writer of a thread's event log, and what it boils down to.

Sequence numbers are counted on the thread's row under its lock, so a reader that has seen N has seen all before N.
What is written is one statement, whoever sends it: in somebody's transaction, or beside others in one round trip.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.conversations import quiet
from engine.conversations.events import Emitted, keepable
from engine.conversations.models import Event, Thread
from engine.kit import clock
from engine.kit.bells import CHANNEL
from engine.kit.direct import Ask, Statement, within
from engine.kit.errors import NotFound

_TOOL_EVENTS: Final = ("TOOL_CALL_START", "TOOL_CALL_ARGS", "TOOL_CALL_RESULT")
_HELD: Final = """
thread AS (
  SELECT id FROM app.threads WHERE tenant_id = %(tenant)s AND id = %(thread)s FOR UPDATE
), held AS (
  SELECT run.thread_id FROM thread, app.runs run
  WHERE run.tenant_id = %(tenant)s AND run.id = %(run)s AND run.status = 'running' AND run.attempts = %(attempt)s
  FOR SHARE OF run
),"""
"""The worker that has the run, as that is once the thread's row is ours: not as it was before we waited for it."""


def _append(fence: str, held: str) -> Statement:
    return Statement(f"""
WITH {fence} counted AS (
  UPDATE app.threads SET last_event = last_event + %(count)s, updated_at = %(now)s {held}
  WHERE tenant_id = %(tenant)s AND id = %(thread)s
    AND (mode <> 'human' OR CAST(%(run)s AS text) IS NULL OR %(anyway)s)
  RETURNING last_event, last_event - %(count)s AS before
), logged AS (
  INSERT INTO app.events (tenant_id, thread_id, seq, run_id, audience, payload, created_at)
  SELECT %(tenant)s, %(thread)s, counted.before + one.place, %(run)s, one.audience, one.payload, %(now)s
  FROM counted, jsonb_to_recordset(CAST(%(events)s AS jsonb)) AS one (place int, audience text, payload jsonb)
), opened AS (
  INSERT INTO app.messages AS old
    (tenant_id, id, thread_id, seq, run_id, audience, role, name, content, activity_type, data, created_at)
  SELECT %(tenant)s, one.id, %(thread)s, counted.before + one.place, %(run)s, one.audience, one.role, one.name,
    one.content, one.activity_type, one.data, %(now)s
  FROM counted, jsonb_to_recordset(CAST(%(opened)s AS jsonb)) AS one
    (id text, place int, audience text, role text, name text, content text, activity_type text, data jsonb)
  ON CONFLICT (tenant_id, id) DO UPDATE
  SET data = excluded.data, activity_type = excluded.activity_type, audience = excluded.audience
  WHERE old.thread_id = excluded.thread_id AND old.role = 'activity'
), grown AS (
  UPDATE app.messages old SET content = old.content || one.value
  FROM counted, jsonb_each_text(CAST(%(grown)s AS jsonb)) AS one
  WHERE old.tenant_id = %(tenant)s AND old.id = one.key AND old.thread_id = %(thread)s
)
SELECT last_event, pg_notify(%(channel)s, concat(%(tenant)s, ':', %(thread)s)),
  CASE WHEN %(relaxed)s THEN set_config('synchronous_commit', 'off', true) END
FROM counted
""")  # noqa: S608 (our own)


_APPEND: Final = _append("", "")
_APPEND_HELD: Final = _append(_HELD, "FROM held")


def append(
    session: Session,
    tenant_id: str,
    thread_id: str,
    run_id: str | None,
    events: Sequence[Emitted],
    *,
    relaxed: bool = False,
) -> int:
    """Write ``events``, project them into messages and wake the listeners, all in this transaction.

    ``relaxed`` does not wait for the disk (streamed text: a crash of the database may lose its last moments).
    What the agents say in a conversation that a person has taken meanwhile is left out (``quiet``).
    Returns the sequence number of the newest event. Raises ``NotFound`` when there is no such thread.
    """
    last = _written(session, appending(tenant_id, thread_id, run_id, events, relaxed=relaxed))
    if last is None:
        kept = _kept(session, tenant_id, thread_id, run_id, events)
        last = _written(session, appending(tenant_id, thread_id, run_id, kept, relaxed=relaxed, anyway=True))
    assert last is not None
    return last


def appending(
    tenant_id: str,
    thread_id: str,
    run_id: str | None,
    events: Sequence[Emitted],
    *,
    relaxed: bool = False,
    anyway: bool = False,
    attempt: int | None = None,
) -> Ask:
    """The same for a transaction of one round trip. It returns no row, and has written nothing, where there is no such
    thread, a person has taken it from this run, or another worker has the run since this ``attempt`` of it: then
    ``runs.hold`` and ``append`` look closer. ``anyway`` is for what has been looked at.
    """
    opened, grown = _boiled_down(events)
    return _APPEND if attempt is None else _APPEND_HELD, {
        "tenant": tenant_id,
        "thread": thread_id,
        "run": run_id,
        "attempt": attempt,
        "now": clock.now(),
        "count": len(events),
        "events": _as_kept(
            [
                {"place": place, "audience": event.audience, "payload": event.payload}
                for place, event in enumerate(events, 1)
            ]
        ),
        "opened": _as_kept(list(opened.values())),
        "grown": _as_kept(grown),
        "channel": CHANNEL,
        "relaxed": relaxed,
        "anyway": anyway,
    }


def _written(session: Session, ask: Ask) -> int | None:
    session.flush()
    rows = within(session.connection(), ask)
    return rows[0][0]["last_event"] if rows[0] else None


def _kept(
    session: Session, tenant_id: str, thread_id: str, run_id: str | None, events: Sequence[Emitted]
) -> Sequence[Emitted]:
    """What of a run's events is told while a person answers, under the thread's lock."""
    thread = select(Thread.id).where(Thread.tenant_id == tenant_id, Thread.id == thread_id)
    if run_id is None or session.scalar(thread.with_for_update()) is None:
        raise NotFound("There is no such conversation.")
    return quiet.unsaid(session, tenant_id, run_id, events)


def completed_calls(session: Session, tenant_id: str, thread_id: str, run_ids: Sequence[str]) -> list[dict[str, Any]]:
    """The tool calls these runs started: ``{call_id, name, arguments, output}``, ``output`` None when none is known."""
    payloads = session.scalars(
        select(Event.payload)
        .where(
            Event.tenant_id == tenant_id,
            Event.thread_id == thread_id,
            Event.run_id.in_(run_ids),
            Event.payload["type"].astext.in_(_TOOL_EVENTS),
        )
        .order_by(Event.seq)
    )
    calls: dict[str, dict[str, Any]] = {}
    for payload in payloads:
        empty = {"call_id": payload["toolCallId"], "name": "", "arguments": "", "output": None}
        call = calls.setdefault(payload["toolCallId"], empty)
        match payload["type"]:
            case "TOOL_CALL_START":
                call["name"] = payload["toolCallName"]
            case "TOOL_CALL_ARGS":
                call["arguments"] += payload["delta"]
            case _:
                call["output"] = payload["content"]
    return list(calls.values())


def unfinished_messages(session: Session, tenant_id: str, thread_id: str, run_id: str) -> list[str]:
    """Ids of messages that a run began and never ended (the server stopped in the middle)."""
    rows = session.execute(
        select(Event.payload["messageId"].astext, Event.payload["type"].astext).where(
            Event.tenant_id == tenant_id,
            Event.thread_id == thread_id,
            Event.run_id == run_id,
            Event.payload["type"].astext.in_(("TEXT_MESSAGE_START", "TEXT_MESSAGE_END")),
        )
    ).all()
    ended = {message_id for message_id, kind in rows if kind == "TEXT_MESSAGE_END"}
    return [message_id for message_id, kind in rows if kind == "TEXT_MESSAGE_START" and message_id not in ended]


def _as_kept(value: Any) -> str:
    """As JSON that PostgreSQL can keep; only what looks as if it could not is gone through."""
    text = json.dumps(value)
    return text if "\\u0000" not in text and "\\ud" not in text else json.dumps(keepable(value))


def _boiled_down(events: Sequence[Emitted]) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    """The messages that the batch opens, as they are at its end, and by how much it goes on with earlier ones."""
    opened: dict[str, dict[str, Any]] = {}
    grown: dict[str, str] = {}
    for place, event in enumerate(events, 1):
        payload, message = event.payload, {"place": place, "audience": event.audience}
        match payload["type"]:
            case "TEXT_MESSAGE_START":
                opened[payload["messageId"]] = message | _spoken(payload)
            case "TEXT_MESSAGE_CONTENT" if payload["messageId"] in opened:
                opened[payload["messageId"]]["content"] += payload["delta"]
            case "TEXT_MESSAGE_CONTENT":
                grown[payload["messageId"]] = grown.get(payload["messageId"], "") + payload["delta"]
            case "ACTIVITY_SNAPSHOT":
                opened[payload["messageId"]] = message | _shown(payload)
    return opened, grown


def _spoken(payload: dict[str, Any]) -> dict[str, Any]:
    more = {"activity_type": None, "data": None, "content": ""}
    return more | {"id": payload["messageId"], "role": payload["role"], "name": payload.get("name")}


def _shown(payload: dict[str, Any]) -> dict[str, Any]:
    more = {"role": "activity", "name": None, "content": ""}
    return more | {
        "id": payload["messageId"],
        "activity_type": payload["activityType"],
        "data": payload["content"],
    }
