"""``/v1/staff/members``: who works for the shop. And ``/staff/people``, the page of it. Admins alone."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from app.identity import Caller
from app.once import AskedDep, answer_once, json_response
from app.routing import CallerDep, Guarded, SiteDep
from app.staff.pages import page_response
from engine.kit.identity import Identity, Role, Scope
from engine.kit.views import View
from engine.staff import members
from engine.staff.errors import MayNotManage
from engine.staff.schemas import MemberView

router: Final = APIRouter(prefix="/v1/staff", tags=["staff"], route_class=Guarded)
pages: Final = APIRouter(prefix="/staff", include_in_schema=False)


class MemberList(View):
    items: list[MemberView]


class Me(View):
    """Who is signed in, or whose key it is."""

    id: str
    person: str | None
    name: str | None
    role: Role | None
    scopes: list[Scope]


class Invitation(BaseModel):
    model_config = ConfigDict(extra="forbid")
    email: Annotated[str, Field(min_length=3, max_length=254)]
    role: Role
    name: Annotated[str, Field(max_length=80)] = ""


class NewRole(BaseModel):
    model_config = ConfigDict(extra="forbid")
    role: Role


@router.get("/me", responses={200: {"model": Me}}, response_class=Response)
def me(caller: CallerDep) -> Response:
    """Who asks, and what they may call."""
    who = caller.staff
    return json_response(Me(id=who.id, person=who.person, name=who.name, role=who.role, scopes=sorted(who.scopes)))


@router.get("/members", responses={200: {"model": MemberList}}, response_class=Response)
def everybody(site: SiteDep, caller: CallerDep) -> Response:
    """All of the shop's people; those who left come last."""
    who = _admin(caller)
    with site.runtime.unit_of_work(who.tenant_id) as session:
        return json_response(
            MemberList(items=[MemberView.of(row) for row in members.everybody(session, who.tenant_id)])
        )


@router.post("/members", status_code=201, responses={201: {"model": MemberView}}, response_class=Response)
def invite(site: SiteDep, caller: CallerDep, asked: AskedDep, given: Invitation) -> Response:
    """Send somebody a link that lets them in; who was invited and never came gets a new one."""
    who = _admin(caller)

    def work(session: Session) -> MemberView:
        made = members.invite(session, site.runtime, who.tenant_id, **given.model_dump(), actor=who.id)
        return MemberView.of(made.member)

    return answer_once(site.runtime, who, asked, work, status=201)


@router.post("/members/{member_id}/role", responses={200: {"model": MemberView}}, response_class=Response)
def set_role(member_id: str, site: SiteDep, caller: CallerDep, asked: AskedDep, given: NewRole) -> Response:
    """Give somebody another role. They sign in anew. 409 ``last_admin`` for the only admin there is."""
    who = _admin(caller)
    return answer_once(
        site.runtime,
        who,
        asked,
        lambda session: MemberView.of(members.set_role(session, who.tenant_id, member_id, given.role, actor=who.id)),
        status=200,
    )


@router.post("/members/{member_id}/disable", responses={200: {"model": MemberView}}, response_class=Response)
def disable(member_id: str, site: SiteDep, caller: CallerDep, asked: AskedDep) -> Response:
    """Let nobody in as this person any more; what they have open ends. 409 ``last_admin`` for the only admin."""
    who = _admin(caller)
    return answer_once(
        site.runtime,
        who,
        asked,
        lambda session: MemberView.of(members.disable(session, who.tenant_id, member_id, actor=who.id)),
        status=200,
    )


@router.post("/members/{member_id}/enable", responses={200: {"model": MemberView}}, response_class=Response)
def enable(member_id: str, site: SiteDep, caller: CallerDep, asked: AskedDep) -> Response:
    """Let somebody in again who was disabled."""
    who = _admin(caller)
    return answer_once(
        site.runtime,
        who,
        asked,
        lambda session: MemberView.of(members.enable(session, who.tenant_id, member_id, actor=who.id)),
        status=200,
    )


@pages.get("/people")
def people(request: Request, site: SiteDep) -> Response:
    """The shop's people, for its admins."""
    return page_response(request, site, "staff/people.html", needs=Scope.ADMIN)


def _admin(caller: Caller) -> Identity:
    """Raises ``MayNotManage``."""
    who = caller.staff
    if Scope.ADMIN not in who.scopes:
        raise MayNotManage("Only an admin decides who works here.")
    return who
