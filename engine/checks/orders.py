"""Orders and their lines."""

from __future__ import annotations

from typing import Final

from engine.checks.rule import Rule

RULES: Final = (
    Rule(
        "order totals add up",
        "SELECT count(*) FROM app.orders",
        "SELECT o.id, 'total ' || o.total || ', parts ' || x.parts FROM app.orders o CROSS JOIN LATERAL ("
        " SELECT sum(CASE t->>'type' WHEN 'items_base_amount' THEN (t->>'amount')::bigint"
        " WHEN 'fulfillment' THEN (t->>'amount')::bigint WHEN 'tax' THEN (t->>'amount')::bigint"
        " WHEN 'items_discount' THEN -(t->>'amount')::bigint WHEN 'discount' THEN -(t->>'amount')::bigint ELSE 0 END)"
        " AS parts FROM jsonb_array_elements(o.totals) t) x WHERE x.parts <> o.total",
    ),
    Rule(
        "order lines agree with the order's items and discount",
        "SELECT count(*) FROM app.order_lines",
        "SELECT o.id, 'lines ' || sum(l.unit_price * l.ordered - l.discount) FROM app.orders o"
        " JOIN app.order_lines l ON l.tenant_id = o.tenant_id AND l.order_id = o.id"
        " GROUP BY o.id, o.totals HAVING sum(l.unit_price * l.ordered - l.discount) <>"
        " (SELECT (t->>'amount')::bigint FROM jsonb_array_elements(o.totals) t WHERE t->>'type' = 'subtotal')",
    ),
)
