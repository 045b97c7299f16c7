"""What breaks each rule of ``engine/checks/invoices.py``."""

# ruff: noqa: E501, S608
from __future__ import annotations


def _invoice(number: int = 1, total: str = "total", *, lines: str = "total") -> str:
    made = f"jsonb_build_object('covers', '[]'::jsonb, 'rates', jsonb_build_array(jsonb_build_object('net', {total} - tax, 'tax', tax, 'total', {total})), 'lines', jsonb_build_array(jsonb_build_object('total', {lines})))"
    return (
        "INSERT INTO app.invoices (tenant_id, id, kind, year, number, label, order_id, currency, net, tax, total, document, issued_by, issued_at)"
        f" SELECT tenant_id, 'inv_x', 'invoice', 2026, {number}, 'X', id, currency, {total} - tax, tax, {total}, {made}, 'x', now() FROM app.orders LIMIT 1"
    )


FAULTS: dict[str, str] = {
    "numbers of invoices and credit notes have no gap": _invoice(2),
    "an invoice says what was due for its order": _invoice(1, "total + 1", lines="total + 1"),
    "a note says what was adjusted": _invoice()
    + "; INSERT INTO app.invoices (tenant_id, id, kind, year, number, label, order_id, adjustment_id, corrects_id, currency, net, tax, total, document, issued_by, issued_at)"
    " SELECT tenant_id, 'inv_y', 'credit_note', 2026, 1, 'Y', order_id, 'adj_none', id, currency, net, tax, total, document, 'x', now() FROM app.invoices",
    "the rates and lines of a document add up": _invoice(1, lines="total - 1"),
}
