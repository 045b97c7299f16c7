"""``/staff/catalog``: products, one product, a new one, promotions. What the pages show and change is in ``/v1``."""

from __future__ import annotations

import re
from typing import Final

from fastapi import APIRouter, Request, Response

from app.routing import SiteDep
from app.staff.pages import page_response
from engine.catalog.models import ProductStatus
from engine.catalog.shop_file import TaxCategory
from engine.kit.identity import Scope

router: Final = APIRouter(prefix="/staff/catalog", include_in_schema=False)
_ID: Final = re.compile(r"[A-Za-z0-9_]{1,60}")


@router.get("")
def products(request: Request, site: SiteDep) -> Response:
    """Products by title, SKU and status, and what is missing of them."""
    return page_response(request, site, "staff/catalog.html", needs=Scope.OPS, statuses=list(ProductStatus))


@router.get("/promotions")
def promotions(request: Request, site: SiteDep) -> Response:
    """Codes and automatic promotions."""
    return page_response(request, site, "staff/promotions.html", needs=Scope.OPS)


@router.get("/new")
def new_product(request: Request, site: SiteDep) -> Response:
    """A form for a product with its variants."""
    return page_response(request, site, "staff/product_new.html", needs=Scope.OPS, taxes=list(TaxCategory))


@router.get("/products/{product_id}")
def product(product_id: str, request: Request, site: SiteDep) -> Response:
    """One product: its words, variants, prices and stock."""
    known = product_id if _ID.fullmatch(product_id) else ""
    return page_response(
        request, site, "staff/product.html", needs=Scope.OPS, product_id=known, statuses=list(ProductStatus)
    )
