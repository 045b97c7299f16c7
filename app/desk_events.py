"""``GET /v1/staff/events``: that cases changed, and who looks at which, as server-sent events."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any, Final

from fastapi import APIRouter
from fastapi.responses import StreamingResponse

from app.chat.stream import HELLO, KEEP_ALIVE, KEEP_ALIVE_SECONDS, wait
from app.identity import require_active
from app.metrics import SSE_CLIENTS
from app.routing import CallerDep, Guarded, SiteDep
from app.site import Site
from engine.kit import clock
from engine.kit.errors import DomainError, Unauthenticated
from engine.kit.identity import Identity
from engine.kit.tenancy import Tenant
from engine.staff import sessions
from engine.support import bell, glances, queries

router: Final = APIRouter(prefix="/v1/staff", tags=["support"], route_class=Guarded)
GATHER_SECONDS: Final = 0.1
"""How long changes are gathered before they are told together."""
_STREAM: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {"text/event-stream": {}}, "description": "`{changed, counts, present}` at each change."}
}


@router.get("/events", responses=_STREAM, response_class=StreamingResponse)
async def events(site: SiteDep, caller: CallerDep) -> StreamingResponse:
    """The desk, live: which cases changed, how many each tab has, and who looks at which case."""
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(follow(site, caller.staff), media_type="text/event-stream", headers=headers)


async def follow(site: Site, identity: Identity) -> AsyncIterator[bytes]:
    """Frames until the reader goes or the server does. The first tells how things stand."""
    assert site.live is not None
    news, told, number = _News(), None, 0
    yield HELLO
    with SSE_CLIENTS.track_inprogress(), site.live.bell(identity.tenant_id, bell.TOPIC, identity.id) as rung:
        while not site.live.closed:
            try:
                frame = await site.read_for_stream(news.read, site, identity)
            except DomainError:
                return
            if frame["changed"] or frame != told:
                number = max(number + 1, round(time.time() * 1000))  # a later connection's are higher
                told = frame | {"changed": []}
                yield f"id: {number}\ndata: {json.dumps(frame, ensure_ascii=False)}\n\n".encode()
            else:
                yield KEEP_ALIVE
            await wait(rung, min(site.live.patience_seconds, KEEP_ALIVE_SECONDS))
            rung.clear()
            await asyncio.sleep(GATHER_SECONDS)


class _News:
    """What one reader was told."""

    def __init__(self) -> None:
        self._since = clock.now() - bell.OVERLAP
        self._told: dict[str, datetime] = {}
        self._first = True

    def read(self, site: Site, identity: Identity) -> dict[str, Any]:
        with site.runtime.unit_of_work(identity.tenant_id) as session:
            require_active(session.get_one(Tenant, identity.tenant_id))
            if not sessions.still(session, identity):
                raise Unauthenticated("This session is over.")
            found = bell.changed(session, identity.tenant_id, self._since)
            counts = queries.counts(session, identity).model_dump()
            present = [one.model_dump() for one in glances.present(session, identity.tenant_id)]
        return {"changed": self._new(found), "counts": counts, "present": present}

    def _new(self, found: list[tuple[str, datetime]]) -> list[str]:
        """Of what changed lately, what this reader was not told yet; at first nothing is news."""
        new = [case_id for case_id, at in found if self._told.get(case_id) != at]
        self._told = dict(found)
        if found:
            self._since = max(self._since, found[0][1] - bell.OVERLAP)
        first, self._first = self._first, False
        return [] if first else new
