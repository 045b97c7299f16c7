"""Promotions and their uses."""

# ruff: noqa: S608 (names of our own)
from __future__ import annotations

from typing import Final

from engine.checks.rule import Rule

_BUYERS: Final = (
    "(VALUES (CASE WHEN left(o.owner_id, 4) = 'shp_' THEN o.owner_id END),"
    " (nullif(lower(o.buyer ->> 'email'), ''))) AS b (buyer)"
)
"""By session and by what was typed: neither changes, but that an erased address is empty."""

RULES: Final = (
    Rule(
        "a promotion's uses are those that orders have claimed",
        "SELECT count(*) FROM app.discounts",
        "SELECT d.id, 'says ' || d.used || ', orders hold ' || count(u.order_id) || ' after ' || d.used_before"
        " FROM app.discounts d LEFT JOIN app.discount_uses u ON u.tenant_id = d.tenant_id AND u.discount_id = d.id"
        " AND u.given_back_at IS NULL GROUP BY d.id, d.used, d.used_before"
        " HAVING d.used <> d.used_before + count(u.order_id)",
    ),
    Rule(
        "no promotion was used more often than its limit",
        "SELECT count(*) FROM app.discounts WHERE usage_limit IS NOT NULL",
        "SELECT id, 'was used ' || used || ' times of ' || usage_limit FROM app.discounts WHERE used > usage_limit",
    ),
    Rule(
        "no buyer used a promotion more often than each may",
        "SELECT count(*) FROM app.discounts WHERE per_customer_limit IS NOT NULL",
        "SELECT d.id, 'was used ' || count(*) || ' times by one buyer' FROM app.discounts d"
        " JOIN app.discount_uses u ON u.tenant_id = d.tenant_id AND u.discount_id = d.id AND u.given_back_at IS NULL"
        " JOIN app.orders o ON o.tenant_id = u.tenant_id AND o.id = u.order_id"
        f" CROSS JOIN LATERAL {_BUYERS} WHERE d.per_customer_limit IS NOT NULL AND b.buyer IS NOT NULL"
        " GROUP BY d.id, b.buyer HAVING count(*) > min(d.per_customer_limit)",
    ),
    Rule(
        "a use that counts belongs to an order that was placed or is being paid",
        "SELECT count(*) FROM app.discount_uses",
        "SELECT u.discount_id, 'is held by ' || o.id || ', whose payment came to nothing' FROM app.discount_uses u"
        " JOIN app.orders o ON o.tenant_id = u.tenant_id AND o.id = u.order_id"
        " WHERE u.given_back_at IS NULL AND o.status = 'canceled' AND o.placed_at IS NULL",
    ),
    Rule(
        "what promotions took off an order is its discount",
        "SELECT count(DISTINCT order_id) FROM app.discount_uses",
        "SELECT o.id, 'lines have ' || l.off || ' off, promotions took ' || u.off FROM app.orders o"
        " JOIN LATERAL (SELECT sum(amount) AS off FROM app.discount_uses"
        " WHERE tenant_id = o.tenant_id AND order_id = o.id) u ON u.off IS NOT NULL"
        " JOIN LATERAL (SELECT coalesce(max((t->>'amount')::bigint), 0) AS off FROM jsonb_array_elements(o.totals) t"
        " WHERE t->>'type' = 'items_discount') l ON true WHERE l.off <> u.off",
    ),
)
