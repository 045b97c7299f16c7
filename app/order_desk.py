"""``/v1/staff/orders``, ``/v1/staff/panel`` and ``/v1/staff/approvals``: what the consoles show of orders, and what
staff do to them. Every act is a card first (``…/cards``) and then one yes on it (``…/acts``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Final

from fastapi import APIRouter, Body, Query, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from app.once import AskedDep, answer_after, answer_once, json_response
from app.routing import CallerDep, Guarded, SiteDep
from app.telling import tell_now
from engine.approvals.asking import Where
from engine.kit.views import View
from engine.orders import queries
from engine.orders.filters import OrderFilter
from engine.panel import deciding, doing, looking, rows
from engine.panel import trail as trails
from engine.panel.allowed import actions as allowed_actions
from engine.panel.doing import Yes
from engine.panel.looking import Target
from engine.panel.schemas import (
    ActCard,
    Acted,
    ActionsView,
    ApprovalFacts,
    PanelView,
    StaffOrderRow,
    StaffOrderView,
    StepView,
)
from engine.panel.wanted import AnyAsked, ChangeAsked

router: Final = APIRouter(prefix="/v1/staff", tags=["staff"], route_class=Guarded)
Word = Annotated[str | None, Query(max_length=254)]
Id = Annotated[str | None, Query(pattern=r"^[A-Za-z0-9_-]{1,60}$")]
Limit = Annotated[int, Query(ge=1, le=200)]
Cursor = Annotated[str | None, Query(max_length=300)]
Ref = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,60}$")]
PENDING: Final = {"pending_approval", "waits_for_shopper"}


class StaffOrderPage(View):
    items: list[StaffOrderRow]
    next_cursor: str | None


class Trail(View):
    items: list[StepView]
    next_cursor: str | None


class ApprovalFactsPage(View):
    items: list[ApprovalFacts]
    next_cursor: str | None
    waiting: int


class Act(BaseModel):
    """A yes on a card."""

    model_config = ConfigDict(extra="forbid")
    asked: AnyAsked
    card_id: Ref
    seen: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    """The card's digest: what is not as it was said is not done."""
    thread_id: Ref | None = None
    case_id: Ref | None = None


@router.get("/panel", responses={200: {"model": PanelView}}, response_class=Response)
def panel(
    site: SiteDep,
    caller: CallerDep,
    order_id: Id = None,
    shopper_id: Id = None,
    thread_id: Id = None,
    case_id: Id = None,
) -> Response:
    """Who a shopper is, what they bought, and the order in focus: any of the four leads to the rest."""
    identity = caller.staff
    target = Target(order_id, shopper_id, thread_id, case_id)
    with site.runtime.unit_of_work(identity.tenant_id) as session:
        return json_response(looking.panel(session, identity, target))


