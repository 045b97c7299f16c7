"""Messages into the shop's Slack: written down with what they tell of, sent outside of any transaction.

At least once: an incoming webhook knows no key and cannot be asked, and an alert that is told twice is better than one
that nobody hears. What could not be said for a day is not said any more.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import httpx
from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.kit import clock
from engine.kit.ids import new_id
from engine.kit.tenancy import Tenant
from engine.runtime import Runtime
from engine.sync import connections
from engine.sync.alert_models import Post, PostStatus
from engine.sync.client import VendorClient
from engine.sync.errors import AuthExpired, NotNow, Rejected, SyncError
from engine.sync.models import Connection, System

BATCH: Final = 5
LEASE: Final = timedelta(minutes=2)
TOO_OLD: Final = timedelta(days=1)
_LINES: Final = 20
_WAIT: Final = timedelta(seconds=5)
_LONGEST_WAIT: Final = timedelta(minutes=15)
_RESTS: Final = timedelta(minutes=1)


def put(
    session: Session, tenant_id: str, heading: str, lines: Sequence[tuple[str, str]], link: str, *, name: str = ""
) -> str | None:
    """Have it said: the message's id, ``None`` where the shop has no Slack, or nothing but its Slack is in trouble.
    ``lines`` are what they are about and their words; what is about the channel itself is left to the mail.
    """
    channel = _channel(session, tenant_id, name)
    told = [words for subject, words in lines if channel is None or subject != channel.id]
    if channel is None or not told:
        return None
    shop = session.get_one(Tenant, tenant_id).name
    more = [f"… and {len(told) - _LINES} more"] if len(told) > _LINES else []
    said = [f"*{escaped(shop)}*: {heading}", *(f"• {escaped(words)}" for words in told[:_LINES]), *more, f"<{link}>"]
    row = Post(tenant_id=tenant_id, id=new_id("post"), connection_id=channel.id, text="\n".join(said))
    session.add(row)
    session.flush()
    return row.id


def send_posts(runtime: Runtime, tenant_id: str, *, transport: httpx.BaseTransport | None = None) -> int:
    """Send what is due; returns how many were taken."""
    with runtime.unit_of_work(tenant_id) as session:
        rows = _claim(session, tenant_id)
    return sum(_send(runtime, row, transport) for row in rows)


def escaped(words: str) -> str:
    """Words in which Slack finds no link, no name and no command of its own."""
    return words.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _channel(session: Session, tenant_id: str, name: str) -> Connection | None:
    """The connection that the shop named, else its oldest."""
    found = connections.listed(session, tenant_id, system=System.SLACK)
    return next((row for row in found if row.name == name), found[0] if found else None)


def _claim(session: Session, tenant_id: str) -> list[Post]:
    now = clock.now()
    query = select(Post).where(Post.tenant_id == tenant_id, Post.status == PostStatus.WAITING, Post.available_at <= now)
    query = query.order_by(Post.available_at, Post.id).limit(BATCH).with_for_update(skip_locked=True)
    rows = list(session.scalars(query))
    for row in rows:
        if row.created_at <= now - TOO_OLD:
            row.status, row.error = PostStatus.DROPPED, row.error or "too_old"
        row.available_at = now + LEASE
    return [row for row in rows if row.status == PostStatus.WAITING]


def _send(runtime: Runtime, row: Post, transport: httpx.BaseTransport | None) -> bool:
    client = VendorClient(
        runtime, row.tenant_id, row.connection_id, transport=transport, workflow_id=f"post:{row.id}", patience=0.0
    )
    error: SyncError | None = None
    try:
        client.request("POST", "", json={"text": row.text})
    except SyncError as failed:
        error = failed
    with runtime.unit_of_work(row.tenant_id) as session:
        mine = session.get_one(Post, (row.tenant_id, row.id), with_for_update=True, populate_existing=True)
        _note(mine, error, clock.now())
    return error is None


def _note(row: Post, error: SyncError | None, now: datetime) -> None:
    """What has been refused for good is dropped; everything else comes again, the later the more often it failed."""
    if row.status != PostStatus.WAITING:
        return
    if error is None:
        row.status, row.sent_at, row.error = PostStatus.SENT, now, ""
        return
    row.error = error.code
    if isinstance(error, Rejected):
        row.status = PostStatus.DROPPED
    elif isinstance(error, NotNow):
        row.available_at = now + timedelta(seconds=error.retry_after)
    elif isinstance(error, AuthExpired):
        row.available_at = now + _RESTS
    else:
        row.attempts += 1
        row.available_at = now + min(_LONGEST_WAIT, _WAIT * 2**row.attempts)
