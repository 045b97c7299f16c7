"""``POST /webhooks/sync/{connection_id}``: what the shop's other systems tell by themselves. Stored, and answered."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool

from app.identity import authenticate, merchant_by_slug
from app.routing import SiteDep
from app.site import Site
from engine.kit.errors import InvalidInput, NotFound
from engine.kit.ids import is_id
from engine.sync import hearing

router: Final = APIRouter(tags=["operations"])


@router.post("/webhooks/sync/{connection_id}", status_code=200, response_class=Response)
async def letter(connection_id: str, request: Request, site: SiteDep) -> Response:
    """A system's signed letter to one connection; `shop` in the address is the shop's slug, where its host is not its
    own. Stored once, whoever tells it again; it is worked afterwards.
    """
    body = await _body(request)
    headers = dict(request.headers)
    shop, host = request.query_params.get("shop", ""), request.headers.get("host", "")
    await run_in_threadpool(_store, site, connection_id, shop, host, headers, body)
    return Response(status_code=200)


async def _body(request: Request) -> bytes:
    """As it came. Raises ``InvalidInput`` as soon as it is too large, without reading the rest."""
    found = bytearray()
    async for piece in request.stream():
        found += piece
        if len(found) > hearing.LETTER_LIMIT:
            raise InvalidInput("A letter has at most 2 MB.", param="body")
    return bytes(found)


def _store(site: Site, connection_id: str, shop: str, host: str, headers: dict[str, str], body: bytes) -> None:
    if not is_id(connection_id, "connection"):
        raise NotFound("There is no such connection.")
    if shop:
        tenant_id = merchant_by_slug(site.runtime, shop).id
    else:
        tenant_id = authenticate(site.runtime, authorization=None, cookie=None, host=host).merchant.id
    with site.runtime.unit_of_work(tenant_id) as session:
        hearing.hear(session, site.runtime, tenant_id, connection_id, headers=headers, body=body)
