"""How the running checkout is paid: a card that was just entered, a gift card, store credit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Final

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from app.once import Asked, AskedDep, answer_after, json_response
from app.routing import CallerDep, Guarded, SiteDep
from engine.checkout import service
from engine.checkout.schemas import CheckoutView
from engine.checkout.taxing import with_tax
from engine.kit.identity import Identity
from engine.payments import stored_value
from engine.runtime import Runtime

router: Final = APIRouter(prefix="/v1/checkout/tenders", tags=["payment"], route_class=Guarded)
cards: Final = APIRouter(prefix="/v1/checkout/card", tags=["payment"], route_class=Guarded)


current: Final = APIRouter(prefix="/v1/checkout", tags=["payment"], route_class=Guarded)


@current.get("", responses={200: {"model": CheckoutView}}, response_class=Response)
def running(site: SiteDep, caller: CallerDep) -> Response:
    """The caller's running checkout as it stands: what its card shows."""
    identity = caller.known
    with site.runtime.unit_of_work(identity.tenant_id) as session:
        return json_response(service.current(session, identity))


class WantedTender(BaseModel):
    """A gift card's code, or none for the shopper's own store credit."""

    model_config = ConfigDict(extra="forbid")

    code: Annotated[str, Field(min_length=4, max_length=40)] | None = None


class EnteredCard(BaseModel):
    """What the payment page told of a card; ``save``: its shopper wants it kept for the next purchase."""

    model_config = ConfigDict(extra="forbid")

    card_token: Annotated[str, Field(min_length=1, max_length=200)]
    save: bool = False


@cards.post("", responses={200: {"model": CheckoutView}}, response_class=Response)
def use_card(site: SiteDep, caller: CallerDep, entered: EnteredCard) -> Response:
    """Pay with a card that was entered for this checkout; the same again changes nothing. With ``save`` it is kept once
    it has paid: for a shopper with a proven e-mail alone (401 ``email_not_verified``).
    """
    runtime, identity = site.runtime, caller.known
    service.use_card(runtime, identity, entered.card_token, save=entered.save)
    return json_response(with_tax(runtime, identity, lambda session: service.refresh(session, identity)))


@router.post("", responses={200: {"model": CheckoutView}}, response_class=Response)
def add_tender(site: SiteDep, caller: CallerDep, wanted: WantedTender, request: AskedDep) -> Response:
    """Use a gift card (ten codes an hour) or one's own store credit, as far as it reaches; the rest stays due."""
    identity, runtime = caller.known, site.runtime
    if wanted.code is None:
        return _answer(runtime, identity, request, lambda s: service.use_store_credit(s, identity))
    account = stored_value.find_by_code(runtime, identity, wanted.code)
    return _answer(runtime, identity, request, lambda s: service.use_gift_card(s, identity, account))


@router.delete("", responses={200: {"model": CheckoutView}}, response_class=Response)
def drop_tenders(site: SiteDep, caller: CallerDep, request: AskedDep) -> Response:
    """Pay without gift cards and store credit."""
    identity = caller.known
    return _answer(site.runtime, identity, request, lambda s: service.drop_tenders(s, identity))


def _answer(runtime: Runtime, identity: Identity, request: Asked, work: Callable[[Session], CheckoutView]) -> Response:
    """The checkout as the work leaves it, its taxes asked for where that has to be; the same work twice changes nothing
    more.
    """
    return answer_after(runtime, identity, request, lambda: with_tax(runtime, identity, work), status=200)
