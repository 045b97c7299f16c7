"""The currency of one's cart."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from app.once import AskedDep, answer_once, json_response
from app.routing import CallerDep, Guarded, SiteDep
from engine.carts import service
from engine.carts.schemas import CartView

router: Final = APIRouter(prefix="/v1/cart", tags=["cart"], route_class=Guarded)


class WantedCurrency(BaseModel):
    model_config = ConfigDict(extra="forbid")

    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]


@router.get("", responses={200: {"model": CartView}}, response_class=Response)
def cart(site: SiteDep, caller: CallerDep) -> Response:
    """One's own cart, at this moment's prices."""
    identity = caller.known
    with site.runtime.unit_of_work(identity.tenant_id) as session:
        return json_response(service.view(session, identity))


@router.post("/currency", responses={200: {"model": CartView}}, response_class=Response)
def set_currency(site: SiteDep, caller: CallerDep, asked: AskedDep, wanted: WantedCurrency) -> Response:
    """Go on in another currency the shop sells in. Refused while the cart holds something not sold in it."""
    identity = caller.known
    return answer_once(
        site.runtime, identity, asked, lambda s: service.set_currency(s, identity, wanted.currency), status=200
    )
