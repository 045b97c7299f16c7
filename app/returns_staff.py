"""``/v1/staff/returns/…``: what the shop's people do with goods that come back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field, StrictInt
from sqlalchemy.orm import Session

from app.approvals import ANSWERS, About, act
from app.once import Asked, AskedDep, answer_after, answer_once
from app.routing import CallerDep, Guarded, SiteDep
from app.site import Site
from engine.approvals.apart import ApartArgs
from engine.approvals.models import ApprovalKind
from engine.approvals.returned import ReturnArgs
from engine.kit.identity import Identity
from engine.payments import refunds
from engine.returns import arriving, deciding, parcel, queries
from engine.returns.arriving import Finding, Stray
from engine.returns.models import Disposition
from engine.returns.schemas import ReturnView

router: Final = APIRouter(prefix="/v1/staff/returns/{return_id}", tags=["staff"], route_class=Guarded)
Units = Annotated[StrictInt, Field(ge=1, le=1_000_000)]
Count = Annotated[StrictInt, Field(ge=0, le=1_000_000)]
LineId = Annotated[str, Field(pattern=r"^[a-z0-9_]{1,40}$")]
Note = Annotated[str, Field(max_length=200)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Words(_Body):
    words: Annotated[str, Field(min_length=1, max_length=300)]
    """Why not: its shopper reads it."""


class StrayIn(_Body):
    what: Annotated[str, Field(min_length=1, max_length=120)]
    quantity: Units = 1
    note: Note = ""


class Received(_Body):
    units: Annotated[dict[LineId, Units], Field(max_length=200)] = {}
    """Return line → how many units are in this parcel."""
    unexpected: Annotated[list[StrayIn], Field(max_length=50)] = []
    """What belongs to no line."""
    note: Note = ""


class FindingIn(_Body):
    return_line_id: LineId
    outcome: Annotated[dict[Disposition, Count], Field(min_length=1)]
    rejected: Count = 0
    note: Note = ""


class SettleIn(About):
    pass


class MoveIn(About):
    return_line_id: LineId
    source: Literal[Disposition.QUARANTINE, Disposition.REFURBISH]
    """Why the units lie set apart."""
    outcome: Disposition
    """What becomes of them: restock, scrap, return_to_vendor, or set apart for the other reason."""
    units: Units
    reason: Annotated[str, Field(min_length=1, max_length=200)]


class Moving(About, ApartArgs):
    pass


class Settling(About, ReturnArgs):
    pass


class Inspected(_Body):
    findings: Annotated[list[FindingIn], Field(min_length=1, max_length=200)]


@router.post("/approve", responses={200: {"model": ReturnView}}, response_class=Response)
def approve(return_id: str, site: SiteDep, caller: CallerDep, asked: AskedDep) -> Response:
    """Yes to what the shopper agreed to: the label is printed, a difference is charged."""
    identity = caller.staff

    def work() -> ReturnView:
        with site.runtime.unit_of_work(identity.tenant_id) as session:
            found = queries.find(session, identity, return_id).id
        deciding.approve(site.runtime, identity, found)
        with site.runtime.unit_of_work(identity.tenant_id) as session:
            return queries.one(session, identity, found)

    return answer_after(site.runtime, identity, asked, work, status=200)


@router.post("/decline", responses={200: {"model": ReturnView}}, response_class=Response)
def decline(return_id: str, given: Words, site: SiteDep, caller: CallerDep, asked: AskedDep) -> Response:
    """No, in words for the shopper."""
    identity = caller.staff

    def step(session: Session, found: str) -> tuple[str, ...]:
        deciding.decline(session, identity.tenant_id, found, words=given.words, actor=identity.id)
        return ()

    return _do(site, identity, asked, return_id, step)


@router.post("/scanned", responses={200: {"model": ReturnView}}, response_class=Response)
def scanned(return_id: str, site: SiteDep, caller: CallerDep, asked: AskedDep) -> Response:
    """The carrier has the parcel in hand, as somebody of the shop found out."""
    identity = caller.staff

    def step(session: Session, found: str) -> tuple[str, ...]:
        return parcel.scanned(session, identity.tenant_id, found, actor=identity.id)

    return _do(site, identity, asked, return_id, step)


@router.post("/receive", responses={200: {"model": ReturnView}}, response_class=Response)
def receive(return_id: str, given: Received, site: SiteDep, caller: CallerDep, asked: AskedDep) -> Response:
    """A parcel is here: what is in it, and what in it was not agreed to."""
    identity = caller.staff
    strays = [Stray(one.what, one.quantity, one.note) for one in given.unexpected]

    def step(session: Session, found: str) -> tuple[str, ...]:
        return arriving.receive(
            session,
            identity.tenant_id,
            found,
            units=given.units,
            strays=strays,
            actor=identity.id,
            note=given.note,
        )

    return _do(site, identity, asked, return_id, step)


@router.post("/inspect", responses={200: {"model": ReturnView}}, response_class=Response)
def inspect(return_id: str, given: Inspected, site: SiteDep, caller: CallerDep, asked: AskedDep) -> Response:
    """What became of the units that are here: restock, refurbish, scrap, return_to_vendor or quarantine."""
    identity = caller.staff
    found = [Finding(one.return_line_id, one.outcome, one.rejected, one.note) for one in given.findings]

    def step(session: Session, row_id: str) -> tuple[str, ...]:
        return arriving.inspect(session, identity.tenant_id, row_id, findings=found, actor=identity.id)

    return _do(site, identity, asked, return_id, step)


@router.post("/close", responses={200: {"model": ReturnView}}, response_class=Response)
def close(return_id: str, site: SiteDep, caller: CallerDep, asked: AskedDep) -> Response:
    """Nothing more will come: what is here is settled."""
    identity = caller.staff

    def step(session: Session, found: str) -> tuple[str, ...]:
        return deciding.close(session, identity.tenant_id, found, actor=identity.id)

    return _do(site, identity, asked, return_id, step)


@router.post("/settle", responses=ANSWERS, response_class=Response)
def settle(return_id: str, given: SettleIn, site: SiteDep, caller: CallerDep, asked: AskedDep) -> Response:
    """Try once more to give back what could not be given back; above what one person may give back it waits for
    somebody else's yes (202).
    """
    identity = caller.staff
    with site.runtime.unit_of_work(identity.tenant_id) as session:
        found = queries.find(session, identity, return_id).id
    wanted = Settling(return_id=found, note=given.note, case_id=given.case_id)
    return act(site, caller, asked, ApprovalKind.RETURN_REFUND, wanted)


@router.post("/move", responses=ANSWERS, response_class=Response)
def move(return_id: str, given: MoveIn, site: SiteDep, caller: CallerDep, asked: AskedDep) -> Response:
    """Units that lie set apart find their place: what is worth more than one person may write off waits for somebody
    else's yes (202).
    """
    identity = caller.staff
    with site.runtime.unit_of_work(identity.tenant_id) as session:
        found = queries.find(session, identity, return_id).id
    return act(site, caller, asked, ApprovalKind.SET_APART, Moving(return_id=found, **given.model_dump()))


def _do(
    site: Site, identity: Identity, asked: Asked, return_id: str, step: Callable[[Session, str], tuple[str, ...]]
) -> Response:
    """One step, its answer kept with it; its refunds go out when it is committed."""
    made: list[str] = []

    def work(session: Session) -> ReturnView:
        found = queries.find(session, identity, return_id).id
        made.extend(step(session, found))
        session.flush()
        return queries.one(session, identity, found)

    answer = answer_once(site.runtime, identity, asked, work, status=200)
    for refund_id in made:
        refunds.execute(site.runtime, identity.tenant_id, refund_id)
    return answer