@router.get("/orders", responses={200: {"model": StaffOrderPage}}, response_class=Response)
def orders(
    site: SiteDep,
    caller: CallerDep,
    q: Word = None,
    status: Word = None,
    payment_status: Word = None,
    fulfillment_status: Word = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """Newest first. ``q`` is a whole order number or e-mail address, or the beginning of a name."""
    identity = caller.staff
    wanted = OrderFilter(status, payment_status, fulfillment_status, q=q)
    with site.runtime.unit_of_work(identity.tenant_id) as session:
        page = rows.orders(session, identity.tenant_id, wanted=wanted, limit=limit, cursor=cursor)
        return json_response(StaffOrderPage(items=list(page.items), next_cursor=page.next_cursor))


@router.get("/orders/{order_id}", responses={200: {"model": StaffOrderView}}, response_class=Response)
def order(order_id: str, site: SiteDep, caller: CallerDep) -> Response:
    """One order by id or number, with its money, parcels, returns, claims, open cards and what may be done to it."""
    identity = caller.staff
    with site.runtime.unit_of_work(identity.tenant_id) as session:
        return json_response(looking.order(session, identity, order_id))


@router.get("/orders/{order_id}/actions", responses={200: {"model": ActionsView}}, response_class=Response)
def actions(order_id: str, site: SiteDep, caller: CallerDep) -> Response:
    """What may be done to it now and with what; where not, why not."""
    identity = caller.staff
    with site.runtime.unit_of_work(identity.tenant_id) as session:
        row = queries.find_own(session, identity, order_id)
        items = allowed_actions(session, identity, row)
        return json_response(ActionsView(order_id=row.id, order_number=row.number, items=items))


@router.get("/orders/{order_id}/trail", responses={200: {"model": Trail}}, response_class=Response)
def trail(order_id: str, site: SiteDep, caller: CallerDep, limit: Limit = 50, cursor: Cursor = None) -> Response:
    """Who did what to it, newest first."""
    identity = caller.staff
    with site.runtime.unit_of_work(identity.tenant_id) as session:
        page = trails.trail(session, identity, order_id, limit=limit, cursor=cursor)
        return json_response(Trail(items=list(page.items), next_cursor=page.next_cursor))


@router.post("/orders/{order_id}/cards", responses={200: {"model": ActCard}}, response_class=Response)
def show_card(
    order_id: str, asked: Annotated[AnyAsked, Body()], site: SiteDep, caller: CallerDep, claim: AskedDep
) -> Response:
    """An act as it would be done now: for how much, by which way, on whose word. Nothing is done."""
    identity = caller.staff

    def work(session: Session) -> ActCard:
        return doing.show(session, site.runtime, identity, order_id, asked)

    return answer_once(site.runtime, identity, claim, work, status=200)


@router.post(
    "/orders/{order_id}/acts", responses={200: {"model": Acted}, 202: {"model": Acted}}, response_class=Response
)
def act(order_id: str, given: Act, site: SiteDep, caller: CallerDep, claim: AskedDep) -> Response:
    """Say yes on a card: it is done, or waits (202) for an approval or for the shopper. One card is good for one yes;
    409 ``card_outdated`` when it would no longer do what it said.
    """
    identity, asked = caller.staff, given.asked
    yes = Yes(given.card_id, given.seen, Where(thread_id=given.thread_id, case_id=given.case_id))
    if isinstance(asked, ChangeAsked):
        change = asked
        answer = answer_after(
            site.runtime,
            identity,
            claim,
            lambda: doing.change(site.runtime, identity, order_id, change, yes),
            status=_status,
        )
        tell_now(site.runtime, identity.tenant_id)
        return answer
    left: list[Callable[[], None]] = []

    def work(session: Session) -> Acted:
        acted, after = doing.act(session, site.runtime, identity, order_id, asked, yes)
        left.append(after)
        return acted

    answer = answer_once(site.runtime, identity, claim, work, status=_status)
    for step in left:
        step()
    tell_now(site.runtime, identity.tenant_id)
    return answer


@router.get("/approvals", responses={200: {"model": ApprovalFactsPage}}, response_class=Response)
def approvals(
    site: SiteDep, caller: CallerDep, state: deciding.State = "waiting", limit: Limit = 50, cursor: Cursor = None
) -> Response:
    """What waits for somebody's yes, or what was decided: with who asked, which limit it is above, and whether it is
    the caller's to decide.
    """
    identity = caller.staff
    with site.runtime.unit_of_work(identity.tenant_id) as session:
        page = deciding.listed(session, identity, state=state, limit=limit, cursor=cursor)
        count = deciding.waiting(session, identity.tenant_id)
        return json_response(ApprovalFactsPage(items=list(page.items), next_cursor=page.next_cursor, waiting=count))


@router.get("/approvals/{approval_id}", responses={200: {"model": ApprovalFacts}}, response_class=Response)
def approval(approval_id: str, site: SiteDep, caller: CallerDep) -> Response:
    """One of them."""
    identity = caller.staff
    with site.runtime.unit_of_work(identity.tenant_id) as session:
        return json_response(deciding.one(session, identity, approval_id))


def _status(view: BaseModel) -> int:
    return 202 if getattr(view, "status", "") in PENDING else 200
