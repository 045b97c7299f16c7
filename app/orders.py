"""``/v1/orders``: the identity's own orders (all of the shop's for staff keys)."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Query, Response

from app.once import json_response
from app.routing import CallerDep, Guarded, SiteDep
from engine.kit.views import View
from engine.orders import queries
from engine.orders.schemas import OrderView

router: Final = APIRouter(prefix="/v1/orders", tags=["orders"], route_class=Guarded)


class OrderPage(View):
    items: list[OrderView]
    next_cursor: str | None


@router.get("", responses={200: {"model": OrderPage}}, response_class=Response)
def orders(
    site: SiteDep,
    caller: CallerDep,
    limit: Annotated[int, Query(ge=1, le=200)] = 20,
    cursor: Annotated[str | None, Query(max_length=300)] = None,
) -> Response:
    """Newest first."""
    identity = caller.known
    with site.runtime.unit_of_work(identity.tenant_id) as session:
        page = queries.own_orders(session, identity, limit=limit, cursor=cursor)
        return json_response(OrderPage(items=list(page.items), next_cursor=page.next_cursor))


@router.get("/{order_id}", responses={200: {"model": OrderView}}, response_class=Response)
def order(order_id: str, site: SiteDep, caller: CallerDep) -> Response:
    """One order, by id or number."""
    identity = caller.for_thing()
    with site.runtime.unit_of_work(identity.tenant_id) as session:
        return json_response(queries.own_order(session, identity, order_id))
