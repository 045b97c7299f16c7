"""``/v1/discounts`` and ``/v1/staff/discounts``: codes and automatic promotions, for the shop's people."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from app.once import AskedDep, answer_once, json_response
from app.routing import CallerDep, Guarded, SiteDep
from engine.carts import promoting
from engine.carts.promoting import Promotion, PromotionStatus, PromotionView
from engine.kit.errors import InvalidInput
from engine.kit.views import View

router: Final = APIRouter(tags=["promotions"], route_class=Guarded)
Cursor = Annotated[str | None, Query(pattern=r"^[A-Za-z0-9_-]{1,300}$")]
MOST_FIELDS: Final = 40


class PromotionPage(View):
    items: list[PromotionView]
    next_cursor: str | None


class PromotionChange(BaseModel):
    """Any field of a promotion, and the ``version`` it is a change of."""

    model_config = ConfigDict(extra="allow")

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


@router.post("/v1/staff/discounts", responses={201: {"model": PromotionView}}, response_class=Response)
def create(site: SiteDep, caller: CallerDep, asked: AskedDep, wanted: Promotion) -> Response:
    """A new promotion; without `code` it is automatic."""
    identity = caller.staff
    return answer_once(
        site.runtime, identity, asked, lambda session: promoting.create(session, identity, wanted), status=201
    )


@router.patch("/v1/staff/discounts/{discount_id}", responses={200: {"model": PromotionView}}, response_class=Response)
def change(discount_id: str, site: SiteDep, caller: CallerDep, asked: AskedDep, given: PromotionChange) -> Response:
    """Change what is named; with `version`, only if it still is the one there is."""
    identity = caller.staff
    return answer_once(
        site.runtime,
        identity,
        asked,
        lambda session: promoting.change(session, identity, discount_id, given.changes(), version=given.version),
        status=200,
    )


@router.post(
    "/v1/staff/discounts/{discount_id}/end", responses={200: {"model": PromotionView}}, response_class=Response
)
def end(discount_id: str, site: SiteDep, caller: CallerDep, asked: AskedDep) -> Response:
    """It is over from now on."""
    identity = caller.staff
    return answer_once(
        site.runtime, identity, asked, lambda session: promoting.end(session, identity, discount_id), status=200
    )
