"""Changing an order: ``POST /v1/orders/{id}/changes`` quotes, the shopper's own session (or staff) confirms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Final

from fastapi import APIRouter, Body, Query, Request, Response
from pydantic import BaseModel, ConfigDict, StrictBool

from app.approvals import ANSWERS, shown
from app.once import Asked, AskedDep, answer_after, json_response
from app.problems import problem
from app.routing import CallerDep, Guarded, SiteDep
from app.site import Site
from engine.approvals.asking import Performed
from engine.approvals.models import ApprovalKind
from engine.approvals.order_changes import ask_for as approve_change
from engine.conversations.showing import propose_in
from engine.kit.errors import DomainError, Forbidden
from engine.kit.identity import Identity
from engine.kit.views import View
from engine.orders import queries
from engine.orders.changes import apply, listing
from engine.orders.changes.propose import propose
from engine.orders.changes.schemas import ChangeView
from engine.orders.changes.wanted import AnyWanted
from engine.orders.errors import ChangeOutdated, ConsentNeeded, OverStaffLimit

router: Final = APIRouter(prefix="/v1/orders/{order_id}/changes", tags=["orders"], route_class=Guarded)
staff: Final = APIRouter(prefix="/v1/staff/orders/{order_id}/changes", tags=["orders"], route_class=Guarded)


class ChangeList(View):
    items: list[ChangeView]


class Decision(BaseModel):
    model_config = ConfigDict(extra="forbid")
    approved: StrictBool


@router.post("", status_code=201, responses={201: {"model": ChangeView}}, response_class=Response)
def quote(
    order_id: str,
    wanted: Annotated[AnyWanted, Body()],
    site: SiteDep,
    caller: CallerDep,
    asked: AskedDep,
    thread_id: Annotated[str | None, Query(max_length=60, description="Show its card in this conversation.")] = None,
) -> Response:
    """What the change would do and cost, with the id of the confirmation it waits for. Nothing is changed yet."""
    identity = caller.for_thing()

    def work() -> ChangeView:
        if thread_id is None:
            return propose(site.runtime, identity, order_id, wanted)
        return propose_in(site.runtime, identity, order_id, wanted, thread_id=thread_id)

    return answer_after(site.runtime, identity, asked, work, status=201)


@router.get("", responses={200: {"model": ChangeList}}, response_class=Response)
def changes(order_id: str, site: SiteDep, caller: CallerDep) -> Response:
    """The order's changes, newest first, quotes that came to nothing among them."""
    identity = caller.for_thing()
    with site.runtime.unit_of_work(identity.tenant_id) as session:
        return json_response(ChangeList(items=listing.of_order(session, identity, order_id)))


@router.post("/{change_id}/confirm", responses={200: {"model": ChangeView}}, response_class=Response)
def confirm(
    order_id: str,
    change_id: str,
    said: Decision,
    request: Request,
    site: SiteDep,
    caller: CallerDep,
    asked: AskedDep,
) -> Response:
    """The shopper's own yes or no; a yes applies the change. Staff and keys are refused. Said twice it happens once.

    Answers 409 ``change_outdated`` with ``fresh``, a new quote, when the order or its prices moved since.
    """
    identity = caller.for_thing()
    found = _own_order_id(site, identity, order_id)

    def work() -> ChangeView:
        return apply.confirm(site.runtime, identity, found, change_id, approved=said.approved, channel="order_page")

    return _once(site, identity, request, asked, work)


@staff.post("/{change_id}/apply", responses={200: {"model": ChangeView}, 202: ANSWERS[202]}, response_class=Response)
def apply_change(
    order_id: str, change_id: str, request: Request, site: SiteDep, caller: CallerDep, asked: AskedDep
) -> Response:
    """Staff answer for a change that charges nobody; above the shop's limits somebody else has to approve it. Said
    twice it happens once.
    """
    identity = caller.known
    if not identity.is_staff:
        raise Forbidden("This is for the shop's staff.")
    found = _own_order_id(site, identity, order_id)
    try:
        return _once(
            site, identity, request, asked, lambda: apply.apply_as_staff(site.runtime, identity, found, change_id)
        )
    except (OverStaffLimit, ConsentNeeded) as refused:
        return _ask(site, identity, found, change_id, refused)


def _once(site: Site, identity: Identity, request: Request, asked: Asked, work: Callable[[], ChangeView]) -> Response:
    """The decision and what followed from it; a refusal keeps no answer."""
    try:
        return answer_after(site.runtime, identity, asked, work, status=200)
    except ChangeOutdated as outdated:
        return _outdated(request, outdated)


def _ask(site: Site, identity: Identity, order_id: str, change_id: str, refused: DomainError) -> Response:
    """202 with the approval that it waits for; what only the shopper can agree to stays refused."""
    with site.runtime.unit_of_work(identity.tenant_id) as session:
        waiting = approve_change(session, identity, order_id, change_id)
        if waiting is None:
            raise refused
        return json_response(shown(Performed(ApprovalKind.ORDER_CHANGE, approval=waiting)), 202)


def _own_order_id(site: Site, identity: Identity, order_id: str) -> str:
    with site.runtime.unit_of_work(identity.tenant_id) as session:
        return queries.find_own(session, identity, order_id).id


def _outdated(request: Request, outdated: ChangeOutdated) -> Response:
    fresh = {"fresh": outdated.fresh.model_dump(mode="json")} if outdated.fresh else {}
    return problem(request, 409, outdated.code, outdated.message, more=fresh)
