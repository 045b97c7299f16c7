"""``/v1/orders/{id}/receipt``, ``/invoice`` and ``/documents``: an order's papers, for its shopper and for staff."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Response

from app.once import json_response
from app.routing import CallerDep, Guarded, SiteDep
from engine.kit.views import Price, View
from engine.orders import queries
from engine.orders.documents import invoices, listing, printing, receipts
from engine.orders.invoice_models import Invoice, InvoiceKind

router: Final = APIRouter(prefix="/v1", tags=["documents"], route_class=Guarded)


class Form(StrEnum):
    HTML = "html"
    PDF = "pdf"


class DocumentView(View):
    """One numbered document. A credit note's amounts are given back."""

    id: str
    kind: str
    """invoice or credit_note."""
    number: str
    order_id: str
    corrects_id: str | None
    net: Price
    tax: Price
    total: Price
    issued_at: datetime

    @classmethod
    def of(cls, row: Invoice) -> DocumentView:
        return cls(
            id=row.id,
            kind=row.kind,
            number=row.label,
            order_id=row.order_id,
            corrects_id=row.corrects_id,
            net=Price(amount=row.net, currency=row.currency),
            tax=Price(amount=row.tax, currency=row.currency),
            total=Price(amount=row.total, currency=row.currency),
            issued_at=row.issued_at,
        )


class DocumentPage(View):
    items: list[DocumentView]
    next_cursor: str | None = None


@router.get("/orders/{order_id}/receipt", response_class=Response)
def receipt(order_id: str, site: SiteDep, caller: CallerDep, format: Form = Form.HTML) -> Response:  # noqa: A002 (the contract's word)
    """What was bought, paid and given back, as it stands now."""
    identity = caller.for_thing()
    with site.runtime.unit_of_work(identity.tenant_id) as session:
        order = queries.find_own(session, identity, order_id)
        made, name = receipts.receipt(session, order), f"receipt-{order.number}"
    return _printed(made, format, name)


@router.get("/orders/{order_id}/invoice", response_class=Response)
def invoice(order_id: str, site: SiteDep, caller: CallerDep, format: Form = Form.HTML) -> Response:  # noqa: A002 (the contract's word)
    """The order's invoice: issued at the first asking, the same ever after."""
    identity = caller.for_thing()
    with site.runtime.unit_of_work(identity.tenant_id) as session:
        row = invoices.issue(session, queries.find_own(session, identity, order_id), actor=identity.id)
        made, name = row.document, row.label
    return _printed(made, format, name)


@router.get("/orders/{order_id}/documents", responses={200: {"model": DocumentPage}}, response_class=Response)
def documents(order_id: str, site: SiteDep, caller: CallerDep) -> Response:
    """Everything issued for an order, oldest first."""
    identity = caller.for_thing()
    with site.runtime.unit_of_work(identity.tenant_id) as session:
        rows = invoices.documents(session, queries.find_own(session, identity, order_id))
        return json_response(DocumentPage(items=[DocumentView.of(row) for row in rows]))


@router.get("/orders/{order_id}/documents/{document_id}", response_class=Response)
def document(
    order_id: str,
    document_id: str,
    site: SiteDep,
    caller: CallerDep,
    format: Form = Form.HTML,  # noqa: A002 (the contract's word)
) -> Response:
    """One of them."""
    identity = caller.for_thing()
    with site.runtime.unit_of_work(identity.tenant_id) as session:
        row = invoices.document(session, queries.find_own(session, identity, order_id), document_id)
        made, name = row.document, row.label
    return _printed(made, format, name)


@router.get("/invoices", responses={200: {"model": DocumentPage}}, response_class=Response)
def all_invoices(
    site: SiteDep,
    caller: CallerDep,
    kind: InvoiceKind | None = None,
    year: Annotated[int | None, Query(ge=2000, le=9999)] = None,
    order: Annotated[str | None, Query(max_length=40)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(max_length=300)] = None,
) -> Response:
    """Every invoice and credit note of the shop, newest first. Staff only."""
    tenant_id = caller.staff.tenant_id
    with site.runtime.unit_of_work(tenant_id) as session:
        page = listing.issued(session, tenant_id, kind=kind, year=year, order_id=order, limit=limit, cursor=cursor)
        views = [DocumentView.of(row) for row in page.items]
    return json_response(DocumentPage(items=views, next_cursor=page.next_cursor))


def _printed(paper: Mapping[str, Any], form: Form, name: str) -> Response:
    headers = {"Content-Disposition": f'inline; filename="{name}.{form}"'}
    if form == Form.PDF:
        return Response(printing.pdf(paper), headers=headers, media_type="application/pdf")
    headers["Content-Security-Policy"] = printing.POLICY
    return Response(printing.html(paper), headers=headers, media_type="text/html")
