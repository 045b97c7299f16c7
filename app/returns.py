"""``/v1/returns``: what can come back and what is coming, for its shopper (all of the shop's for staff keys)."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from app.evidence import FileIn, download
from app.once import AskedDep, answer_after, answer_once, json_response
from app.routing import CallerDep, Guarded, SiteDep
from app.telling import tell_now
from engine.kit.evidence import EvidenceView
from engine.kit.evidence import view as evidence_view
from engine.kit.views import View
from engine.orders.changes.propose import propose
from engine.orders.changes.schemas import ChangeView
from engine.orders.changes.wanted import BackUnits, Ref, RefundTarget, ReturnWanted
from engine.payments import refunds
from engine.returns import deciding, parcel, queries, showing
from engine.returns.models import ReturnKind, ReturnStatus
from engine.returns.queries import ReturnFilter
from engine.returns.schemas import ReturnableView, ReturnView

of_order: Final = APIRouter(prefix="/v1/orders/{order_id}", tags=["returns"], route_class=Guarded)
router: Final = APIRouter(prefix="/v1/returns", tags=["returns"], route_class=Guarded)
Word = Annotated[str | None, Query(pattern=r"^[A-Za-z0-9_. -]{1,60}$")]
Cursor = Annotated[str | None, Query(pattern=r"^[A-Za-z0-9_-]{1,300}$")]


class ReturnIn(BaseModel):
    """What is to come back, and where the money is to go."""

    model_config = ConfigDict(extra="forbid")

    lines: Annotated[list[BackUnits], Field(min_length=1, max_length=100)]
    payment_method_ref: Ref | None = None
    """For an exchange that costs more."""
    refund_to: RefundTarget = "original"


class ReturnPage(View):
    items: list[ReturnView]
    next_cursor: str | None


@of_order.get("/returnable", responses={200: {"model": ReturnableView}}, response_class=Response)
def returnable(order_id: str, site: SiteDep, caller: CallerDep) -> Response:
    """What of an order can come back now, until when and for which reasons; where it cannot, why not."""
    identity = caller.for_thing()
    with site.runtime.unit_of_work(identity.tenant_id) as session:
        return json_response(queries.returnable(session, identity, order_id))


@of_order.post("/returns", status_code=201, responses={201: {"model": ChangeView}}, response_class=Response)
def quote(order_id: str, given: ReturnIn, site: SiteDep, caller: CallerDep, asked: AskedDep) -> Response:
    """What comes back for it, as a change of the order that is confirmed like any other: its shopper says yes at
    ``/v1/orders/{id}/changes/{chg}/confirm``. Nothing is changed yet.
    """
    identity = caller.for_thing()
    wanted = ReturnWanted(
        kind="return",
        lines=given.lines,
        payment_method_ref=given.payment_method_ref,
        refund_to=given.refund_to,
    )
    return answer_after(
        site.runtime, identity, asked, lambda: propose(site.runtime, identity, order_id, wanted), status=201
    )


@router.get("", responses={200: {"model": ReturnPage}}, response_class=Response)
def returns(
    site: SiteDep,
    caller: CallerDep,
    status: ReturnStatus | None = None,
    kind: ReturnKind | None = None,
    order_id: Word = None,
    number: Word = None,
    problem: bool | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 20,
    cursor: Cursor = None,
) -> Response:
    """Newest first: the identity's own, all of them for staff. ``problem``: those whose money cannot go back now."""
    identity = caller.known
    wanted = ReturnFilter(status, kind, order_id, number, problem if identity.is_staff else None)
    with site.runtime.unit_of_work(identity.tenant_id) as session:
        page = queries.many(session, identity, wanted, limit=limit, cursor=cursor)
        return json_response(ReturnPage(items=list(page.items), next_cursor=page.next_cursor))


@router.get("/{return_id}", responses={200: {"model": ReturnView}}, response_class=Response)
def one_return(return_id: str, site: SiteDep, caller: CallerDep) -> Response:
    """One return, by id or number."""
    identity = caller.for_thing()
    with site.runtime.unit_of_work(identity.tenant_id) as session:
        return json_response(queries.one(session, identity, return_id))


@router.get("/{return_id}/label.pdf", responses={200: {"content": {"application/pdf": {}}}}, response_class=Response)
def label(return_id: str, site: SiteDep, caller: CallerDep) -> Response:
    """The label to print, 4 x 6 inches."""
    identity = caller.for_thing()
    with site.runtime.unit_of_work(identity.tenant_id) as session:
        pdf = parcel.label_pdf(session, queries.find(session, identity, return_id))
    return Response(pdf, media_type="application/pdf")


@router.post(
    "/{return_id}/evidence", status_code=201, responses={201: {"model": EvidenceView}}, response_class=Response
)
def add_evidence(return_id: str, given: FileIn, site: SiteDep, caller: CallerDep, asked: AskedDep) -> Response:
    """Keep a picture of what is wrong with what comes back."""
    identity, content = caller.for_thing(), given.read()

    def work(session: Session) -> EvidenceView:
        found = queries.find(session, identity, return_id)
        return evidence_view(showing.add_evidence(session, identity, found.id, name=given.name, content=content))

    answer = answer_once(site.runtime, identity, asked, work, status=201)
    tell_now(site.runtime, identity.tenant_id)
    return answer


@router.get("/{return_id}/evidence/{evidence_id}", response_class=Response)
def evidence(return_id: str, evidence_id: str, site: SiteDep, caller: CallerDep) -> Response:
    """The picture, as a download."""
    identity = caller.for_thing()
    with site.runtime.unit_of_work(identity.tenant_id) as session:
        return download(queries.find_evidence(session, identity, return_id, evidence_id))


@router.post("/{return_id}/sent", responses={200: {"model": ReturnView}}, response_class=Response)
def sent(return_id: str, site: SiteDep, caller: CallerDep, asked: AskedDep) -> Response:
    """The parcel was handed to the carrier, which is asked about it from now on."""
    identity = caller.for_thing()

    def work(session: Session) -> ReturnView:
        found = queries.find(session, identity, return_id)
        parcel.handed_in(session, identity.tenant_id, found.id, actor=identity.id)
        session.flush()
        return queries.one(session, identity, found.id)

    return answer_once(site.runtime, identity, asked, work, status=200)


@router.post("/{return_id}/cancel", responses={200: {"model": ReturnView}}, response_class=Response)
def cancel(return_id: str, site: SiteDep, caller: CallerDep, asked: AskedDep) -> Response:
    """It is not sent after all. What was charged for an exchange goes back."""
    identity = caller.for_thing()
    made: list[str] = []

    def work(session: Session) -> ReturnView:
        found = queries.find(session, identity, return_id)
        made.extend(deciding.cancel(session, identity.tenant_id, found.id, actor=identity.id))
        session.flush()
        return queries.one(session, identity, found.id)

    answer = answer_once(site.runtime, identity, asked, work, status=200)
    for refund_id in made:
        refunds.execute(site.runtime, identity.tenant_id, refund_id)
    return answer
