"""``GET /.well-known/acp.json``: what is spoken at this address, for anybody. Says nothing of a merchant."""

from __future__ import annotations

from typing import Annotated, Any, Final

import orjson
from fastapi import APIRouter, Depends, Request, Response
from sqlalchemy import select

from app.identity import authenticate
from app.origins import known_origin
from app.protocols.acp import versions
from app.protocols.acp.openapi import described
from app.routing import own_origin, site_of
from app.site import Site
from engine.catalog.prices import currencies_of
from engine.kit.tenancy import Tenant

router: Final = APIRouter(tags=["acp"])
SERVICES: Final = ("checkout", "orders", "delegate_payment", "carts")
EXTENSIONS: Final = ({"name": "discount"},)
INTERVENTIONS: Final = ("3ds",)
LOCALES: Final = ("en-US",)
_SAID: Final = described(None, "DiscoveryResponse")["responses"]
_HOUR: Final = "public, max-age=3600"


@router.get("/.well-known/acp.json", response_class=Response, responses=_SAID)
def discover(request: Request, site: Annotated[Site, Depends(site_of)]) -> Response:
    """The discovery document, good for an hour."""
    return Response(
        orjson.dumps(document(site, request)), headers={"Cache-Control": _HOUR}, media_type="application/json"
    )


def document(site: Site, request: Request) -> dict[str, Any]:
    """What this deployment can do. Of ``delegate_payment`` it is the demo shops' gateway that serves it."""
    services = [one for one in SERVICES if one != "delegate_payment" or site.runtime.demo]
    return {
        "protocol": {
            "name": "acp",
            "version": versions.NEWEST,
            "supported_versions": sorted(versions.SUPPORTED),
        },
        "api_base_url": _base(site, request),
        "transports": ["rest", "mcp"],
        "capabilities": {
            "services": services,
            "extensions": list(EXTENSIONS),
            "intervention_types": list(INTERVENTIONS),
            "supported_currencies": _currencies(site),
            "supported_locales": list(LOCALES),
        },
    }


def _base(site: Site, request: Request) -> str:
    """The address it was asked at, if it is one of ours: what any Host header says is not repeated to others."""
    host = request.headers.get("host", "")
    merchant = authenticate(site.runtime, authorization=None, cookie=None, host=host).merchant
    return known_origin(site.settings, merchant.host, own_origin(request)) or site.web_origin


def _currencies(site: Site) -> list[str]:
    """Every currency that some shop here sells in."""
    with site.runtime.store.without_tenant() as session:
        rows = session.execute(select(Tenant.currency, Tenant.settings).where(Tenant.status == "active"))
        return sorted({code.lower() for home, settings in rows for code in currencies_of(home, settings)})
