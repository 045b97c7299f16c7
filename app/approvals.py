"""``/v1/approvals``: what waits for somebody's yes, and the acts of staff that may have to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from app.identity import Caller
from app.once import Asked, AskedDep, answer_after, answer_once, json_response
from app.routing import CallerDep, Guarded, SiteDep
from app.site import Site
from app.telling import tell_now
from engine.approvals import queries, service
from engine.approvals.asking import Performed, Where, perform
from engine.approvals.codes import DiscountArgs
from engine.approvals.models import ApprovalKind
from engine.approvals.money import GoodwillArgs, RefundArgs
from engine.approvals.schemas import ApprovalView, PerformedView
from engine.kit.views import View

router: Final = APIRouter(prefix="/v1", tags=["approvals"], route_class=Guarded)
Word = Annotated[str | None, Query(pattern=r"^[A-Za-z0-9_:-]{1,80}$")]
Limit = Annotated[int, Query(ge=1, le=200)]
Cursor = Annotated[str | None, Query(max_length=300)]
Note = Annotated[str, Field(max_length=1_000)]
Id = Annotated[str, Field(min_length=1, max_length=40)]
PENDING: Final = "pending_approval"
ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    200: {"model": PerformedView},
    202: {"model": PerformedView, "description": "It is above what one person may do alone: an approval waits."},
}


class ApprovalPage(View):
    items: list[ApprovalView]
    next_cursor: str | None


class Said(BaseModel):
    model_config = ConfigDict(extra="forbid")
    note: Note = ""
    """For the shop's people; the shopper never sees it."""


class About(BaseModel):
    """What every act may be asked with."""

    model_config = ConfigDict(extra="forbid")
    note: Note = ""
    """Why, for whoever may have to approve it."""
    case_id: Id | None = None


class NewRefund(About, RefundArgs):
    pass


class NewGoodwill(About, GoodwillArgs):
    pass


class NewCode(About, DiscountArgs):
    pass


@router.get("/approvals", responses={200: {"model": ApprovalPage}}, response_class=Response)
def approvals(
    site: SiteDep,
    caller: CallerDep,
    status: Word = None,
    kind: Word = None,
    subject_id: Word = None,
    case_id: Word = None,
    thread_id: Word = None,
    limit: Limit = 20,
    cursor: Cursor = None,
) -> Response:
    """What waits for a yes and what became of it, newest first."""
    identity = caller.staff
    filters = {
        "status": status, "kind": kind, "subject_id": subject_id, "case_id": case_id, "thread_id": thread_id,
    }  # fmt: skip
    with site.runtime.unit_of_work(identity.tenant_id) as session:
        page = queries.approvals(session, identity, filters=filters, limit=limit, cursor=cursor)
        return json_response(ApprovalPage(items=list(page.items), next_cursor=page.next_cursor))


@router.get("/approvals/{approval_id}", responses={200: {"model": ApprovalView}}, response_class=Response)
def approval(approval_id: str, site: SiteDep, caller: CallerDep) -> Response:
    """One approval."""
    identity = caller.staff
    with site.runtime.unit_of_work(identity.tenant_id) as session:
        return json_response(queries.approval(session, identity, approval_id))


@router.post(
    "/staff/approvals/{approval_id}/approve", responses={200: {"model": ApprovalView}}, response_class=Response
)
def approve(approval_id: str, site: SiteDep, caller: CallerDep, asked: AskedDep, said: Said) -> Response:
    """Say yes to what another person asked for; the yes that makes it enough has it done."""
    return _decide(site, caller, asked, approval_id, approve=True, note=said.note)


@router.post(
    "/staff/approvals/{approval_id}/decline", responses={200: {"model": ApprovalView}}, response_class=Response
)
def decline(approval_id: str, site: SiteDep, caller: CallerDep, asked: AskedDep, said: Said) -> Response:
    """Say no to what another person asked for."""
    return _decide(site, caller, asked, approval_id, approve=False, note=said.note)


@router.post("/staff/refunds", responses=ANSWERS, response_class=Response)
def refund(site: SiteDep, caller: CallerDep, asked: AskedDep, given: NewRefund) -> Response:
    """Give money back on an order, without goods coming back."""
    return act(site, caller, asked, ApprovalKind.REFUND, given)


@router.post("/staff/goodwill", responses=ANSWERS, response_class=Response)
def goodwill(site: SiteDep, caller: CallerDep, asked: AskedDep, given: NewGoodwill) -> Response:
    """Give the buyer of an order store credit."""
    return act(site, caller, asked, ApprovalKind.GOODWILL, given)


@router.post("/staff/courtesy-codes", responses=ANSWERS, response_class=Response)
def courtesy_code(site: SiteDep, caller: CallerDep, asked: AskedDep, given: NewCode) -> Response:
    """A discount code that is good for one use."""
    return act(site, caller, asked, ApprovalKind.DISCOUNT, given)


def act(site: Site, caller: Caller, asked: Asked, kind: ApprovalKind, given: About) -> Response:
    """Do it, or answer 202 with the approval that it waits for."""
    identity, done = caller.staff, list[Performed]()

    def work(session: Session) -> PerformedView:
        args = given.model_dump(mode="json", exclude=set(About.model_fields))
        where = Where(case_id=given.case_id)
        done.append(perform(session, site.runtime, identity, kind, args, reason=given.note, where=where))
        return shown(done[0])

    answer = answer_once(site.runtime, identity, asked, work, status=status_of)
    for one in done:
        one.after_commit(site.runtime, identity.tenant_id)
    return answer


def shown(done: Performed) -> PerformedView:
    """What became of an act, for its caller."""
    if done.approval is not None:
        return PerformedView(status=PENDING, approval=ApprovalView.of(done.approval))
    return PerformedView(status="done", outcome=done.outcome)


def status_of(view: BaseModel) -> int:
    """200 for what is done, 202 for what waits."""
    return 202 if getattr(view, "status", "") == PENDING else 200


def _decide(site: Site, caller: Caller, asked: Asked, approval_id: str, *, approve: bool, note: str) -> Response:
    identity = caller.staff
    work: Callable[[], ApprovalView] = lambda: ApprovalView.of(  # noqa: E731 (typed)
        service.decide(site.runtime, identity, approval_id, approve=approve, note=note)
    )
    answer = answer_after(site.runtime, identity, asked, work, status=200)
    tell_now(site.runtime, identity.tenant_id)
    return answer
