"""``GET /v1/ops/events``: that the pipeline moved, as server-sent events. What it is now, the page reads itself."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from app.chat.stream import HELLO, KEEP_ALIVE
from app.identity import require_active
from app.metrics import SSE_CLIENTS
from app.routing import CallerDep, Guarded, SiteDep
from app.site import Site
from engine.kit.errors import DomainError, Unauthenticated
from engine.kit.identity import Identity
from engine.kit.tenancy import Tenant
from engine.operations.pipeline.overview import seal
from engine.staff import sessions

router: Final = APIRouter(prefix="/v1/ops", tags=["operations"], route_class=Guarded)
LOOK_SECONDS: Final = 2.0
"""How often it looks: runs move many times a second, and nobody rings for each of their steps."""
_STREAM: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {"text/event-stream": {}}, "description": "`{seal}` whenever something moved."}
}


@router.get("/events", responses=_STREAM, response_class=StreamingResponse)
async def events(
    site: SiteDep,
    caller: CallerDep,
    run: Annotated[str, Query(max_length=200)] = "",
    kind: Annotated[str, Query(max_length=20)] = "",
    ref: Annotated[str, Query(max_length=120)] = "",
) -> StreamingResponse:
    """The pipeline, live: of one run, of one business object, or of all of it. `seal` is another when anything is."""
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    about = {"run_id": run, "kind": kind, "ref": ref}
    return StreamingResponse(follow(site, caller.operations, about), media_type="text/event-stream", headers=headers)


async def follow(site: Site, identity: Identity, about: dict[str, str]) -> AsyncIterator[bytes]:
    """Frames until the reader goes or the server does. The first tells how things stand."""
    assert site.live is not None
    told, number = "", 0
    yield HELLO
    with SSE_CLIENTS.track_inprogress(), site.live.bell(identity.tenant_id, identity.id) as rung:
        while not site.live.closed:
            try:
                now = await site.read_for_stream(_read, site, identity, about)
            except DomainError:
                return
            if now == told:
                yield KEEP_ALIVE
            else:
                number, told = max(number + 1, round(time.time() * 1000)), now
                yield f"id: {number}\ndata: {json.dumps({'seal': now})}\n\n".encode()
            await _pause(rung)


async def _pause(rung: asyncio.Event) -> None:
    """A look's time; shorter when the person's sessions end or the server does."""
    try:
        await asyncio.wait_for(rung.wait(), LOOK_SECONDS)
    except TimeoutError:
        return
    rung.clear()


def _read(site: Site, identity: Identity, about: dict[str, str]) -> str:
    with site.runtime.unit_of_work(identity.tenant_id) as session:
        require_active(session.get_one(Tenant, identity.tenant_id))
        if not sessions.still(session, identity):
            raise Unauthenticated("This session is over.")
        return seal(session, identity.tenant_id, **about)
