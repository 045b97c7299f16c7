"""``/v1/threads``: a conversation, its turns and its log."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse
from sqlalchemy.orm import Session

from app.chat.codes import take_code
from app.chat.schemas import NewThread, RunAccepted, ThreadView
from app.chat.stream import follow, read
from app.chat.threads import start_thread
from app.once import AskedDep, answer_once, json_response
from app.routing import CallerDep, Guarded, SiteDep
from engine.conversations import handoff, service, signing_in
from engine.conversations.schemas import HandoffView, RunInput, RunView, Snapshot

router: Final = APIRouter(prefix="/v1/threads", tags=["conversation"], route_class=Guarded)
_MAX_SEQ: Final = 2**31 - 1
_STREAM: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {"text/event-stream": {}}, "description": "AG-UI events; `id:` is the sequence number."}
}


@router.post("", status_code=201, responses={201: {"model": ThreadView}}, response_class=Response)
def create(
    request: Request, site: SiteDep, caller: CallerDep, asked: AskedDep, given: NewThread | None = None
) -> Response:
    """Start a conversation. Who shows neither cookie nor key becomes a guest."""
    return start_thread(site, request, caller, asked, given or NewThread())


@router.get("/{thread_id}", responses={200: {"model": Snapshot}}, response_class=Response)
def snapshot(thread_id: str, site: SiteDep, caller: CallerDep) -> Response:
    """The conversation as it stands; events after `last_event` go on from it."""
    identity = caller.for_thing()
    with site.runtime.unit_of_work(identity.tenant_id) as session:
        return json_response(service.snapshot(session, identity, thread_id))


@router.post("/{thread_id}/runs", status_code=202, responses={202: {"model": RunAccepted}}, response_class=Response)
def submit(
    thread_id: str, request: Request, site: SiteDep, caller: CallerDep, asked: AskedDep, given: RunInput
) -> Response:
    """Say something, decide on a card, or press a button: one turn, which goes on by itself. A code from an e-mail that
    is typed here signs the session in, under a new cookie; it is kept nowhere.
    """
    identity = caller.for_thing()
    each, shop = site.limits.runs_per_identity, site.limits.runs_per_tenant
    site.hit_each({f"runs:{identity.id}": each, f"runs:{identity.tenant_id}": shop})

    def work(session: Session) -> RunAccepted:
        return RunAccepted(run_id=service.submit(session, identity, thread_id, given, channel="web").id)

    if code := signing_in.typed(site.runtime, identity, given.message):
        answer = take_code(site, request, caller, asked, thread_id, code)
    else:
        answer = answer_once(site.runtime, identity, asked, work, status=202)
    site.wake(identity.tenant_id, thread_id)
    return answer


@router.get("/{thread_id}/runs/{run_id}", responses={200: {"model": RunView}}, response_class=Response)
def run(thread_id: str, run_id: str, site: SiteDep, caller: CallerDep) -> Response:
    """How a turn stands."""
    identity = caller.for_thing()
    with site.runtime.unit_of_work(identity.tenant_id) as session:
        return json_response(service.run_view(session, identity, thread_id, run_id))


@router.get("/{thread_id}/handoff", responses={200: {"model": HandoffView}}, response_class=Response)
def asked_for_person(thread_id: str, site: SiteDep, caller: CallerDep) -> Response:
    """How the request for a person stands: its place in the queue, and when it is answered."""
    identity = caller.for_thing()
    with site.runtime.unit_of_work(identity.tenant_id) as session:
        return json_response(handoff.current(session, identity, thread_id))


@router.get("/{thread_id}/events", responses=_STREAM, response_class=StreamingResponse)
async def events(
    thread_id: str,
    request: Request,
    site: SiteDep,
    caller: CallerDep,
    after: Annotated[int, Query(ge=0, le=_MAX_SEQ)] = 0,
) -> StreamingResponse:
    """The log from `after` (or `Last-Event-ID`) on, as server-sent events."""
    identity = caller.for_thing()
    last = request.headers.get("last-event-id", "")
    if last.isascii() and last.isdigit() and len(last) < len(str(_MAX_SEQ)):
        after = max(after, int(last))
    first = await read(site, identity, thread_id, after)
    return StreamingResponse(
        follow(site, identity, thread_id, after, first),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )
