"""Paying a part of the running checkout with a gift card or store credit."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from app.once import AskedDep, answer_once
from app.routing import CallerDep, Guarded, SiteDep
from engine.checkout import service
from engine.checkout.schemas import CheckoutView
from engine.payments import stored_value

router: Final = APIRouter(prefix="/v1/checkout/tenders", tags=["payment"], route_class=Guarded)


class WantedTender(BaseModel):
    """A gift card's code, or none for the shopper's own store credit."""

    model_config = ConfigDict(extra="forbid")

    code: Annotated[str, Field(min_length=4, max_length=40)] | None = None


@router.post("", responses={200: {"model": CheckoutView}}, response_class=Response)
def add_tender(site: SiteDep, caller: CallerDep, wanted: WantedTender, request: AskedDep) -> Response:
    """Use a gift card (ten codes an hour) or one's own store credit, as far as it reaches; the rest stays due."""
    identity, runtime = caller.known, site.runtime
    if wanted.code is None:
        return answer_once(runtime, identity, request, lambda s: service.use_store_credit(s, identity), status=200)
    account = stored_value.find_by_code(runtime, identity, wanted.code)
    return answer_once(runtime, identity, request, lambda s: service.use_gift_card(s, identity, account), status=200)


@router.delete("", responses={200: {"model": CheckoutView}}, response_class=Response)
def drop_tenders(site: SiteDep, caller: CallerDep, request: AskedDep) -> Response:
    """Pay without gift cards and store credit."""
    identity = caller.known
    return answer_once(site.runtime, identity, request, lambda s: service.drop_tenders(s, identity), status=200)
