"""``/order/{number}``: an order's page, as an assistant or a letter links to it.

The address opens nothing by itself. The browser that bought it, and a customer who has proven to be its buyer, see the
order; anybody else is asked for the e-mail address and learns the bare state, a few times an hour.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Final

from fastapi import APIRouter, Form, Request, Response

from app.identity import Caller, check_same_site
from app.routing import SiteDep, client_address, own_origin
from app.shopfront import PRIVATE, Slug, Visit, closed, visit
from app.site import Site
from app.wording import money
from engine.digital import access
from engine.digital.access import Access
from engine.kit.errors import DomainError, NotFound
from engine.orders import lookups, queries
from engine.orders.queries import MaskedStatus
from engine.orders.schemas import OrderView

router: Final = APIRouter(prefix="/order", include_in_schema=False)
_NUMBER: Final = re.compile(r"[A-Za-z0-9-]{1,20}")
_WRONG: Final = "No order fits that number and e-mail."


@router.get("/{number}")
def page(number: str, request: Request, site: SiteDep, shop: Slug = "") -> Response:
    """The order for who may see it; else the question who asks."""
    try:
        seen = _visit(site, request, number, shop)
        order = _own(site, seen.caller, number)
        return _page(seen, number, order=order, given=_given(site, order, seen.caller))
    except DomainError as error:
        return _refused(request, number, error)


@router.post("/{number}")
def look(
    number: str, request: Request, site: SiteDep, shop: Slug = "", email: Annotated[str, Form(max_length=254)] = ""
) -> Response:
    """The bare state, by number and e-mail."""
    try:
        check_same_site(request.headers, own_origin(request))
        seen = _visit(site, request, number, shop)
        tenant_id, runtime = seen.merchant.id, site.runtime
        lookups.limit(runtime, tenant_id, who=client_address(request), number=number)
        with runtime.unit_of_work(tenant_id) as session:
            found = queries.masked_status(session, tenant_id, number=number, email=email.replace("\0", ""))
    except NotFound:
        return _page(seen, number, said=_WRONG, status=404)
    except DomainError as error:
        return _refused(request, number, error)
    return _page(seen, number, found=found)


def _visit(site: Site, request: Request, number: str, slug: str) -> Visit:
    """Who looks, and at which shop. Keys are for programs: they open no page."""
    if not _NUMBER.fullmatch(number):
        raise _NoNumber("This is no order number.")
    return visit(site, request, slug)


class _NoNumber(DomainError):
    code = "not_found"
    kind = NotFound.kind


def _own(site: Site, caller: Caller, number: str) -> OrderView | None:
    if caller.identity is None:
        return None
    try:
        with site.runtime.unit_of_work(caller.identity.tenant_id) as session:
            return queries.own_order(session, caller.identity, number)
    except NotFound:
        return None


def _given(site: Site, order: OrderView | None, caller: Caller) -> list[Access]:
    """What its buyer was given of what has no parcel: only whose the order is gets here."""
    if order is None or not any(line.digital and line.shipped for line in order.lines):
        return []
    tenant_id = caller.merchant.id
    with site.runtime.unit_of_work(tenant_id) as session:
        return access.of_orders(session, site.runtime.secret_key, tenant_id, [order.id]).get(order.id, [])


def _page(
    seen: Visit,
    number: str,
    *,
    order: OrderView | None = None,
    given: Sequence[Access] = (),
    found: MaskedStatus | None = None,
    said: str = "",
    status: int = 200,
) -> Response:
    def price(amount: int) -> str:
        return money(amount, order.total.currency, seen.locale) if order else ""

    answer = seen.page(
        "order.html",
        status=status,
        number=number,
        merchant=seen.merchant.name,
        order=order,
        given=given,
        found=found,
        said=said,
        state=seen.wording.state,
        sums=seen.wording.sums,
        money=price,
    )
    answer.headers.update(PRIVATE)
    return answer


def _refused(request: Request, number: str, error: DomainError) -> Response:
    shown = number if _NUMBER.fullmatch(number) else ""
    return closed(request, error, "order.html", number=shown, merchant="", order=None, given=(), found=None)
