"""Writing ``/v1/products``: products and variants as the shop's people make and change them."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Header, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from app.once import AskedDep, answer_once, json_response
from app.routing import CallerDep, Guarded, SiteDep
from engine.catalog import authoring, gaps
from engine.catalog.authoring import AuthoredProduct
from engine.catalog.bulk import exporting
from engine.catalog.drafting import NewProduct, VariantIn
from engine.catalog.gaps import ProductGaps
from engine.catalog.models import ProductStatus
from engine.kit.errors import InvalidInput
from engine.kit.views import View

router: Final = APIRouter(tags=["catalog"], route_class=Guarded)
Cursor = Annotated[str | None, Query(pattern=r"^[A-Za-z0-9_-]{1,300}$")]
IfMatch = Annotated[str | None, Header(alias="If-Match", pattern=r'^"?[0-9]{1,9}"?$')]
_OUT: Final[dict[int | str, dict[str, Any]]] = {200: {"model": AuthoredProduct}}
_MADE: Final[dict[int | str, dict[str, Any]]] = {201: {"model": AuthoredProduct}}


class Changes(BaseModel):
    """The fields to change, as the thing itself has them."""

    model_config = ConfigDict(extra="allow")

    version: Annotated[int, Field(strict=True, ge=1)] | None = None

    def said(self) -> dict[str, Any]:
        """What was named. Raises ``InvalidInput`` for nothing."""
        if not self.model_extra:
            raise InvalidInput("Name what is to change.", param="body")
        return dict(self.model_extra)


class GapsPage(View):
    items: list[ProductGaps]
    next_cursor: str | None


class AuthoredPage(View):
    items: list[AuthoredProduct]
    next_cursor: str | None


def _version(if_match: str | None, said: int | None = None) -> int | None:
    return int(if_match.strip('"')) if if_match else said


@router.post("/v1/products", responses=_MADE, response_class=Response)
def create(site: SiteDep, caller: CallerDep, asked: AskedDep, wanted: NewProduct) -> Response:
    """A new product with its variants: a draft, unless `status` says it is on sale."""
    identity = caller.staff
    return answer_once(
        site.runtime, identity, asked, lambda session: authoring.create(session, identity, wanted), status=201
    )


@router.patch("/v1/products/{product_id}", responses=_OUT, response_class=Response)
def change(
    product_id: str, site: SiteDep, caller: CallerDep, asked: AskedDep, given: Changes, if_match: IfMatch = None
) -> Response:
    """Change what is named; with `If-Match` or `version`, only if that is still the version there is."""
    identity, version = caller.staff, _version(if_match, given.version)
    return answer_once(
        site.runtime,
        identity,
        asked,
        lambda session: authoring.change(session, identity, product_id, given.said(), version=version),
        status=200,
    )


@router.post("/v1/products/{product_id}/variants", responses=_MADE, response_class=Response)
def add_variant(
    product_id: str, site: SiteDep, caller: CallerDep, asked: AskedDep, wanted: VariantIn, if_match: IfMatch = None
) -> Response:
    """One more variant of a product."""
    identity, version = caller.staff, _version(if_match)
    return answer_once(
        site.runtime,
        identity,
        asked,
        lambda session: authoring.add_variant(session, identity, product_id, wanted, version=version),
        status=201,
    )


@router.patch("/v1/variants/{variant_id}", responses=_OUT, response_class=Response)
def change_variant(
    variant_id: str, site: SiteDep, caller: CallerDep, asked: AskedDep, given: Changes, if_match: IfMatch = None
) -> Response:
    """Change what is named of a variant; its product's version guards it."""
    identity, version = caller.staff, _version(if_match, given.version)
    return answer_once(
        site.runtime,
        identity,
        asked,
        lambda session: authoring.change_variant(session, identity, variant_id, given.said(), version=version),
        status=200,
    )


@router.post("/v1/variants/{variant_id}/retire", responses=_OUT, response_class=Response)
def retire(variant_id: str, site: SiteDep, caller: CallerDep, asked: AskedDep, if_match: IfMatch = None) -> Response:
    """It is not sold any more. Nothing is deleted."""
    identity, version = caller.staff, _version(if_match)
    return answer_once(
        site.runtime,
        identity,
        asked,
        lambda session: authoring.retire_variant(session, identity, variant_id, version=version),
        status=200,
    )


@router.get("/v1/staff/products", responses={200: {"model": AuthoredPage}}, response_class=Response)
def authored(
    site: SiteDep,
    caller: CallerDep,
    status: ProductStatus | None = None,
    q: Annotated[str | None, Query(max_length=80)] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
    cursor: Cursor = None,
) -> Response:
    """Products of any status as they were written, oldest first; `q` is a part of the title or slug, or an SKU's
    beginning.
    """
    tenant_id = caller.staff.tenant_id
    with site.runtime.unit_of_work(tenant_id) as session:
        page = authoring.listed(session, tenant_id, status=status, q=q, limit=limit, cursor=cursor)
        return json_response(AuthoredPage(items=list(page.items), next_cursor=page.next_cursor))


@router.get("/v1/staff/products/{product_id}", responses=_OUT, response_class=Response)
def authored_one(product_id: str, site: SiteDep, caller: CallerDep) -> Response:
    """One product as it was written."""
    tenant_id = caller.staff.tenant_id
    with site.runtime.unit_of_work(tenant_id) as session:
        found = authoring.one(session, tenant_id, product_id)
        return Response(found.model_dump_json(), media_type="application/json", headers={"ETag": f'"{found.version}"'})


@router.get("/v1/products/gaps", responses={200: {"model": GapsPage}}, response_class=Response)
def thin(
    site: SiteDep,
    caller: CallerDep,
    category: Annotated[str | None, Query(max_length=80)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Cursor = None,
) -> Response:
    """Products that are too thin to sell well, the worst first, with what to do."""
    tenant_id = caller.staff.tenant_id
    with site.runtime.unit_of_work(tenant_id) as session:
        page = gaps.report(session, tenant_id, category=category, limit=limit, cursor=cursor)
        return json_response(GapsPage(items=list(page.items), next_cursor=page.next_cursor))


@router.get("/v1/staff/catalog/export", response_class=Response)
def export(site: SiteDep, caller: CallerDep, format: Literal["csv", "json"] = "csv") -> Response:  # noqa: A002
    """All products, as an import reads them."""
    tenant_id = caller.staff.tenant_id
    with site.runtime.unit_of_work(tenant_id) as session:
        write = exporting.to_csv if format == "csv" else exporting.to_json
        kind = "text/csv; charset=utf-8" if format == "csv" else "application/json"
        return Response(write(session, tenant_id), media_type=kind)
