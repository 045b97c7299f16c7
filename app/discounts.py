"""``/v1/discounts`` and ``/v1/staff/discounts``: codes and automatic promotions, for the shop's people."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from app.approvals import ANSWERS, PENDING, Note
from app.identity import Caller
from app.once import Asked, AskedDep, answer_once, json_response
from app.routing import CallerDep, Guarded, SiteDep
from app.site import Site
from engine.approvals.asking import perform
from engine.approvals.models import ApprovalKind
from engine.approvals.schemas import ApprovalView, PerformedView
from engine.carts import promoting
from engine.carts.promoting import Promotion, PromotionStatus, PromotionView
from engine.kit.errors import InvalidInput
from engine.kit.views import View

router: Final = APIRouter(tags=["promotions"], route_class=Guarded)
Cursor = Annotated[str | None, Query(pattern=r"^[A-Za-z0-9_-]{1,300}$")]
MOST_FIELDS: Final = 40
_MADE: Final[dict[int | str, dict[str, Any]]] = {201: {"model": PromotionView}, 202: ANSWERS[202]}
_CHANGED: Final[dict[int | str, dict[str, Any]]] = {200: {"model": PromotionView}, 202: ANSWERS[202]}


class PromotionPage(View):
    items: list[PromotionView]
    next_cursor: str | None


class NewPromotion(Promotion):
    note: Note = ""
    """Why, for whoever may have to approve it."""


class PromotionChange(BaseModel):
    """Any field of a promotion, the ``version`` it is a change of, a ``note`` for whoever may have to approve it."""

    model_config = ConfigDict(extra="allow")

    note: Note = ""
    version: Annotated[int, Field(strict=True, ge=1)] | None = None

    def changes(self) -> dict[str, Any]:
        """What was named. Raises ``InvalidInput`` for nothing, and for more than there is."""
        said = dict(self.model_extra or {})
        if not 1 <= len(said) <= MOST_FIELDS:
            raise InvalidInput("Name what is to change.", param="body")
        return said


@router.get("/v1/discounts", responses={200: {"model": PromotionPage}}, response_class=Response)
def promotions(
    site: SiteDep,
    caller: CallerDep,
    status: PromotionStatus | None = None,
    automatic: bool | None = None,
    code: Annotated[str | None, Query(max_length=20)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Cursor = None,
) -> Response:
    """Promotions, oldest first, with how often each was used."""
    tenant_id = caller.staff.tenant_id
    with site.runtime.unit_of_work(tenant_id) as session:
        page = promoting.listed(
            session, tenant_id, status=status, automatic=automatic, code=code, limit=limit, cursor=cursor
        )
        return json_response(PromotionPage(items=list(page.items), next_cursor=page.next_cursor))


@router.get("/v1/discounts/{discount_id}", responses={200: {"model": PromotionView}}, response_class=Response)
def promotion(discount_id: str, site: SiteDep, caller: CallerDep) -> Response:
    """One promotion."""
    tenant_id = caller.staff.tenant_id
    with site.runtime.unit_of_work(tenant_id) as session:
        return json_response(promoting.one(session, tenant_id, discount_id))


@router.post("/v1/staff/discounts", responses=_MADE, response_class=Response)
def create(site: SiteDep, caller: CallerDep, asked: AskedDep, wanted: NewPromotion) -> Response:
    """A new promotion; without `code` it is automatic."""
    args = {"wanted": wanted.model_dump(mode="json", exclude={"note"})}
    return _promote(site, caller, asked, args, note=wanted.note, status=201)


@router.patch("/v1/staff/discounts/{discount_id}", responses=_CHANGED, response_class=Response)
def change(discount_id: str, site: SiteDep, caller: CallerDep, asked: AskedDep, given: PromotionChange) -> Response:
    """Change what is named; with `version`, only if it still is the one there is."""
    args = {"discount_id": discount_id, "changes": given.changes(), "version": given.version}
    return _promote(site, caller, asked, args, note=given.note, status=200)


@router.post(
    "/v1/staff/discounts/{discount_id}/end", responses={200: {"model": PromotionView}}, response_class=Response
)
def end(discount_id: str, site: SiteDep, caller: CallerDep, asked: AskedDep) -> Response:
    """It is over from now on."""
    identity = caller.staff
    return answer_once(
        site.runtime, identity, asked, lambda session: promoting.end(session, identity, discount_id), status=200
    )


def _promote(site: Site, caller: Caller, asked: Asked, args: dict[str, Any], *, note: str, status: int) -> Response:
    """Do it, or answer 202 with the approval that it waits for."""
    identity = caller.staff

    def work(session: Session) -> PromotionView | PerformedView:
        done = perform(session, site.runtime, identity, ApprovalKind.PROMOTION, args, reason=note)
        if done.outcome is None:
            assert done.approval is not None
            return PerformedView(status=PENDING, approval=ApprovalView.of(done.approval))
        return promoting.one(session, identity.tenant_id, done.outcome["discount_id"])

    def status_of(view: BaseModel) -> int:
        return 202 if isinstance(view, PerformedView) else status

    return answer_once(site.runtime, identity, asked, work, status=status_of)
