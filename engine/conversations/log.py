"""The one writer of a thread's event log, and what it boils down to.

Sequence numbers are counted on the thread's row under its lock, so a reader that has seen N has seen all before N.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import func, insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from engine.conversations import quiet
from engine.conversations.events import Emitted, keepable
from engine.conversations.models import Event, Message, Mode, Thread
from engine.kit import clock
from engine.kit.errors import NotFound

CHANNEL: Final = "icommerce_events"
"""``NOTIFY`` payload: ``tenant_id:thread_id``."""
_TOOL_EVENTS: Final = ("TOOL_CALL_START", "TOOL_CALL_ARGS", "TOOL_CALL_RESULT")


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
    if relaxed:
        session.execute(text("SET LOCAL synchronous_commit = off"))
    last, mode = _count_up(session, tenant_id, thread_id, len(events))
    if run_id is not None and mode == Mode.HUMAN:
        kept = quiet.unsaid(session, tenant_id, run_id, events)
        last, _ = _count_up(session, tenant_id, thread_id, len(kept) - len(events))
        events = kept
    if not events:
        return last
    first = last - len(events) + 1
    key = {"tenant_id": tenant_id, "thread_id": thread_id, "run_id": run_id, "created_at": clock.now()}
    rows = [
        key | {"seq": first + place, "audience": event.audience, "payload": keepable(event.payload)}
        for place, event in enumerate(events)
    ]
    session.execute(insert(Event.__table__), rows)  # type: ignore[arg-type] # a mapped class's table is a Table
    _project(session, key, rows)
    session.execute(select(func.pg_notify(CHANNEL, f"{tenant_id}:{thread_id}")))
    return last


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


def _count_up(session: Session, tenant_id: str, thread_id: str, count: int) -> tuple[int, str]:
    """The number of the newest event, and who answers, as they are under the thread's lock from now on."""
    threads = Thread.__table__
    found = session.execute(
        update(threads)  # type: ignore[arg-type] # a mapped class's table is a Table
        .where(threads.c.tenant_id == tenant_id, threads.c.id == thread_id)
        .values(last_event=threads.c.last_event + count, updated_at=clock.now())
        .returning(threads.c.last_event, threads.c.mode)
    ).one_or_none()
    if found is None:
        raise NotFound("There is no such conversation.")
    return found.last_event, found.mode


def _project(session: Session, key: dict[str, Any], rows: Sequence[dict[str, Any]]) -> None:
    """Fold the batch, then touch each message once."""
    opened: dict[str, dict[str, Any]] = {}
    grown: dict[str, str] = {}
    for row in rows:
        payload, message = row["payload"], key | {"seq": row["seq"], "audience": row["audience"]}
        match payload["type"]:
            case "TEXT_MESSAGE_START":
                opened[payload["messageId"]] = message | _spoken(payload)
            case "TEXT_MESSAGE_CONTENT" if payload["messageId"] in opened:
                opened[payload["messageId"]]["content"] += payload["delta"]
            case "TEXT_MESSAGE_CONTENT":
                grown[payload["messageId"]] = grown.get(payload["messageId"], "") + payload["delta"]
            case "ACTIVITY_SNAPSHOT":
                opened[payload["messageId"]] = message | _shown(payload)
    if opened:
        _upsert(session, list(opened.values()))
    for message_id, delta in grown.items():
        _grow(session, key, message_id, delta)


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


def _upsert(session: Session, messages: list[dict[str, Any]]) -> None:
    statement = upsert(Message).values(messages)
    new = statement.excluded
    session.execute(
        statement.on_conflict_do_update(
            index_elements=["tenant_id", "id"],
            set_={"data": new.data, "activity_type": new.activity_type, "audience": new.audience},
            where=(Message.thread_id == new.thread_id) & (Message.role == "activity"),
        )
    )


def _grow(session: Session, key: dict[str, Any], message_id: str, delta: str) -> None:
    messages = Message.__table__
    session.execute(
        update(messages)  # type: ignore[arg-type] # a mapped class's table is a Table
        .where(
            messages.c.tenant_id == key["tenant_id"],
            messages.c.id == message_id,
            messages.c.thread_id == key["thread_id"],
        )
        .values(content=messages.c.content + delta)
    )
