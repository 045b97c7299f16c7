"""The journal of calls: a row before a request leaves, its answer afterwards. What a killed process sent is seen."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, delete, select
from sqlalchemy.orm import Session

from engine.kit import clock
from engine.kit.direct import Statement
from engine.kit.gathering import ask, fetch
from engine.kit.pagination import Page, cursor_number, decode_cursor, encode_cursor
from engine.sync import packing
from engine.sync.errors import SyncError
from engine.sync.masking import Mask
from engine.sync.models import UNDER_WAY, Call, CallMode, Connection
from engine.sync.wire import Outgoing, Reply

_PATH_LIMIT: Final = 500
_KEY_LIMIT: Final = 200
_BEGIN: Final = Statement(
    """INSERT INTO app.sync_calls (tenant_id, connection_id, mode, at, method, path, reads, cost, request, response,
outcome, counts, took_ms, fingerprint, idempotency_key, workflow_id, trace_id)
VALUES (%(tenant_id)s, %(connection_id)s, %(mode)s, %(at)s, %(method)s, %(path)s, %(reads)s, %(cost)s, %(request)s,
%(response)s, %(outcome)s, %(counts)s, %(took_ms)s, %(fingerprint)s, %(idempotency_key)s, %(workflow_id)s, %(trace_id)s)
RETURNING id"""
)
_FINISH: Final = Statement(
    """UPDATE app.sync_calls SET response = %(response)s, answer = %(answer)s, outcome = %(outcome)s,
counts = %(counts)s, took_ms = %(took_ms)s WHERE tenant_id = %(tenant)s AND id = %(call)s"""
)


def begin(
    session: Session,
    connection: Connection,
    request: Outgoing,
    mask: Mask,
    *,
    workflow_id: str = "",
    trace_id: str = "",
    mode: CallMode = CallMode.LIVE,
) -> int:
    """A request that is about to leave (or, in the shadow, would); its number."""
    values = {
        "tenant_id": connection.tenant_id,
        "connection_id": connection.id,
        "mode": str(mode),
        "at": clock.now(),
        "method": request.method,
        "path": mask.words(request.path)[:_PATH_LIMIT],
        "reads": request.reads,
        "cost": request.cost,
        "request": mask.document(request.shown()) if request.shown() else "",
        "response": "",
        "outcome": UNDER_WAY,
        "counts": False,
        "took_ms": 0,
        "fingerprint": request.fingerprint,
        "idempotency_key": mask.words(request.idempotency_key)[:_KEY_LIMIT],
        "workflow_id": workflow_id[:_KEY_LIMIT],
        "trace_id": trace_id[:64],
    }
    ((made,),) = fetch(session, (_BEGIN, values))
    return int(made["id"])


def finish(
    session: Session,
    tenant_id: str,
    call: int,
    reply: Reply | None,
    error: SyncError | None,
    mask: Mask,
    *,
    took: timedelta,
    in_full: bool = False,
) -> None:
    """What came of it. ``in_full``: all of the answer is kept, however long it is."""
    values = {
        "response": _said(reply, mask, in_full=in_full) if reply else "",
        "answer": reply.status if reply else None,
        "outcome": error.code if error else "",
        "counts": bool(error and error.counts_for_breaker),
        "took_ms": took // timedelta(milliseconds=1),
    }
    ask(session, _FINISH, values | {"tenant": tenant_id, "call": call})


def _said(reply: Reply, mask: Mask, *, in_full: bool) -> str:
    """The body. Of an answer without one, where it says that what was made is."""
    if in_full and reply.data is not None:
        return packing.packed(mask.whole(reply.data))
    if reply.body:
        return mask.body(reply.body, reply.data)
    place = reply.headers.get("location", "")
    return mask.document({"location": place}) if place else ""


def calls(
    session: Session,
    tenant_id: str,
    *,
    connection_id: str | None = None,
    workflow_id: str | None = None,
    mode: CallMode | None = CallMode.LIVE,
    since: datetime | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> Page[Call]:
    """The journal, newest first."""
    wanted: list[ColumnElement[bool]] = [Call.tenant_id == tenant_id]
    if connection_id is not None:
        wanted.append(Call.connection_id == connection_id)
    if workflow_id is not None:
        wanted.append(Call.workflow_id == workflow_id)
    if mode is not None:
        wanted.append(Call.mode == mode)
    if since is not None:
        wanted.append(Call.at >= since)
    if cursor:
        wanted.append(Call.id < cursor_number(decode_cursor(cursor, size=1)[0]))
    rows = list(session.scalars(select(Call).where(*wanted).order_by(Call.id.desc()).limit(limit + 1)))
    more = len(rows) > limit
    return Page(rows[:limit], encode_cursor([rows[limit - 1].id]) if more else None)


def forget_old(session: Session, tenant_id: str, *, keep: timedelta) -> None:
    """Drop what is older than ``keep``."""
    session.execute(delete(Call).where(Call.tenant_id == tenant_id, Call.at < clock.now() - keep))
