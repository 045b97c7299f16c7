"""``/v1/warranties`` and ``/v1/claims``: a shopper's own (all of the shop's for staff keys)."""

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
from engine.warranties import claiming, parcels, queries, resolving
from engine.warranties.models import ClaimStatus, Resolution, WarrantyStatus
from engine.warranties.queries import ClaimFilter, WarrantyFilter
from engine.warranties.schemas import ClaimPage, ClaimView, WarrantyPage

warranties: Final = APIRouter(prefix="/v1/warranties", tags=["warranties"], route_class=Guarded)
router: Final = APIRouter(prefix="/v1/claims", tags=["warranties"], route_class=Guarded)
Word = Annotated[str | None, Query(pattern=r"^[A-Za-z0-9_. -]{1,60}$")]
Cursor = Annotated[str | None, Query(pattern=r"^[A-Za-z0-9_-]{1,300}$")]
Limit = Annotated[int, Query(ge=1, le=200)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Fault(_Body):
    """What is wrong with a unit."""

    symptom: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,59}$")]
    """A code of the shop's list: ``GET /v1/warranties`` shows it."""
    description: Annotated[str, Field(min_length=1, max_length=2_000)]
    serial: Annotated[str, Field(pattern=r"^[A-Za-z0-9 ./_-]{1,60}$")] | None = None


class Answer(_Body):
    text: Annotated[str, Field(min_length=1, max_length=2_000)]


class Choice(_Body):
    resolution: Resolution


@warranties.get("", responses={200: {"model": WarrantyPage}}, response_class=Response)
def all_warranties(
    site: SiteDep,
    caller: CallerDep,
    status: WarrantyStatus | None = None,
    order_id: Word = None,
    sku: Word = None,
    serial: Word = None,
    in_term: bool | None = None,
    limit: Limit = 20,
    cursor: Cursor = None,
) -> Response:
    """Newest first: the identity's own, all of them for staff; with the list of faults that can be told."""
    identity = caller.known
    wanted = WarrantyFilter(status, order_id, sku, serial, in_term)
    with site.runtime.unit_of_work(identity.tenant_id) as session:
        return json_response(queries.warranties(session, identity, wanted, limit=limit, cursor=cursor))


@warranties.post(
    "/{warranty_id}/claims", status_code=201, responses={201: {"model": ClaimView}}, response_class=Response
)
def submit(warranty_id: str, given: Fault, site: SiteDep, caller: CallerDep, asked: AskedDep) -> Response:
    """Tell a fault of one unit. Where the warranty does not cover it, the refusal says why."""
    identity = caller.for_thing()

    def work(session: Session) -> ClaimView:
        found = queries.find_warranty(session, identity, warranty_id)
        made = claiming.submit(
            session,
            identity,
            found.id,
            symptom=given.symptom,
            description=given.description,
            serial=given.serial,
        )
        return queries.one_claim(session, identity, made.id)

    return answer_once(site.runtime, identity, asked, work, status=201)


@router.get("", responses={200: {"model": ClaimPage}}, response_class=Response)
def claims(
    site: SiteDep,
    caller: CallerDep,
    status: ClaimStatus | None = None,
    resolution: Resolution | None = None,
    order_id: Word = None,
    warranty_id: Word = None,
    number: Word = None,
    symptom: Word = None,
    problem: bool | None = None,
    late: bool | None = None,
    limit: Limit = 20,
    cursor: Cursor = None,
) -> Response:
    """Newest first: the identity's own, all of them for staff, who may also ask for those with a ``problem`` and those
    that are ``late``.
    """
    identity = caller.known
    staff = identity.is_staff
    wanted = ClaimFilter(
        status, resolution, order_id, warranty_id, number, symptom, problem if staff else None, late if staff else None
    )
    with site.runtime.unit_of_work(identity.tenant_id) as session:
        return json_response(queries.claims(session, identity, wanted, limit=limit, cursor=cursor))


@router.get("/{claim_id}", responses={200: {"model": ClaimView}}, response_class=Response)
def one_claim(claim_id: str, site: SiteDep, caller: CallerDep) -> Response:
    """One claim, by id or number."""
    identity = caller.for_thing()
    with site.runtime.unit_of_work(identity.tenant_id) as session:
        return json_response(queries.one_claim(session, identity, claim_id))


