"""``/v1/customers`` and ``/v1/staff/customers``: the people a shop knows, for its staff."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from app.once import AskedDep, answer_once, json_response
from app.routing import CallerDep, Guarded, SiteDep
from engine.customers import links, merging, queries
from engine.customers.schemas import CustomerRow, CustomerView, LinkView, MergeView
from engine.customers.wallet import forget_removed
from engine.kit.views import View
from engine.orders import queries as orders
from engine.orders.filters import OrderFilter
from engine.orders.schemas import OrderView
from engine.privacy import erasing
from engine.privacy.exporting import PersonalData, export
from engine.privacy.schemas import ErasureView

router: Final = APIRouter(prefix="/v1/customers", tags=["customers"], route_class=Guarded)
staff: Final = APIRouter(prefix="/v1/staff/customers", tags=["customers"], route_class=Guarded)
Id = Annotated[str, Field(min_length=1, max_length=60)]


class CustomerPage(View):
    items: list[CustomerRow]
    next_cursor: str | None


class CustomerWithOrders(CustomerView):
    recent_orders: list[OrderView]
    """The newest ten; ``GET /v1/orders?customer=`` has all."""


class Merge(BaseModel):
    model_config = ConfigDict(extra="forbid")
    source_id: Id
    target_id: Id


class WantedErasure(BaseModel):
    model_config = ConfigDict(extra="forbid")
    reason: Literal["asked_by_customer", "no_longer_needed", "unlawful", "legal_duty"]
    """A code: words could name somebody, and this is kept."""


@router.get("", responses={200: {"model": CustomerPage}}, response_class=Response)
def customers(
    site: SiteDep,
    caller: CallerDep,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(max_length=300)] = None,
    q: Annotated[str | None, Query(min_length=1, max_length=254)] = None,
    status: queries.Status | None = None,
    verified: bool | None = None,
    made_from: datetime | None = None,
    made_to: datetime | None = None,
) -> Response:
    """Newest first. ``q`` is a whole e-mail address or the beginning of a name; ``made_to`` is not included itself."""
    who = caller.staff
    wanted = queries.CustomerFilter(q, status, verified, made_from, made_to)
    with site.runtime.unit_of_work(who.tenant_id) as session:
        page = queries.customers(session, who.tenant_id, limit=limit, cursor=cursor, wanted=wanted)
        return json_response(CustomerPage(items=list(page.items), next_cursor=page.next_cursor))


@router.get("/{customer_id}", responses={200: {"model": CustomerWithOrders}}, response_class=Response)
def customer(customer_id: str, site: SiteDep, caller: CallerDep) -> Response:
    """One customer with addresses, consents, orders, and orders that only say they are theirs."""
    who = caller.staff
    with site.runtime.unit_of_work(who.tenant_id) as session:
        view = queries.customer(session, who.tenant_id, customer_id)
        page = orders.own_orders(session, who, limit=10, wanted=OrderFilter(customer=customer_id))
        return json_response(CustomerWithOrders(**dict(view), recent_orders=list(page.items)))


@staff.post("/merge", status_code=201, responses={201: {"model": MergeView}}, response_class=Response)
def merge(given: Merge, site: SiteDep, caller: CallerDep, asked: AskedDep) -> Response:
    """Make two customers one: everything of the source becomes the target's. There is no way back."""
    who = caller.staff

    def work(session: Session) -> MergeView:
        row = merging.merge(session, who, source_id=given.source_id, target_id=given.target_id)
        return MergeView.of(row)

    return answer_once(site.runtime, who, asked, work, status=201)


@staff.get("/{customer_id}/export", responses={200: {"model": PersonalData}}, response_class=Response)
def export_customer(customer_id: str, site: SiteDep, caller: CallerDep) -> Response:
    """Everything the shop holds of a customer, to be handed to them."""
    who = caller.staff
    with site.runtime.unit_of_work(who.tenant_id) as session:
        return json_response(export(session, who.tenant_id, customer_id, actor=who.who))


@staff.post("/{customer_id}/erase", status_code=202, responses={202: {"model": ErasureView}}, response_class=Response)
def erase_customer(
    customer_id: str, given: WantedErasure, site: SiteDep, caller: CallerDep, asked: AskedDep
) -> Response:
    """Forget a customer for good, or as soon as what is open has ended."""
    who = caller.staff

    def work(session: Session) -> ErasureView:
        row = erasing.request(session, who.tenant_id, customer_id, requested_by=who.who, reason=given.reason)
        return ErasureView.of(row)

    answer = answer_once(site.runtime, who, asked, work, status=202)
    forget_removed(site.runtime, who.tenant_id)
    return answer


@staff.post("/links/{link_id}/reject", responses={200: {"model": LinkView}}, response_class=Response)
def reject_link(link_id: str, site: SiteDep, caller: CallerDep, asked: AskedDep) -> Response:
    """Say that an order is not this customer's, whatever e-mail was typed: a code will not open it to them."""
    who = caller.staff
    return answer_once(
        site.runtime, who, asked, lambda session: LinkView.of(links.reject(session, who, link_id)), status=200
    )
