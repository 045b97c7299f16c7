"""``/v1/prices`` and ``/v1/staff/prices``: the list of prices by currency and time, for the shop's people."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Query, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from app.once import AskedDep, answer_once, json_response
from app.routing import CallerDep, Guarded, SiteDep
from engine.catalog import price_list
from engine.catalog.price_list import PriceStatus, PriceView, Wanted
from engine.kit.views import View

router: Final = APIRouter(tags=["prices"], route_class=Guarded)
Minor = Annotated[int, Field(strict=True, ge=0, le=100_000_000)]
Code = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
Sku = Annotated[str, Field(min_length=1, max_length=40)]
Cursor = Annotated[str | None, Query(pattern=r"^[A-Za-z0-9_-]{1,300}$")]


class PricePage(View):
    items: list[PriceView]
    next_cursor: str | None


class PriceIn(BaseModel):
    """A price always, or from ``starts_at`` until ``ends_at``; in the home currency without ``currency``."""

    model_config = ConfigDict(extra="forbid")

    sku: Sku
    amount: Minor
    currency: Code | None = None
    compare_at: Minor | None = None
    starts_at: AwareDatetime | None = None
    ends_at: AwareDatetime | None = None


class PricesIn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    prices: Annotated[list[PriceIn], Field(min_length=1, max_length=500)]


class PricesOut(View):
    items: list[PriceView]


@router.get("/v1/prices", responses={200: {"model": PricePage}}, response_class=Response)
def prices(
    site: SiteDep,
    caller: CallerDep,
    sku: Annotated[str | None, Query(max_length=40)] = None,
    currency: Annotated[str | None, Query(pattern=r"^[A-Z]{3}$")] = None,
    status: PriceStatus | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Cursor = None,
) -> Response:
    """Listed prices, oldest first. A variant's own price in the home currency is the product's, not on this list."""
    tenant_id = caller.staff.tenant_id
    with site.runtime.unit_of_work(tenant_id) as session:
        page = price_list.listed(
            session, tenant_id, sku=sku, currency=currency, status=status, limit=limit, cursor=cursor
        )
        return json_response(PricePage(items=list(page.items), next_cursor=page.next_cursor))


@router.put("/v1/staff/prices", responses={200: {"model": PricesOut}}, response_class=Response)
def set_prices(site: SiteDep, caller: CallerDep, asked: AskedDep, given: PricesIn) -> Response:
    """Set prices, now or for a time, all of them or none; the same variant, currency and time is set anew."""
    identity = caller.staff
    wanted = [Wanted(**one.model_dump()) for one in given.prices]
    return answer_once(
        site.runtime,
        identity,
        asked,
        lambda session: PricesOut(items=price_list.set_prices(session, identity, wanted)),
        status=200,
    )


@router.post("/v1/staff/prices/{price_id}/end", responses={200: {"model": PriceView}}, response_class=Response)
def end_price(price_id: str, site: SiteDep, caller: CallerDep, asked: AskedDep) -> Response:
    """A price is over from now on; one that has not begun is taken off the list."""
    identity = caller.staff
    return answer_once(
        site.runtime, identity, asked, lambda session: price_list.end(session, identity, price_id), status=200
    )