@router.get("/{claim_id}/label.pdf", responses={200: {"content": {"application/pdf": {}}}}, response_class=Response)
def label(claim_id: str, site: SiteDep, caller: CallerDep) -> Response:
    """The label to send the unit in with, 4 x 6 inches."""
    identity = caller.for_thing()
    with site.runtime.unit_of_work(identity.tenant_id) as session:
        pdf = resolving.label_pdf(session, queries.find_claim(session, identity, claim_id))
    return Response(pdf, media_type="application/pdf")


@router.post("/{claim_id}/evidence", status_code=201, responses={201: {"model": EvidenceView}}, response_class=Response)
def add_evidence(claim_id: str, given: FileIn, site: SiteDep, caller: CallerDep, asked: AskedDep) -> Response:
    """Keep a picture or paper that shows the fault."""
    identity, content = caller.for_thing(), given.read()

    def work(session: Session) -> EvidenceView:
        found = queries.find_claim(session, identity, claim_id)
        return evidence_view(claiming.add_evidence(session, identity, found.id, name=given.name, content=content))

    answer = answer_once(site.runtime, identity, asked, work, status=201)
    tell_now(site.runtime, identity.tenant_id)
    return answer


@router.get("/{claim_id}/evidence/{evidence_id}", response_class=Response)
def evidence(claim_id: str, evidence_id: str, site: SiteDep, caller: CallerDep) -> Response:
    """The file, as a download."""
    identity = caller.for_thing()
    with site.runtime.unit_of_work(identity.tenant_id) as session:
        return download(queries.find_evidence(session, identity, claim_id, evidence_id))


@router.post("/{claim_id}/answer", responses={200: {"model": ClaimView}}, response_class=Response)
def answer(claim_id: str, given: Answer, site: SiteDep, caller: CallerDep, asked: AskedDep) -> Response:
    """Answer what the shop asked."""
    identity = caller.for_thing()

    def work(session: Session) -> ClaimView:
        found = queries.find_claim(session, identity, claim_id)
        claiming.answer(session, identity, found.id, text=given.text)
        session.flush()
        return queries.one_claim(session, identity, found.id)

    return answer_once(site.runtime, identity, asked, work, status=200)


@router.post("/{claim_id}/choose", responses={200: {"model": ClaimView}}, response_class=Response)
def choose(claim_id: str, given: Choice, site: SiteDep, caller: CallerDep, asked: AskedDep) -> Response:
    """The shopper's own choice among what is offered; no key and no agent can make it."""
    identity = caller.for_thing()

    def work() -> ClaimView:
        with site.runtime.unit_of_work(identity.tenant_id) as session:
            found = queries.find_claim(session, identity, claim_id).id
            claiming.choose(session, identity, found, resolution=given.resolution, channel="api")
        resolving.carry_out(site.runtime, identity.tenant_id, found, actor=identity.id)
        with site.runtime.unit_of_work(identity.tenant_id) as session:
            return queries.one_claim(session, identity, found)

    return answer_after(site.runtime, identity, asked, work, status=200)


@router.post("/{claim_id}/sent", responses={200: {"model": ClaimView}}, response_class=Response)
def sent(claim_id: str, site: SiteDep, caller: CallerDep, asked: AskedDep) -> Response:
    """The unit was handed to the carrier, which is asked about it from now on."""
    identity = caller.for_thing()

    def work(session: Session) -> ClaimView:
        found = queries.find_claim(session, identity, claim_id)
        parcels.handed_in(session, identity.tenant_id, found.id, actor=identity.id)
        session.flush()
        return queries.one_claim(session, identity, found.id)

    return answer_once(site.runtime, identity, asked, work, status=200)


@router.post("/{claim_id}/cancel", responses={200: {"model": ClaimView}}, response_class=Response)
def cancel(claim_id: str, site: SiteDep, caller: CallerDep, asked: AskedDep) -> Response:
    """It is given up."""
    identity = caller.for_thing()

    def work(session: Session) -> ClaimView:
        found = queries.find_claim(session, identity, claim_id)
        claiming.cancel(session, identity, found.id)
        session.flush()
        return queries.one_claim(session, identity, found.id)

    return answer_once(site.runtime, identity, asked, work, status=200)
