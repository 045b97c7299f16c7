"""Pages and the files they are made of."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from functools import cache
from mimetypes import guess_type
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from sqlalchemy import func, select
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import Response as StarletteResponse
from starlette.staticfiles import NotModifiedResponse, StaticFiles
from starlette.types import Scope

from app.identity import Merchant, authenticate, shop_named
from app.middleware import content_policy
from app.routing import SiteDep
from app.site import Site
from app.theme import address, look, voice
from app.wording import DEFAULT, Wording, chosen, locale, offered, remember, words
from engine.catalog.models import Product
from engine.kit.tenancy import Tenant

APP: Final = Path(__file__).parent
STATIC: Final = APP / "static"
router: Final = APIRouter(include_in_schema=False)
OFFLINE_MODEL: Final = "icommerce/offline"
OFFLINE_SPEAKS: Final = ("en",)
_OF_A_VERSION: Final = re.compile(r"^v-[0-9a-f]{12}/")
_SHOWN: Final = ("tagline", "support_hours", "free_shipping_hint")


class Shipped(NamedTuple):
    """A file as it is sent."""

    body: bytes
    media_type: str
    etag: str


@cache
def shipped() -> dict[str, Shipped]:
    """What is in ``app/static`` (3 MB), by its path there. It is read once: a change is seen by the next start."""
    return {file.relative_to(STATIC).as_posix(): _shipped(file) for file in sorted(STATIC.rglob("*")) if file.is_file()}


def _shipped(file: Path) -> Shipped:
    body = file.read_bytes()
    media_type, _ = guess_type(file.name)
    return Shipped(body, media_type or "application/octet-stream", f'"{hashlib.sha256(body).hexdigest()[:32]}"')


@cache
def version() -> str:
    """Changes when any static file does."""
    digest = hashlib.sha256()
    for path, file in shipped().items():
        digest.update(f"{path}\0{file.etag}\0".encode())
    return digest.hexdigest()[:12]


class VersionedFiles(StaticFiles):
    """Files with an ETag, from memory. Below the folder of the version that is served a file may be kept forever, and
    so is whatever it imports; anywhere else, as below the folder of a former version, it is checked at each use.
    """

    async def get_response(self, path: str, scope: Scope) -> StarletteResponse:
        """Raises 404 for what is not shipped, and 405 for what is no reading."""
        if scope["method"] not in {"GET", "HEAD"}:
            raise HTTPException(405, headers={"Allow": "GET, HEAD"})
        file = shipped().get(_OF_A_VERSION.sub("", path))
        if file is None:
            raise HTTPException(404)
        kept = "public, max-age=31536000, immutable" if path.startswith(f"v-{version()}/") else "no-cache"
        told = Headers({"Cache-Control": kept, "ETag": file.etag, "Content-Length": str(len(file.body))})
        if self.is_not_modified(told, Headers(scope=scope)):
            return NotModifiedResponse(told)
        return Response(file.body if scope["method"] == "GET" else b"", headers=told, media_type=file.media_type)


@cache
def templates() -> Environment:
    loader = FileSystemLoader(APP / "templates")
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined)


def render(name: str, *, wording: Wording | None = None, **values: Any) -> HTMLResponse:
    """A page from ``app/templates`` in one language (else the default), never kept by a cache. Templates have ``t``
    (words by key), ``lang``, ``dir``, and where the ``static`` files are.
    """
    told = wording or words(DEFAULT)
    html = (
        templates()
        .get_template(name)
        .render(static=f"/static/v-{version()}", t=told.say, lang=told.language, dir=told.direction, **values)
    )
    headers = {"Cache-Control": "no-cache", "Content-Language": told.language, "Vary": "Accept-Language, Cookie"}
    return HTMLResponse(html, headers=headers if wording else {"Cache-Control": "no-cache"})


def embedded(value: object) -> Markup:
    """JSON to stand in a page as data, between ``script`` tags that no browser runs."""
    text = json.dumps(value, ensure_ascii=False)
    return Markup(text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029"))  # noqa: S704


@router.get("/")
def chat(request: Request, site: SiteDep, shop: Annotated[str, Query(max_length=80)] = "") -> Response:
    """The conversation, in the shop this host (or, without one, the demo) stands for. In demo mode a ``shop`` may be
    named: then it is that one's alone.
    """
    if site.opened is None:
        return HTMLResponse(
            "<!doctype html><title>Opening</title><p>The shop is opening. One moment, please.</p>",
            503,
            {"Retry-After": "1", "Refresh": "1"},
        )
    host = request.headers.get("host", "")
    caller = authenticate(site.runtime, authorization=None, cookie=None, host=host)
    named = shop if site.runtime.demo else ""
    return chat_page(site, request, shop_named(site.runtime, caller, named, host), alone=bool(named))


def chat_page(
    site: Site, request: Request, merchant: Merchant, *, alone: bool = False, framed: bool = False
) -> Response:
    """The conversation with one shop; ``alone`` where no other may be chosen, ``framed`` on another site's page."""
    wording = chosen(request, merchant.settings)
    speaks = _assistant_speaks(site)
    page_words = wording.page(assistant_speaks=speaks)
    tenant = _shop(site, merchant, wording, page_words["said"])
    tenants = [tenant] if alone else _shops(site, wording, page_words["said"])
    config = {"demo": site.runtime.demo, "tenant": tenant, "tenants": tenants}
    page = render(
        "chat.html",
        wording=wording,
        look=look(request),
        tenant=tenant,
        framed=framed,
        config_json=json.dumps(config),
        texts_json=embedded(page_words),
    )
    if not framed:
        remember(request, page, wording)
    return page


