"""``/v1/staff/policies``: the shop's rules, read by its people and changed by its admins."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Body, Header, Response
from sqlalchemy.orm import Session

from app.once import AskedDep, answer_once, json_response
from app.routing import CallerDep, Guarded, SiteDep
from engine.kit.errors import Forbidden
from engine.kit.identity import Scope
from engine.kit.views import View
from engine.policies import PolicyShape, PolicyView, set_policy, shape_of, show_policies

router: Final = APIRouter(prefix="/v1/staff/policies", tags=["staff"], route_class=Guarded)
Values = Annotated[dict[str, Any], Body(min_length=1, max_length=100)]
IfMatch = Annotated[str | None, Header(alias="If-Match", pattern=r'^"?[0-9a-f]{16}"?$')]


class PolicyList(View):
    items: list[PolicyView]


@router.get("", responses={200: {"model": PolicyList}}, response_class=Response)
def policies(site: SiteDep, caller: CallerDep) -> Response:
    """Every section with its values, defaults filled in."""
    identity = caller.staff
    with site.runtime.unit_of_work(identity.tenant_id) as session:
        return json_response(PolicyList(items=show_policies(session, identity.tenant_id)))


@router.get("/{section}", responses={200: {"model": PolicyView}}, response_class=Response)
def policy(section: str, site: SiteDep, caller: CallerDep) -> Response:
    """One section."""
    identity = caller.staff
    with site.runtime.unit_of_work(identity.tenant_id) as session:
        return json_response(show_policies(session, identity.tenant_id, section)[0])


@router.get("/{section}/shape", responses={200: {"model": PolicyShape}}, response_class=Response)
def shape(section: str, site: SiteDep, caller: CallerDep) -> Response:
    """What may be said in one section, as JSON Schema, and its defaults."""
    identity = caller.staff
    with site.runtime.unit_of_work(identity.tenant_id) as session:
        return json_response(shape_of(session, identity.tenant_id, section))


@router.patch("/{section}", responses={200: {"model": PolicyView}}, response_class=Response)
def change(
    section: str, site: SiteDep, caller: CallerDep, asked: AskedDep, values: Values, if_match: IfMatch = None
) -> Response:
    """Change the named values of one section; the others stay. With `If-Match`, only if that is still the section's
    `version`; else 409 `policy_changed`.
    """
    identity = caller.staff
    if Scope.ADMIN not in identity.scopes:
        raise Forbidden("Changing a policy needs a key with the scope admin.")

    version = if_match.strip('"') if if_match else None

    def work(session: Session) -> PolicyView:
        return set_policy(session, identity.tenant_id, section, values, actor=identity.id, version=version)

    return answer_once(site.runtime, identity, asked, work, status=200)
