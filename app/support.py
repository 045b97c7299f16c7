"""``/v1/cases`` and ``/v1/macros``: what shoppers need people for, read by the shop's people."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Query, Response

from app.once import json_response
from app.routing import CallerDep, Guarded, SiteDep
from engine.kit import people
from engine.kit.views import View
from engine.support import macros as phrases
from engine.support import queries
from engine.support.queries import CaseFilter
from engine.support.schemas import CaseCounts, CaseView, MacroView

router: Final = APIRouter(prefix="/v1", tags=["support"], route_class=Guarded)
Word = Annotated[str | None, Query(max_length=80)]
Limit = Annotated[int, Query(ge=1, le=200)]
Cursor = Annotated[str | None, Query(max_length=300)]


class CasePage(View):
    items: list[CaseView]
    next_cursor: str | None


class Colleague(View):
    """One of the shop's people: ``who`` is what a case's assignee is."""

    who: str
    name: str


class Colleagues(View):
    items: list[Colleague]


class MacroPage(View):
    items: list[MacroView]
    next_cursor: str | None


@router.get("/cases", responses={200: {"model": CasePage}}, response_class=Response)
def cases(
    site: SiteDep,
    caller: CallerDep,
    status: Word = None,
    priority: Word = None,
    assignee: Annotated[str | None, Query(max_length=80, description="A person, me, or nobody.")] = None,
    thread_id: Word = None,
    order_id: Word = None,
    number: Word = None,
    view: Annotated[str | None, Query(max_length=20, description="waiting, mine or all.")] = None,
    q: Annotated[str | None, Query(max_length=120, description="Beginnings of words: number, name, order…")] = None,
    queue: Annotated[bool, Query(description="Only what waits for the shop, what is due first before.")] = False,
    limit: Limit = 20,
    cursor: Cursor = None,
) -> Response:
    """The shop's cases, newest first; a tab of the desk, its queue, or what is looked for."""
    identity = caller.staff
    wanted = CaseFilter(status, priority, assignee, thread_id, order_id, number, queue, view, q)
    with site.runtime.unit_of_work(identity.tenant_id) as session:
        page = queries.cases(session, identity, wanted=wanted, limit=limit, cursor=cursor)
        return json_response(CasePage(items=list(page.items), next_cursor=page.next_cursor))


@router.get("/staff/colleagues", responses={200: {"model": Colleagues}}, response_class=Response)
def colleagues(site: SiteDep, caller: CallerDep) -> Response:
    """The shop's people, to give a case to."""
    identity = caller.staff
    with site.runtime.unit_of_work(identity.tenant_id) as session:
        found = people.everybody(session, identity.tenant_id)
        return json_response(Colleagues(items=[Colleague(who=who, name=name) for who, name in found.items()]))


@router.get("/cases/counts", responses={200: {"model": CaseCounts}}, response_class=Response)
def counts(site: SiteDep, caller: CallerDep) -> Response:
    """How many cases each tab of the desk has."""
    identity = caller.staff
    with site.runtime.unit_of_work(identity.tenant_id) as session:
        return json_response(queries.counts(session, identity))


@router.get("/cases/{case_id}", responses={200: {"model": CaseView}}, response_class=Response)
def case(case_id: str, site: SiteDep, caller: CallerDep) -> Response:
    """One case with its notes, by id or number."""
    identity = caller.staff
    with site.runtime.unit_of_work(identity.tenant_id) as session:
        return json_response(queries.case(session, identity, case_id))


@router.get("/macros", responses={200: {"model": MacroPage}}, response_class=Response)
def macros(site: SiteDep, caller: CallerDep, limit: Limit = 50, cursor: Cursor = None) -> Response:
    """The shop's macros, by name."""
    identity = caller.staff
    with site.runtime.unit_of_work(identity.tenant_id) as session:
        page = queries.macros(session, identity, limit=limit, cursor=cursor)
        return json_response(MacroPage(items=list(page.items), next_cursor=page.next_cursor))


@router.get("/macros/{macro_id}", responses={200: {"model": MacroView}}, response_class=Response)
def macro(macro_id: str, site: SiteDep, caller: CallerDep) -> Response:
    """One macro."""
    identity = caller.staff
    with site.runtime.unit_of_work(identity.tenant_id) as session:
        return json_response(MacroView.of(phrases.find(session, identity.tenant_id, macro_id)))
