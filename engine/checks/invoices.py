"""Invoices and what corrects them: no gap, and every one worth what it documents."""

from __future__ import annotations

from typing import Final

from engine.checks.rule import Rule

_COVERED: Final = (
    "SELECT i.id, i.total, i.tax, o.total + coalesce(sum(a.amount), 0) AS due,"
    " o.tax + coalesce(sum(a.tax), 0) AS due_tax"
    " FROM app.invoices i JOIN app.orders o ON o.tenant_id = i.tenant_id AND o.id = i.order_id"
    " LEFT JOIN app.order_adjustments a ON a.tenant_id = i.tenant_id AND a.order_id = i.order_id"
    " AND jsonb_exists(i.document->'covers', a.id)"
    " WHERE i.adjustment_id IS NULL GROUP BY i.tenant_id, i.id, o.tenant_id, o.id"
)

RULES: Final = (
    Rule(
        "numbers of invoices and credit notes have no gap",
        "SELECT count(*) FROM app.invoices",
        "SELECT kind || ' ' || year, count(*) || ' documents, ' || count(DISTINCT number) || ' numbers from '"
        " || min(number) || ' to ' || max(number) FROM app.invoices GROUP BY kind, year"
        " HAVING min(number) <> 1 OR max(number) <> count(*) OR count(DISTINCT number) <> count(*)",
    ),
    Rule(
        "an invoice says what was due for its order",
        "SELECT count(*) FROM app.invoices WHERE adjustment_id IS NULL",
        "SELECT id, 'says ' || total || ' with tax ' || tax || ', due was ' || due || ' with tax ' || due_tax"  # noqa: S608 (our own)
        f" FROM ({_COVERED}) c WHERE total <> due OR tax <> due_tax",
    ),
    Rule(
        "a note says what was adjusted",
        "SELECT count(*) FROM app.invoices WHERE adjustment_id IS NOT NULL",
        "SELECT i.id, 'says ' || i.total || ', adjusted was ' || coalesce(a.amount::text, 'nothing')"
        " FROM app.invoices i LEFT JOIN app.order_adjustments a ON a.tenant_id = i.tenant_id AND a.id = i.adjustment_id"
        " AND a.order_id = i.order_id WHERE i.adjustment_id IS NOT NULL AND (a.id IS NULL"
        " OR CASE i.kind WHEN 'credit_note' THEN -1 ELSE 1 END * i.total <> a.amount"
        " OR CASE i.kind WHEN 'credit_note' THEN -1 ELSE 1 END * i.tax <> a.tax)",
    ),
    Rule(
        "the rates and lines of a document add up",
        "SELECT count(*) FROM app.invoices",
        "SELECT i.id, 'is ' || i.total || ', its rates ' || r.total || ', its lines ' || l.total FROM app.invoices i"
        " CROSS JOIN LATERAL (SELECT sum((x->>'net')::bigint) AS net, sum((x->>'tax')::bigint) AS tax,"
        " sum((x->>'total')::bigint) AS total FROM jsonb_array_elements(i.document->'rates') x) r"
        " CROSS JOIN LATERAL (SELECT sum((x->>'total')::bigint) AS total"
        " FROM jsonb_array_elements(i.document->'lines') x) l"
        " WHERE (r.net, r.tax, r.total, l.total) IS DISTINCT FROM (i.net, i.tax, i.total, i.total)",
    ),
)
