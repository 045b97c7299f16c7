"""``/staff/orders``, ``/staff/orders/{number}``, ``/staff/approvals``: pages. What they show and do is in ``/v1``."""

from __future__ import annotations

import re
from typing import Final

from fastapi import APIRouter, Request, Response

from app.routing import SiteDep
from app.staff.pages import page_response
from engine.orders.models import OrderStatus
from engine.orders.status import FulfillmentState, PaymentState

router: Final = APIRouter(prefix="/staff", include_in_schema=False)
_NUMBER: Final = re.compile(r"[A-Za-z0-9_-]{1,60}")
_STATUSES: Final = [status for status in OrderStatus if status != OrderStatus.PENDING_PAYMENT]


@router.get("/orders")
def orders(request: Request, site: SiteDep) -> Response:
    """Orders by number, e-mail, name and state."""
    return page_response(
        request,
        site,
        "staff/orders.html",
        statuses=_STATUSES,
        payments=list(PaymentState),
        fulfillments=list(FulfillmentState),
    )


@router.get("/orders/{number}")
def order(number: str, request: Request, site: SiteDep) -> Response:
    """One order, what was done to it, and its papers."""
    known = number if _NUMBER.fullmatch(number) else ""
    return page_response(request, site, "staff/order.html", status=200 if known else 404, number=known)


@router.get("/approvals")
def approvals(request: Request, site: SiteDep) -> Response:
    """What waits for somebody's yes."""
    return page_response(request, site, "staff/approvals.html")
