"""Every document of a shop, for its staff."""

from __future__ import annotations

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from engine.kit.pagination import Page, cursor_moment, decode_cursor, encode_cursor
from engine.orders.invoice_models import Invoice, InvoiceKind


def issued(
    session: Session,
    tenant_id: str,
    *,
    kind: InvoiceKind | None = None,
    year: int | None = None,
    order_id: str | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> Page[Invoice]:
    """Newest first. Raises ``InvalidInput`` for a cursor that is not ours."""
    query = select(Invoice).where(Invoice.tenant_id == tenant_id)
    for column, wanted in ((Invoice.kind, kind), (Invoice.year, year), (Invoice.order_id, order_id)):
        if wanted is not None:
            query = query.where(column == wanted)
    if cursor:
        moment, document_id = decode_cursor(cursor, size=2)
        query = query.where(tuple_(Invoice.issued_at, Invoice.id) < (cursor_moment(moment), str(document_id)))
    rows = session.scalars(query.order_by(Invoice.issued_at.desc(), Invoice.id.desc()).limit(limit + 1)).all()
    shown, more = rows[:limit], len(rows) > limit
    following = encode_cursor([shown[-1].issued_at.isoformat(), shown[-1].id]) if more else None
    return Page(shown, following)
