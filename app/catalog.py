"""``/v1/products`` and the pictures of products. Anybody may look."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse
from sqlalchemy.orm import Session

from app.catalog_staff import with_staff_fields
from app.identity import Caller, shop_named
from app.media import product_svg
from app.once import json_response
from app.routing import CallerDep, Guarded, SiteDep
from engine.catalog import service
from engine.catalog.models import Product
from engine.catalog.schemas import ProductDetail, ProductView
from engine.catalog.wishes import SearchRequest
from engine.kit.errors import InvalidInput, NotFound
from engine.kit.views import View

router: Final = APIRouter(tags=["catalog"], route_class=Guarded)
_MAX_MINOR: Final = 2**31 - 1
_PICTURE_CACHE: Final = "private, max-age=86400"
Currency = Annotated[str | None, Query(pattern=r"^[A-Z]{3}$")]
Text = Annotated[str | None, Query(max_length=500)]


class ProductPage(View):
    items: list[ProductView]
    next_cursor: str | None


@router.get("/v1/products", responses={200: {"model": ProductPage}}, response_class=Response)
def products(
    site: SiteDep,
    caller: CallerDep,
    q: Text = None,
    category: Text = None,
    max_price: Annotated[int | None, Query(ge=0, le=_MAX_MINOR)] = None,
    in_stock: bool = False,
    currency: Currency = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Text = None,
) -> Response:
    """Products on sale, a page at a time: by words and meaning with `q`, else in the shop's order.
    `max_price` is in minor units. With `currency`: those sold in it, at their price there; else in the home currency.
    """
    _refuse_nul(q=q, category=category, cursor=cursor)
    runtime, tenant_id = site.runtime, caller.merchant.id
    with runtime.unit_of_work(tenant_id) as session:
        if q and q.strip():
            wanted = SearchRequest(
                query=q,
                category=category,
                max_price=max_price,
                in_stock=in_stock,
                currency=currency,
                limit=limit,
                cursor=cursor,
            )
            found = runtime.search.search(session, tenant_id, wanted)
            return _page(session, caller, found.items, found.next_cursor)
        page = service.list_products(
            session,
            tenant_id,
            category=category,
            max_price=max_price,
            in_stock=in_stock,
            currency=currency,
            limit=limit,
            cursor=cursor,
        )
        return _page(session, caller, page.items, page.next_cursor)


def _page(session: Session, caller: Caller, items: Sequence[ProductView], next_cursor: str | None) -> Response:
    if _is_staff(caller):
        shown = with_staff_fields(session, caller.merchant.id, items)
        return JSONResponse({"items": shown, "next_cursor": next_cursor})
    return json_response(ProductPage(items=list(items), next_cursor=next_cursor))


def _is_staff(caller: Caller) -> bool:
    return caller.identity is not None and caller.identity.is_staff


@router.get("/v1/products/{product_id}", responses={200: {"model": ProductDetail}}, response_class=Response)
def product(product_id: str, site: SiteDep, caller: CallerDep, currency: Currency = None) -> Response:
    """One product, by its id or one of its variants', priced in `currency`; else in the home currency."""
    with site.runtime.unit_of_work(caller.merchant.id) as session:
        found = service.product(session, caller.merchant.id, product_id, currency=currency)
        if _is_staff(caller):
            return JSONResponse(with_staff_fields(session, caller.merchant.id, [found])[0])
        return json_response(found)


@router.get("/media/products/{product_id}.svg", response_class=Response)
def picture(
    product_id: str,
    request: Request,
    site: SiteDep,
    caller: CallerDep,
    shop: Annotated[str, Query(max_length=80)] = "",
) -> Response:
    """A product's picture. ``shop`` is a shop's slug, where the host is no shop's own."""
    merchant = shop_named(site.runtime, caller, shop, request.headers.get("host", ""))
    with site.runtime.unit_of_work(merchant.id) as session:
        found = session.get(Product, (merchant.id, product_id))
        if found is None:
            raise NotFound("There is no such product in this shop.")
        motif, title = found.motif, found.title
    drawn = product_svg(motif, product_id, title).encode()
    tag = f'"{hashlib.sha256(drawn).hexdigest()[:16]}"'
    headers = {"ETag": tag, "Cache-Control": _PICTURE_CACHE}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(drawn, media_type="image/svg+xml", headers=headers)


def _refuse_nul(**texts: str | None) -> None:
    for name, text in texts.items():
        if text and ("\x00" in text or not text.isprintable()):
            raise InvalidInput("The text holds characters that cannot be searched.", param=name)
