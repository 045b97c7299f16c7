"""Stock, its ledger and what is promised of it."""

from __future__ import annotations

from typing import Final

from engine.checks.rule import Rule

RULES: Final = (
    Rule(
        "stock is never negative and never promised twice",
        "SELECT count(*) FROM app.stock_levels",
        "SELECT variant_id, 'on hand ' || on_hand || ', reserved ' || reserved FROM app.stock_levels"
        " WHERE on_hand < 0 OR reserved < 0 OR reserved > on_hand",
    ),
    Rule(
        "reserved stock equals the live reservations",
        "SELECT count(*) FROM app.reservations WHERE status IN ('held', 'committed')",
        "SELECT coalesce(s.variant_id, r.variant_id),"
        " 'level says ' || coalesce(s.reserved, 0) || ', reservations say ' || coalesce(r.quantity, 0)"
        " FROM app.stock_levels s FULL JOIN (SELECT variant_id, location_id, sum(quantity) AS quantity"
        " FROM app.reservations WHERE status IN ('held', 'committed') GROUP BY 1, 2) r"
        " ON r.variant_id = s.variant_id AND r.location_id = s.location_id"
        " WHERE coalesce(s.reserved, 0) <> coalesce(r.quantity, 0)",
    ),
    Rule(
        "stock equals its ledger",
        "SELECT count(*) FROM app.stock_movements",
        "SELECT coalesce(s.variant_id, m.variant_id),"
        " 'level ' || coalesce(s.on_hand, 0) || '/' || coalesce(s.reserved, 0)"
        " || ', ledger ' || coalesce(m.on_hand, 0) || '/' || coalesce(m.reserved, 0)"
        " FROM app.stock_levels s FULL JOIN (SELECT variant_id, location_id, sum(on_hand_delta) AS on_hand,"
        " sum(reserved_delta) AS reserved FROM app.stock_movements GROUP BY 1, 2) m"
        " ON m.variant_id = s.variant_id AND m.location_id = s.location_id"
        " WHERE (coalesce(s.on_hand, 0), coalesce(s.reserved, 0)) <> (coalesce(m.on_hand, 0), coalesce(m.reserved, 0))",
    ),
    Rule(
        "nothing is held for a payment that ended",
        "SELECT count(*) FROM app.reservations WHERE status = 'held'",
        "SELECT r.id, 'is held for a payment that is ' || coalesce(p.status, 'missing') FROM app.reservations r"
        " LEFT JOIN app.payments p ON p.tenant_id = r.tenant_id AND p.id = r.payment_id"
        " WHERE r.status = 'held' AND (p.id IS NULL OR p.status NOT IN ('processing', 'unknown'))",
    ),
    Rule(
        "every unshipped unit of an open order is reserved",
        "SELECT count(*) FROM app.order_lines",
        "SELECT l.id, 'needs ' || (l.ordered - l.canceled - l.shipped) || ', reserved ' || coalesce(sum(r.quantity), 0)"
        " FROM app.orders o JOIN app.order_lines l ON l.tenant_id = o.tenant_id AND l.order_id = o.id"
        " LEFT JOIN app.reservations r ON r.tenant_id = l.tenant_id AND r.order_line_id = l.id"
        " AND r.status = 'committed'"
        " WHERE o.status = 'open' GROUP BY l.id, l.ordered, l.canceled, l.shipped"
        " HAVING coalesce(sum(r.quantity), 0) <> l.ordered - l.canceled - l.shipped",
    ),
)
