"""``/v1/ops/shadows``: whether another version of a workflow may be put in force, and how it differs."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Query, Response

from app.once import json_response
from app.ops.runs import Cursor
from app.routing import CallerDep, Guarded, SiteDep
from engine.kit.views import View
from engine.operations.pipeline import shadows
from engine.operations.pipeline.shadows import Difference, Gate

router: Final = APIRouter(prefix="/v1/ops/shadows", tags=["operations"], route_class=Guarded)
Word = Annotated[str, Query(min_length=1, max_length=80)]


class Gates(View):
    items: list[Gate]
    next_cursor: str | None = None


class DifferencePage(View):
    gate: Gate
    items: list[Difference]
    next_cursor: str | None


@router.get("", responses={200: {"model": Gates}}, response_class=Response)
def gates(site: SiteDep, caller: CallerDep) -> Response:
    """Of every version that was played in the shadow within a week (`icommerce replay`): whether it is ready."""
    tenant_id = caller.operations.tenant_id
    with site.runtime.unit_of_work(tenant_id) as session:
        return json_response(Gates(items=shadows.gates(session, tenant_id)))


@router.get("/differences", responses={200: {"model": DifferencePage}}, response_class=Response)
def differences(
    site: SiteDep,
    caller: CallerDep,
    workflow: Word,
    version: Word,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    cursor: Cursor = None,
) -> Response:
    """Its runs that would send something else than was sent, secrets masked."""
    tenant_id = caller.operations.tenant_id
    with site.runtime.unit_of_work(tenant_id) as session:
        gate = shadows.gate(session, tenant_id, workflow, version)
        page = shadows.differences(session, tenant_id, gate, limit=limit, cursor=cursor)
        return json_response(DifferencePage(gate=gate, items=list(page.items), next_cursor=page.next_cursor))
