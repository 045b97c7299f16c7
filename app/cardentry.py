"""The way to the gateway's own card form, and the gateway's way back to us."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response
from sqlalchemy import select
from starlette.concurrency import run_in_threadpool

from app.once import json_response
from app.origins import known_origin, shop_origins
from app.routing import CallerDep, Guarded, SiteDep, own_origin
from app.site import Site
from app.wording import chosen
from engine.checkout import recovery
from engine.checkout import service as checkout
from engine.kit.errors import InvalidInput, NotFound
from engine.kit.tenancy import Tenant
from engine.kit.views import View
from engine.payments import gateway_events
from engine.payments.gateway import EntryKind
from engine.payments.gateways.stripe.gateway import MERCHANT_HEADER
from engine.runtime import Runtime

router: Final = APIRouter(tags=["payment"], route_class=Guarded)
webhooks: Final = APIRouter(tags=["payment"])
_BODY_LIMIT: Final = 65_536


class CardEntry(View):
    url: str
    """A page on the payment pages' own origin, for a frame. It tells its parent a card token, never a number, and
    whether a known customer wants the card kept.
    """
    gateway: str
    kind: EntryKind
    wallets: list[str]
    """Wallets that it may offer."""


@router.get("/v1/checkout/card-entry", responses={200: {"model": CardEntry}}, response_class=Response)
def card_entry(request: Request, site: SiteDep, caller: CallerDep) -> Response:
    """Where to enter a card for the running checkout; works for half an hour."""
    identity, merchant = caller.known, caller.merchant
    site.hit(f"card-entry:{identity.id}", site.limits.cards_per_identity)
    offered = checkout.card_entry(site.runtime, identity)
    page = known_origin(site.settings, merchant.host, own_origin(request))
    told = {"origin": page or shop_origins(site.settings, merchant.host)[0]}
    told |= {"lang": chosen(request, merchant.settings).language}
    known = urlencode(told | ({"keep": 1} if identity.customer_id else {}))
    url = f"{site.psp_origin}{offered.path}&{known}"
    return json_response(CardEntry(url=url, gateway=offered.gateway, kind=offered.kind, wallets=list(offered.wallets)))


@webhooks.post("/webhooks/{gateway}", status_code=204, response_class=Response)
async def webhook(gateway: str, request: Request, site: SiteDep) -> Response:
    """A gateway's signed word on a payment: stored, then applied. Telling the same twice changes nothing."""
    return await _received(gateway, request, site, merchant="")


@webhooks.post("/webhooks/{gateway}/{shop}", status_code=204, response_class=Response)
async def shop_webhook(gateway: str, shop: str, request: Request, site: SiteDep) -> Response:
    """The same for gateways where each shop has an account of its own; ``shop`` is its slug."""
    merchant = await run_in_threadpool(_merchant, site.runtime, shop)
    return await _received(gateway, request, site, merchant=merchant)


async def _received(gateway: str, request: Request, site: Site, *, merchant: str) -> Response:
    """Hand the event on, with whose address was called: that one is ours to say, whatever the sender's headers."""
    if gateway not in site.runtime.gateways:
        raise NotFound("There is no such gateway.")
    body = await request.body()
    if len(body) > _BODY_LIMIT:
        raise InvalidInput("The event is too large.")
    headers = {**request.headers, MERCHANT_HEADER: merchant}
    await run_in_threadpool(receive_event, site.runtime, gateway, body, headers)
    return Response(status_code=204)


def _merchant(runtime: Runtime, slug: str) -> str:
    """The shop's id. Raises ``NotFound``."""
    if "\0" in slug:
        raise NotFound("There is no such shop.")
    with runtime.store.without_tenant() as session:
        found = session.scalar(select(Tenant.id).where(Tenant.slug == slug, Tenant.status == "active"))
    if found is None:
        raise NotFound("There is no such shop.")
    return found


def receive_event(runtime: Runtime, gateway: str, body: bytes, headers: dict[str, str]) -> None:
    """Verify an event, store it and apply it.

    Raises ``Unauthenticated`` for a bad signature, ``NotFound`` for a merchant that is not ours.
    """
    gateway_events.receive(runtime, gateway, body, headers, on_charge=recovery.on_gateway_event)
