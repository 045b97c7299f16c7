"""``/v1/ops/runs`` and ``/v1/ops/objects``: runs, and the business objects that they are about."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from app.once import AskedDep, answer_once, json_response
from app.routing import CallerDep, Guarded, SiteDep
from engine.kit import clock
from engine.kit.errors import InvalidInput, NotFound
from engine.kit.views import View
from engine.operations.pipeline import objects, overview, runs
from engine.operations.pipeline.explain import Explained, explain
from engine.operations.pipeline.objects import ObjectView
from engine.operations.pipeline.overview import Overview
from engine.operations.pipeline.runs import RunInFull, RunView
from engine.sync.showing import CallView
from engine.workflows import starting
from engine.workflows.models import RunMode, RunStatus

router: Final = APIRouter(prefix="/v1/ops", tags=["operations"], route_class=Guarded)
RunId = Annotated[str, Query(alias="id", min_length=1, max_length=200, description="The run's id, colons and all.")]
Word = Annotated[str | None, Query(min_length=1, max_length=120)]
Limit = Annotated[int, Query(ge=1, le=200)]
Cursor = Annotated[str | None, Query(max_length=400)]


class Given(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class WhichRun(Given):
    id: Annotated[str, Field(min_length=1, max_length=200)]


class Cancellation(WhichRun):
    reason: Annotated[str, Field(min_length=1, max_length=200)]


class RunPage(View):
    items: list[RunView]
    next_cursor: str | None


@router.get("/overview", responses={200: {"model": Overview}}, response_class=Response)
def all_of_it(site: SiteDep, caller: CallerDep) -> Response:
    """How the pipeline stands: runs, what stopped, what came in, connections with their limits and breakers."""
    tenant_id = caller.operations.tenant_id
    with site.runtime.unit_of_work(tenant_id) as session:
        return json_response(overview.overview(session, tenant_id))


@router.get("/runs", responses={200: {"model": RunPage}}, response_class=Response)
def listed(
    site: SiteDep,
    caller: CallerDep,
    workflow: Word = None,
    status: Annotated[list[RunStatus] | None, Query(max_length=6)] = None,
    retrying: Annotated[bool, Query(description="Those that try again at `next_try_at`, and no others.")] = False,
    kind: Annotated[str | None, Query(min_length=1, max_length=20, description="Of the business object.")] = None,
    ref: Word = None,
    older_than: Annotated[
        int | None, Query(ge=0, le=31_536_000, description="Begun at least so many seconds ago.")
    ] = None,
    mode: RunMode = RunMode.LIVE,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """Runs, the newest first."""
    tenant_id = caller.operations.tenant_id
    with site.runtime.unit_of_work(tenant_id) as session:
        page = starting.listed(
            session,
            tenant_id,
            status=tuple(status or ()),
            workflow=workflow,
            retrying=retrying,
            subject=_subject(kind, ref),
            mode=mode,
            begun_before=clock.now() - timedelta(seconds=older_than) if older_than is not None else None,
            limit=limit,
            cursor=cursor,
        )
        return json_response(RunPage(items=[runs.shown(row) for row in page.items], next_cursor=page.next_cursor))


@router.get("/run", responses={200: {"model": RunInFull}}, response_class=Response)
def one(site: SiteDep, caller: CallerDep, run_id: RunId) -> Response:
    """One run with its steps, and what it asked of systems."""
    tenant_id = caller.operations.tenant_id
    with site.runtime.unit_of_work(tenant_id) as session:
        return json_response(runs.in_full(session, tenant_id, starting.get(session, tenant_id, run_id)))


@router.get("/run/why", responses={200: {"model": Explained}}, response_class=Response)
def why(site: SiteDep, caller: CallerDep, run_id: RunId) -> Response:
    """Why a run is where it is, in plain words."""
    tenant_id = caller.operations.tenant_id
    with site.runtime.unit_of_work(tenant_id) as session:
        return json_response(explain(session, tenant_id, starting.get(session, tenant_id, run_id)))


@router.post("/run/retry", responses={200: {"model": RunView}}, response_class=Response)
def retry(site: SiteDep, caller: CallerDep, asked: AskedDep, given: WhichRun) -> Response:
    """Begin one anew that failed or was canceled. What it did is found by its keys and not done twice."""
    who = caller.operations

    def work(session: Session) -> RunView:
        return runs.shown(runs.retry(session, who.tenant_id, given.id, actor=who.id))

    return answer_once(site.runtime, who, asked, work, status=200)


@router.post("/run/now", responses={200: {"model": RunView}}, response_class=Response)
def now(site: SiteDep, caller: CallerDep, asked: AskedDep, given: WhichRun) -> Response:
    """One that waits tries again at once."""
    who = caller.operations

    def work(session: Session) -> RunView:
        return runs.shown(starting.hasten(session, who.tenant_id, given.id, actor=who.id))

    return answer_once(site.runtime, who, asked, work, status=200)


@router.post("/run/cancel", responses={200: {"model": RunView}}, response_class=Response)
def cancel(site: SiteDep, caller: CallerDep, asked: AskedDep, given: Cancellation) -> Response:
    """Stop one before its next step. What it did stays done."""
    who = caller.operations

    def work(session: Session) -> RunView:
        return runs.shown(starting.cancel(session, who.tenant_id, given.id, actor=who.id, reason=given.reason))

    return answer_once(site.runtime, who, asked, work, status=200)


@router.get("/calls/{call_id}", responses={200: {"model": CallView}}, response_class=Response)
def call(call_id: str, site: SiteDep, caller: CallerDep) -> Response:
    """One request and its answer, secrets masked."""
    tenant_id = caller.operations.tenant_id
    with site.runtime.unit_of_work(tenant_id) as session:
        found = runs.call(session, tenant_id, int(call_id)) if call_id.isascii() and call_id.isdigit() else None
        if found is None:
            raise NotFound("There is no such request.")
        return json_response(found)


@router.get("/objects", responses={200: {"model": ObjectView}}, response_class=Response)
def business_object(
    site: SiteDep,
    caller: CallerDep,
    kind: Annotated[str, Query(min_length=1, max_length=20)],
    ref: Annotated[str, Query(min_length=1, max_length=120)],
) -> Response:
    """One order, purchase or return across all systems: every run that touched it, and what it is called where."""
    tenant_id = caller.operations.tenant_id
    with site.runtime.unit_of_work(tenant_id) as session:
        return json_response(objects.business_object(session, tenant_id, kind, ref))


def _subject(kind: str | None, ref: str | None) -> tuple[str, str] | None:
    if (kind is None) != (ref is None):
        raise InvalidInput("Say both what kind of thing it is and which: `kind` and `ref`.", param="kind")
    return (kind, ref) if kind is not None and ref is not None else None
