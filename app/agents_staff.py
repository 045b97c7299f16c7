"""``/v1/staff/agent-requests``: what agents asked and how it went, to find out what happened to one of them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Response

from app.once import json_response
from app.routing import CallerDep, Guarded, SiteDep
from engine.agentic import requests
from engine.kit.views import View

router: Final = APIRouter(prefix="/v1/staff/agent-requests", tags=["agents"], route_class=Guarded)
Word = Annotated[str | None, Query(pattern=r"^[A-Za-z0-9_-]{1,60}$")]


class AgentRequestView(View):
    id: int
    at: datetime
    caller_id: str
    """``agp_…`` of a platform, ``key_…`` of any other key."""
    key_id: str
    request_id: str
    operation: str
    subject_id: str
    version: str
    status: int
    replayed: bool
    ms: int
    asked: dict[str, Any]
    """Ids, amounts, states and codes; all else is a dot. Empty for what was refused."""
    answered: dict[str, Any]


class AgentRequestPage(View):
    items: list[AgentRequestView]
    next_cursor: str | None


@router.get("", responses={200: {"model": AgentRequestPage}}, response_class=Response)
def agent_requests(
    site: SiteDep,
    caller: CallerDep,
    caller_id: Word = None,
    subject_id: Word = None,
    request_id: Annotated[str | None, Query(max_length=255)] = None,
    status: Annotated[int | None, Query(ge=100, le=599)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 20,
    cursor: Annotated[str | None, Query(max_length=300)] = None,
) -> Response:
    """Newest first, of the last thirty days; written within a second of the request."""
    identity = caller.staff
    with site.runtime.unit_of_work(identity.tenant_id) as session:
        page = requests.find(
            session,
            identity.tenant_id,
            caller_id=caller_id,
            subject_id=subject_id,
            request_id=request_id,
            status=status,
            limit=limit,
            cursor=cursor,
        )
        items = [AgentRequestView.model_validate(row, from_attributes=True) for row in page.items]
        return json_response(AgentRequestPage(items=items, next_cursor=page.next_cursor))
