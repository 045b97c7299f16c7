"""Taxes: whose they are, and that they are within the prices that include them."""

# ruff: noqa: S608 (the only text put in is our own)
from __future__ import annotations

from typing import Final

from engine.checks.rule import Rule


def tax_of(units: str) -> str:
    """SQL: the tax of a line's first ``units``, as ``orders.shares.tax_share`` spreads it. For ``app.order_lines``."""
    paid = f"(unit_price::bigint * {units} - discount::bigint * {units} / ordered)"
    whole = "nullif(unit_price::bigint * ordered - discount, 0)"
    within = f"coalesce(tax::bigint * {paid} / {whole}, 0)"
    return f"CASE WHEN tax_included THEN {within} ELSE tax::bigint * {units} / ordered END"


_OF_LINE: Final = (
    "SELECT l.id, l.tax, sum((x->>'amount')::bigint) AS given FROM app.order_lines l"
    " CROSS JOIN LATERAL jsonb_array_elements(l.taxes) x GROUP BY l.tenant_id, l.id, l.tax"
)
_OF_ORDER: Final = (
    "SELECT o.id, o.tax, sum((x->>'amount')::bigint) AS given FROM app.orders o"
    " CROSS JOIN LATERAL jsonb_array_elements(o.taxes) x WHERE NOT EXISTS (SELECT FROM app.order_changes c"
    " WHERE c.tenant_id = o.tenant_id AND c.order_id = o.id AND c.kind = 'address' AND c.status = 'applied')"
    " GROUP BY o.tenant_id, o.id, o.tax"
)

RULES: Final = (
    Rule(
        "the tax of a line is what its places get",
        "SELECT count(*) FROM app.order_lines WHERE taxes <> '[]'",
        f"SELECT t.id, 'has ' || t.tax || ' of tax, its places get ' || t.given FROM ({_OF_LINE}) t"
        " WHERE t.tax <> t.given",
    ),
    Rule(
        "the tax of an order is what its places get",
        "SELECT count(*) FROM app.orders WHERE taxes <> '[]'",
        f"SELECT t.id, 'has ' || t.tax || ' of tax, its places get ' || t.given FROM ({_OF_ORDER}) t"
        " WHERE t.tax <> t.given",
    ),
    Rule(
        "tax that is within a price is no more than it",
        "SELECT count(*) FROM app.order_lines WHERE tax_included",
        "SELECT id, 'is paid with ' || unit_price::bigint * ordered - discount || ', of which ' || tax || ' is tax'"
        " FROM app.order_lines WHERE tax_included AND tax > unit_price::bigint * ordered - discount",
    ),
    Rule(
        "all of an order is sold with its tax in the price, or none of it",
        "SELECT count(*) FROM app.order_lines",
        "SELECT l.id, 'says ' || l.tax_included || ', its order ' || o.tax_included FROM app.order_lines l"
        " JOIN app.orders o ON o.tenant_id = l.tenant_id AND o.id = l.order_id WHERE o.tax_included <> l.tax_included",
    ),
    Rule(
        "an order that another engine taxed has its calculation",
        "SELECT count(*) FROM app.orders WHERE tax_engine <> 'tables'",
        "SELECT id, 'was taxed with ' || tax || ' by ' || tax_engine || ', calculation '"
        " || coalesce(tax_calculation_id, 'none') FROM app.orders"
        " WHERE (tax_calculation_id IS NOT NULL AND tax_engine <> 'stripe_tax')"
        " OR (tax_calculation_id IS NULL AND tax_engine = 'stripe_tax' AND tax <> 0)",
    ),
    Rule(
        "what is filed of an order is what it was sold for, and what made it less",
        "SELECT count(*) FROM app.tax_filings",
        "SELECT f.id, 'files ' || f.amount || ', and its subject is ' || coalesce(o.total, a.amount, 0)"
        " FROM app.tax_filings f"
        " LEFT JOIN app.orders o ON o.tenant_id = f.tenant_id AND o.id = f.subject_id AND f.kind = 'sale'"
        " LEFT JOIN app.order_adjustments a ON a.tenant_id = f.tenant_id AND a.id = f.subject_id"
        " AND f.kind = 'reversal' AND a.order_id = f.order_id"
        " WHERE f.amount IS DISTINCT FROM coalesce(o.total, a.amount)",
    ),
)
