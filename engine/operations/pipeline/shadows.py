"""Whether another version of a workflow may be put in force: what the last replay of it came to, and how its requests
differ from those that were sent. ``icommerce replay … --shadow`` plays, and this reads what it left.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import orjson
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from engine.kit import clock
from engine.kit.errors import NotFound
from engine.kit.pagination import Page, decode_cursor, encode_cursor
from engine.kit.views import View
from engine.sync.models import Call
from engine.workflows.models import RunMode, RunRow, RunStatus
from engine.workflows.shadow import COMPARED, REPLAY, trigger_of

LATELY: Final = timedelta(days=7)
"""An older replay says nothing of what is sent today."""
MOST_CHANGES: Final = 50
"""Of one request that are shown."""
_LEAF: Final = 200
_OUTCOME: Final = RunRow.result[COMPARED]


class Gate(View):
    """The last replay of a version. ``runs`` is how many live runs of that time had ended; all of them have to be
    played, and none may differ. ``reason`` says it in a sentence.
    """

    workflow: str
    version: str
    played_at: datetime
    since: datetime
    runs: int
    played: int
    same: int
    differ: int
    unfinished: int
    """Begun and not compared: the replay broke off."""
    ready: bool
    reason: str


class Request(View):
    """One that the version that is live sent (``missing``), or that the other would send (``extra``). Its words are
    the journal's: secrets are masked.
    """

    call_id: int
    method: str
    path: str
    request: str


class Change(View):
    """A value of a request that both send: ``None`` where one of them does not say it."""

    path: str
    was: str | None
    would: str | None


class Changed(View):
    """A request that both send, and not in the same words."""

    method: str
    path: str
    changes: list[Change]


class Difference(View):
    """A live run beside its shadow."""

    run_id: str
    shadow_id: str
    subject: str
    was: str
    would: str
    error: str
    """Why the shadow did not go well."""
    changed: list[Changed]
    missing: list[Request]
    extra: list[Request]


def gates(session: Session, tenant_id: str) -> list[Gate]:
    """Of every version that was played lately, what came of the last time; the latest first."""
    same = func.count().filter(_OUTCOME["same"].as_boolean())
    compared = func.count().filter(_OUTCOME.is_not(None))
    query = (
        select(RunRow.workflow, RunRow.version, RunRow.trigger, func.count(), same, compared)
        .where(RunRow.created_at > clock.now() - LATELY, *_replays(tenant_id))
        .group_by(RunRow.workflow, RunRow.version, RunRow.trigger)
        .order_by(RunRow.trigger)
    )
    last = {(row[0], row[1]): row for row in session.execute(query)}
    found = [_gate(session, tenant_id, *row) for row in last.values()]
    return sorted(found, key=lambda one: one.played_at, reverse=True)


def gate(session: Session, tenant_id: str, workflow: str, version: str) -> Gate:
    """Raises ``NotFound`` where that version was not played lately."""
    for one in gates(session, tenant_id):
        if (one.workflow, one.version) == (workflow, version):
            return one
    raise NotFound("No such version was played in the shadow lately.")


def differences(
    session: Session, tenant_id: str, of: Gate, *, limit: int = 20, cursor: str | None = None
) -> Page[Difference]:
    """The runs of a replay that differ, by their ids."""
    wanted: list[ColumnElement[bool]] = [
        *_replays(tenant_id),
        RunRow.workflow == of.workflow,
        RunRow.version == of.version,
        RunRow.created_at >= of.played_at,
        RunRow.trigger == trigger_of(of.played_at, of.since),
        _OUTCOME["same"].as_boolean().is_(False),
    ]
    if cursor:
        wanted.append(RunRow.id > str(decode_cursor(cursor, size=1)[0]))
    rows = list(session.scalars(select(RunRow).where(*wanted).order_by(RunRow.id).limit(limit + 1)))
    shown, more = rows[:limit], len(rows) > limit
    said = _said(session, tenant_id, shown)
    return Page([_difference(row, said) for row in shown], encode_cursor([shown[-1].id]) if more else None)


def changes(was: str, would: str) -> list[Change]:
    """Which values two requests do not have alike, by their paths; of words that are no document, the words."""
    before, after = _values(was), _values(would)
    paths = [*before, *(path for path in after if path not in before)]
    found = [
        Change(path=path, was=before.get(path), would=after.get(path))
        for path in paths
        if before.get(path) != after.get(path)
    ]
    return found[:MOST_CHANGES]


def _replays(tenant_id: str) -> tuple[ColumnElement[bool], ...]:
    return (
        RunRow.tenant_id == tenant_id,
        RunRow.mode == RunMode.SHADOW,
        RunRow.replay_of.is_not(None),
        RunRow.trigger.startswith(f"{REPLAY} ", autoescape=True),
    )


def _gate(
    session: Session, tenant_id: str, workflow: str, version: str, trigger: str, played: int, same: int, compared: int
) -> Gate:
    _, at, since = trigger.split(" ")
    runs = _ended(session, tenant_id, workflow, datetime.fromisoformat(since), datetime.fromisoformat(at))
    found = {"runs": max(runs, played), "played": played, "same": same, "differ": compared - same}
    found["unfinished"] = played - compared
    reason = _reason(**found)
    return Gate(
        workflow=workflow,
        version=version,
        played_at=datetime.fromisoformat(at),
        since=datetime.fromisoformat(since),
        **found,
        ready=not reason,
        reason=reason or f"All {played} would send what was sent.",
    )


def _reason(*, runs: int, played: int, same: int, differ: int, unfinished: int) -> str:
    """What stands against it; nothing where nothing does."""
    if differ:
        return f"{differ} of {played} differ."
    if unfinished:
        return f"{unfinished} of {played} were not played to their end: the replay broke off."
    if played < runs:
        return f"Only {played} of {runs} were played."
    return "" if same == played else "It cannot be told."


def _ended(session: Session, tenant_id: str, workflow: str, since: datetime, at: datetime) -> int:
    """How many live runs there were to play."""
    query = select(func.count()).where(
        RunRow.tenant_id == tenant_id,
        RunRow.workflow == workflow,
        RunRow.mode == RunMode.LIVE,
        RunRow.created_at >= since,
        RunRow.ended_at <= at,
        RunRow.status.in_((RunStatus.DONE, RunStatus.FAILED)),
    )
    return session.scalar(query) or 0


def _said(session: Session, tenant_id: str, rows: Sequence[RunRow]) -> dict[int, Request]:
    """The requests that they name."""
    ids = [number for row in rows for name in ("missing", "extra") for number in _outcome(row)[name]]
    query = select(Call.id, Call.method, Call.path, Call.request).where(Call.tenant_id == tenant_id, Call.id.in_(ids))
    if not ids:
        return {}
    return {
        one.id: Request(call_id=one.id, method=one.method, path=one.path, request=one.request)
        for one in session.execute(query)
    }


def _outcome(row: RunRow) -> Mapping[str, Any]:
    found: Mapping[str, Any] = (row.result or {})[COMPARED]
    return found


def _difference(row: RunRow, said: Mapping[int, Request]) -> Difference:
    told = _outcome(row)
    missing, extra = ([said[number] for number in told[name] if number in said] for name in ("missing", "extra"))
    changed = []
    for one in list(missing):
        other = next((two for two in extra if (two.method, two.path) == (one.method, one.path)), None)
        if other is not None:
            missing.remove(one)
            extra.remove(other)
            changed.append(Changed(method=one.method, path=one.path, changes=changes(one.request, other.request)))
    return Difference(
        run_id=row.replay_of or "",
        shadow_id=row.id,
        subject=f"{row.subject_kind} {row.subject_ref}",
        was=str(told["was"]),
        would=row.status,
        error=row.error,
        changed=changed,
        missing=missing,
        extra=extra,
    )


def _values(said: str) -> dict[str, str]:
    """Every value of a document by its path."""
    try:
        document = orjson.loads(said)
    except orjson.JSONDecodeError:
        return {"": said[:_LEAF]}
    return dict(_walk("", document))


def _walk(path: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and value:
        for name, one in value.items():
            yield from _walk(f"{path}.{name}" if path else str(name), one)
    elif isinstance(value, list) and value:
        for number, one in enumerate(value):
            yield from _walk(f"{path}[{number}]", one)
    else:
        yield path, value[:_LEAF] if isinstance(value, str) else orjson.dumps(value).decode()[:_LEAF]
