"""``/order/{number}``: an order's page, as an assistant or a letter links to it.

The address opens nothing by itself. The browser that bought it, and a customer who has proven to be its buyer, see the
order; anybody else is asked for the e-mail address and learns the bare state, a few times an hour.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Any, Final

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse

from app.identity import COOKIE, Caller, authenticate, check_same_site, shop_named
from app.pages import render
from app.problems import STATUS
from app.routing import SiteDep, client_address, own_origin
from app.site import Site
from app.wording import Wording, chosen
from engine.digital import access
from engine.digital.access import Access
from engine.kit.errors import DomainError, NotFound
from engine.kit.money import format_minor
from engine.orders import lookups, queries
from engine.orders.queries import MaskedStatus
from engine.orders.schemas import OrderView

router: Final = APIRouter(prefix="/order", include_in_schema=False)
_NUMBER: Final = re.compile(r"[A-Za-z0-9-]{1,20}")
_WRONG: Final = "No order fits that number and e-mail."


Slug = Annotated[str, Query(max_length=80)]
"""Which shop, where the host is no shop's own."""


@router.get("/{number}")
def page(number: str, request: Request, site: SiteDep, shop: Slug = "") -> HTMLResponse:
    """The order for who may see it; else the question who asks."""
    try:
        caller = _caller(site, request, number, shop)
        order = _own(site, caller, number)
        return _page(request, number, caller, order=order, given=_given(site, order, caller))
    except DomainError as error:
        return _refused(request, number, error)


@router.post("/{number}")
def look(
    number: str, request: Request, site: SiteDep, shop: Slug = "", email: Annotated[str, Form(max_length=254)] = ""
) -> HTMLResponse:
    """The bare state, by number and e-mail."""
    try:
        check_same_site(request.headers, own_origin(request))
        caller = _caller(site, request, number, shop)
        tenant_id, runtime = caller.merchant.id, site.runtime
        lookups.limit(runtime, tenant_id, who=client_address(request), number=number)
        with runtime.unit_of_work(tenant_id) as session:
            found = queries.masked_status(session, tenant_id, number=number, email=email.replace("\0", ""))
    except NotFound:
        return _page(request, number, caller, said=_WRONG, status=404)
    except DomainError as error:
        return _refused(request, number, error)
    return _page(request, number, caller, found=found)


def _caller(site: Site, request: Request, number: str, slug: str) -> Caller:
    """Who looks, and at which shop. Keys are for programs: they open no page."""
    host = request.headers.get("host", "")
    if not _NUMBER.fullmatch(number):
        raise _NoNumber("This is no order number.")
    caller = authenticate(site.runtime, authorization=None, cookie=request.cookies.get(COOKIE), host=host)
    named = shop_named(site.runtime, caller, slug, host)
    return caller if named.id == caller.merchant.id else Caller(named)


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
    request: Request,
    number: str,
    caller: Caller,
    *,
    order: OrderView | None = None,
    given: Sequence[Access] = (),
    found: MaskedStatus | None = None,
    said: str = "",
    status: int = 200,
) -> HTMLResponse:
    known = {
        "number": number,
        "merchant": caller.merchant.name,
        "slug": "" if caller.merchant.host else caller.merchant.slug,
    }
    return _rendered(
        chosen(request, caller.merchant.settings), status, **known, order=order, given=given, found=found, said=said
    )


def _refused(request: Request, number: str, error: DomainError) -> HTMLResponse:
    shown = number if _NUMBER.fullmatch(number) else ""
    nothing = {"merchant": "", "slug": "", "order": None, "given": (), "found": None}
    return _rendered(chosen(request), STATUS[error.kind], number=shown, **nothing, said=error.message)


def _rendered(wording: Wording, status: int, **values: Any) -> HTMLResponse:
    order = values["order"]
    answer = render(
        "order.html",
        wording=wording,
        state=wording.state,
        sums=wording.sums,
        money=lambda amount: format_minor(amount, order.total.currency) if order else "",
        **values,
    )
    answer.status_code = status
    answer.headers["Cache-Control"] = "private, no-store"
    answer.headers["Referrer-Policy"] = "same-origin"  # else Chromium sends the form from nowhere
    return answer
