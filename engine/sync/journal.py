"""The journal of calls: a row before a request leaves, its answer afterwards. What a killed process sent is seen."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, delete, insert, select, update
from sqlalchemy.orm import Session

from engine.kit import clock
from engine.kit.pagination import Page, cursor_number, decode_cursor, encode_cursor
from engine.sync.errors import SyncError
from engine.sync.masking import Mask
from engine.sync.models import UNDER_WAY, Call, CallMode, Connection
from engine.sync.wire import Outgoing, Reply

_PATH_LIMIT: Final = 500
_KEY_LIMIT: Final = 200


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
        "mode": mode,
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
    return int(session.execute(insert(Call).values(values).returning(Call.id)).scalar_one())


def finish(
    session: Session,
    tenant_id: str,
    call: int,
    reply: Reply | None,
    error: SyncError | None,
    mask: Mask,
    *,
    took: timedelta,
) -> None:
    """What came of it."""
    values = {
        "response": _said(reply, mask) if reply else "",
        "answer": reply.status if reply else None,
        "outcome": error.code if error else "",
        "counts": bool(error and error.counts_for_breaker),
        "took_ms": took // timedelta(milliseconds=1),
    }
    its = update(Call).where(Call.tenant_id == tenant_id, Call.id == call).values(values)
    session.execute(its.execution_options(synchronize_session=False))


def _said(reply: Reply, mask: Mask) -> str:
    """The body. Of an answer without one, where it says that what was made is."""
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
