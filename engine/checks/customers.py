"""Customers: their points, and that one who became another keeps nothing."""

from __future__ import annotations

from typing import Final

from engine.checks.rule import Rule

RULES: Final = (
    Rule(
        "a customer's points are the sum of their entries",
        "SELECT count(*) FROM app.loyalty_accounts",
        "SELECT coalesce(a.customer_id, e.customer_id), 'has ' || coalesce(a.balance, 0) || ' points, entries say '"
        " || coalesce(e.points, 0) FROM app.loyalty_accounts a FULL JOIN (SELECT customer_id, sum(delta) AS points"
        " FROM app.loyalty_entries GROUP BY 1) e ON e.customer_id = a.customer_id"
        " WHERE coalesce(a.balance, 0) <> coalesce(e.points, 0)",
    ),
    Rule(
        "no order gives points for more than it is worth",
        "SELECT count(DISTINCT order_id) FROM app.loyalty_entries WHERE order_id IS NOT NULL",
        "SELECT e.order_id, 'gave ' || sum(e.delta) || ' points' FROM app.loyalty_entries e"
        " LEFT JOIN app.orders o ON o.tenant_id = e.tenant_id AND o.id = e.order_id WHERE e.order_id IS NOT NULL"
        " GROUP BY e.order_id, o.total HAVING sum(e.delta) < 0 OR sum(e.delta) > coalesce(o.total, 0) * max(e.rate)",
    ),
    Rule(
        "no order gives points for what a lost chargeback took",
        "SELECT count(*) FROM app.disputes WHERE status = 'lost'",
        "SELECT o.id, 'gave ' || e.points || ' points, the bank took ' || d.lost || ' of ' || o.total + a.amount"
        " FROM app.orders o CROSS JOIN LATERAL (SELECT coalesce(sum(amount), 0) AS amount FROM app.order_adjustments"
        " WHERE tenant_id = o.tenant_id AND order_id = o.id) a"
        " CROSS JOIN LATERAL (SELECT coalesce(sum(x.amount), 0) AS lost FROM app.payments p JOIN app.disputes x"
        " ON x.tenant_id = p.tenant_id AND x.payment_id = p.id AND x.status = 'lost'"
        " WHERE p.tenant_id = o.tenant_id AND p.order_id = o.id) d"
        " CROSS JOIN LATERAL (SELECT coalesce(sum(delta), 0) AS points FROM app.loyalty_entries"
        " WHERE tenant_id = o.tenant_id AND order_id = o.id) e"
        " WHERE d.lost > 0 AND d.lost >= o.total + a.amount AND e.points > 0"
        " AND NOT EXISTS (SELECT FROM app.outbox w WHERE w.tenant_id = o.tenant_id AND w.consumer = 'customers'"
        " AND w.delivered_at IS NULL)",
    ),
    Rule(
        "a customer that became another keeps nothing",
        "SELECT count(*) FROM app.customers WHERE merged_into IS NOT NULL",
        "SELECT c.id, 'became ' || c.merged_into || ' and kept something' FROM app.customers c"
        " WHERE c.merged_into IS NOT NULL AND (c.name <> '' OR c.phone <> ''"
        " OR EXISTS (SELECT FROM app.addresses a WHERE a.tenant_id = c.tenant_id AND a.customer_id = c.id)"
        " OR EXISTS (SELECT FROM app.payment_methods m WHERE m.tenant_id = c.tenant_id AND m.customer_id = c.id)"
        " OR EXISTS (SELECT FROM app.shoppers s WHERE s.tenant_id = c.tenant_id AND s.customer_id = c.id)"
        " OR EXISTS (SELECT FROM app.loyalty_accounts l WHERE l.tenant_id = c.tenant_id AND l.customer_id = c.id"
        " AND l.balance <> 0))",
    ),
    Rule(
        "every claim names an order, and none without a verified e-mail gave it away",
        "SELECT count(*) FROM app.customer_links",
        "SELECT l.id, 'is ' || l.status || ' for ' || coalesce(o.id, 'no order') FROM app.customer_links l"
        " LEFT JOIN app.orders o ON o.tenant_id = l.tenant_id AND o.id = l.subject_id"
        " LEFT JOIN app.customers c ON c.tenant_id = l.tenant_id AND c.id = o.customer_id"
        " WHERE o.id IS NULL OR (l.status = 'verified' AND c.email_verified_at IS NULL)",
    ),
)
