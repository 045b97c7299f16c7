"""``/v1/orders``: the identity's own orders (all of the shop's for staff keys), notes on them, and holding them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from app.once import AskedDep, answer_once, json_response
from app.routing import CallerDep, Guarded, SiteDep, client_address
from engine.conversations.masking import mask_cards
from engine.kit.errors import Forbidden
from engine.kit.identity import Identity
from engine.kit.views import View
from engine.orders import lookups, notes, queries, service
from engine.orders.filters import OrderFilter
from engine.orders.models import NoteAudience
from engine.orders.queries import MaskedStatus
from engine.orders.schemas import OrderView

router: Final = APIRouter(prefix="/v1/orders", tags=["orders"], route_class=Guarded)
staff: Final = APIRouter(prefix="/v1/staff/orders", tags=["orders"], route_class=Guarded)
Word = Annotated[str | None, Query(max_length=254)]


class OrderPage(View):
    items: list[OrderView]
    next_cursor: str | None


class NewNote(BaseModel):
    model_config = ConfigDict(extra="forbid")
    text: Annotated[str, Field(max_length=2_000)]
    audience: NoteAudience = NoteAudience.SHOPPER
    """Only staff may write ``staff`` notes."""


class Lookup(BaseModel):
    model_config = ConfigDict(extra="forbid")
    number: Annotated[str, Field(min_length=1, max_length=20)]
    email: Annotated[str, Field(min_length=3, max_length=254)]


class HoldReason(BaseModel):
    model_config = ConfigDict(extra="forbid")
    reason: Annotated[str, Field(min_length=1, max_length=200)]


@router.get("", responses={200: {"model": OrderPage}}, response_class=Response)
def orders(
    site: SiteDep,
    caller: CallerDep,
    limit: Annotated[int, Query(ge=1, le=200)] = 20,
    cursor: Annotated[str | None, Query(max_length=300)] = None,
    status: Word = None,
    payment_status: Word = None,
    fulfillment_status: Word = None,
    placed_from: datetime | None = None,
    placed_to: datetime | None = None,
    q: Word = None,
    customer: Word = None,
) -> Response:
    """Newest first. ``q`` is a whole order number or e-mail address; ``placed_to`` is not included itself."""
    identity = caller.known
    wanted = OrderFilter(status, payment_status, fulfillment_status, placed_from, placed_to, q, customer)
    with site.runtime.unit_of_work(identity.tenant_id) as session:
        page = queries.own_orders(session, identity, limit=limit, cursor=cursor, wanted=wanted)
        return json_response(OrderPage(items=list(page.items), next_cursor=page.next_cursor))


@router.post("/lookup", responses={200: {"model": MaskedStatus}}, response_class=Response)
def lookup(asked: Lookup, request: Request, site: SiteDep, caller: CallerDep) -> Response:
    """The bare state of an order bought elsewhere, by its number and e-mail: no names, goods or addresses. A few an
    hour. Seeing more takes a verified e-mail.
    """
    tenant_id, runtime = caller.merchant.id, site.runtime
    lookups.limit(runtime, tenant_id, who=client_address(request), number=asked.number)
    with runtime.unit_of_work(tenant_id) as session:
        return json_response(queries.masked_status(session, tenant_id, number=asked.number, email=asked.email))


@router.get("/{order_id}", responses={200: {"model": OrderView}}, response_class=Response)
def order(order_id: str, site: SiteDep, caller: CallerDep) -> Response:
    """One order, by id or number."""
    identity = caller.for_thing()
    with site.runtime.unit_of_work(identity.tenant_id) as session:
        return json_response(queries.own_order(session, identity, order_id))


@router.post("/{order_id}/notes", status_code=201, responses={201: {"model": OrderView}}, response_class=Response)
def add_note(order_id: str, note: NewNote, site: SiteDep, caller: CallerDep, asked: AskedDep) -> Response:
    """Write a note on an order; answers with the order."""
    identity = caller.for_thing()

    def work(session: Session) -> OrderView:
        row = queries.find_own(session, identity, order_id)
        notes.add(session, identity, row, mask_cards(note.text), audience=note.audience)
        session.flush()
        return queries.own_order(session, identity, row.id)

    return answer_once(site.runtime, identity, asked, work, status=201)


@staff.post("/{order_id}/hold", responses={200: {"model": OrderView}}, response_class=Response)
def hold(order_id: str, why: HoldReason, site: SiteDep, caller: CallerDep, asked: AskedDep) -> Response:
    """Stop an open order: nothing more of it is handed to a warehouse until it is resumed."""
    identity = _staff(caller.known)

    def work(session: Session) -> OrderView:
        row = service.lock(session, identity.tenant_id, queries.find_own(session, identity, order_id).id)
        service.hold(session, row, reason=why.reason, actor=identity.id)
        session.flush()
        return queries.own_order(session, identity, row.id)

    return answer_once(site.runtime, identity, asked, work, status=200)


@staff.post("/{order_id}/resume", responses={200: {"model": OrderView}}, response_class=Response)
def resume(order_id: str, site: SiteDep, caller: CallerDep, asked: AskedDep) -> Response:
    """Let a held order go on."""
    identity = _staff(caller.known)

    def work(session: Session) -> OrderView:
        row = service.lock(session, identity.tenant_id, queries.find_own(session, identity, order_id).id)
        service.resume(session, row, actor=identity.id)
        session.flush()
        return queries.own_order(session, identity, row.id)

    return answer_once(site.runtime, identity, asked, work, status=200)


def _staff(identity: Identity) -> Identity:
    if not identity.is_staff:
        raise Forbidden("This is for the shop's staff.")
    return identity