def _assistant_speaks(site: Site) -> tuple[str, ...]:
    """The languages of the assistant, where they are few: the model that comes with us knows English alone."""
    return OFFLINE_SPEAKS if site.settings.model == OFFLINE_MODEL else ()


@router.get("/favicon.ico")
def favicon() -> Response:
    """Where browsers look for the icon of what is no page of ours, as ``/openapi.json``."""
    return RedirectResponse("/static/favicon.svg", 308, headers={"Cache-Control": "public, max-age=86400"})


@router.get("/docs")
def docs() -> Response:
    """The API, to read and to try; everything it needs is ours. Swagger UI does not know Trusted Types."""
    page = render("docs.html")
    page.headers["Content-Security-Policy"] = content_policy(trusted_types=False)
    return page


def _shops(site: Site, wording: Wording, said: Mapping[str, str]) -> list[dict[str, Any]]:
    """In demo mode, the shops one may choose from; elsewhere a page says nothing of other shops."""
    if not site.runtime.demo:
        return []
    with site.runtime.store.without_tenant() as session:
        rows = session.scalars(select(Tenant).where(Tenant.status == "active").order_by(Tenant.number).limit(20))
        return [_shop(site, Merchant.of(row), wording, said) for row in rows.all()]


def _shop(site: Site, merchant: Merchant, wording: Wording, said: Mapping[str, str]) -> dict[str, Any]:
    told = {name: merchant.settings.get(name, "") for name in _SHOWN}
    known = {"slug": merchant.slug, "name": merchant.name, "currency": merchant.currency}
    how = {
        "locale": locale(str(merchant.settings.get("locale") or DEFAULT), wording.language),
        "languages": [[tag, words(tag).name] for tag in offered(merchant.settings)],
        "theme": address(merchant),
        "suggestions": _suggestions(site, merchant.id, said),
    }
    return known | told | how | voice(merchant, wording.language)


def _suggestions(site: Site, tenant_id: str, said: Mapping[str, str]) -> list[str]:
    with site.runtime.unit_of_work(tenant_id) as session:
        largest = session.scalars(
            select(Product.category)
            .where(Product.tenant_id == tenant_id, Product.status == "active")
            .group_by(Product.category)
            .order_by(func.count().desc(), Product.category)
            .limit(2)
        ).all()
    shown = [said["show"].replace("{category}", name) for name in largest]
    return [*shown, said["returnsPolicy"], said["whereIsIt"]]
