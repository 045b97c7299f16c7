"""A conversation's log as server-sent events: what was, then what comes, until the reader goes."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Final

from app.identity import require_open
from app.metrics import SSE_CLIENTS
from app.site import Site
from engine.conversations.reading import Page, page_after
from engine.kit.errors import DomainError, Unauthenticated
from engine.kit.identity import Identity
from engine.staff import sessions

PAGE: Final = 500
KEEP_ALIVE_SECONDS: Final = 15.0
HELLO: Final = b"retry: 1000\n\n"
KEEP_ALIVE: Final = b": keep-alive\n\n"


async def read(site: Site, identity: Identity, thread_id: str, after: int) -> Page:
    """The next events beyond ``after``. Raises ``NotFound``."""
    return await site.read_for_stream(_read, site, identity, thread_id, after)


async def follow(site: Site, identity: Identity, thread_id: str, after: int, first: Page) -> AsyncIterator[bytes]:
    """Frames from ``first`` (the page after ``after``) on. Ends when the server does."""
    assert site.live is not None
    yield HELLO
    with SSE_CLIENTS.track_inprogress(), site.live.bell(identity.tenant_id, thread_id, identity.id) as bell:
        page, spoke_at = first, time.monotonic()
        while not site.live.closed:
            if page:
                yield b"".join(frame(seq, event) for seq, event in page)
                after, spoke_at = page[-1][0], time.monotonic()
            elif time.monotonic() - spoke_at >= KEEP_ALIVE_SECONDS:
                yield KEEP_ALIVE
                spoke_at = time.monotonic()
            if len(page) < PAGE:
                await wait(bell, site.live.patience_seconds)
            bell.clear()
            try:
                page = await read(site, identity, thread_id, after)
            except DomainError:
                return


def frame(seq: int, event: str) -> bytes:
    """One event on the wire, as the store has it; its id is its sequence number."""
    return f"id: {seq}\ndata: {event}\n\n".encode()


async def wait(bell: asyncio.Event, seconds: float) -> None:
    """Until the bell rings, at most so long."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(bell.wait(), min(seconds, KEEP_ALIVE_SECONDS))


def _read(site: Site, identity: Identity, thread_id: str, after: int) -> Page:
    shop_status, page = page_after(site.runtime, identity, thread_id, after, limit=PAGE)
    require_open(shop_status)  # a stream ends with its shop
    if identity.session is not None:
        _require_signed_in(site, identity)
    return page


def _require_signed_in(site: Site, identity: Identity) -> None:
    """A stream ends with the sign-in of who listens. Raises ``Unauthenticated``."""
    with site.runtime.store.without_tenant() as session:
        if not sessions.still(session, identity):
            raise Unauthenticated("Please sign in again.")
