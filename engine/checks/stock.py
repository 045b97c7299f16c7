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
        " FROM app.reservations WHERE status IN ('held', 'committed') AND tracked GROUP BY 1, 2) r"
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
        " WHERE r.status = 'held' AND (p.id IS NULL OR p.status NOT IN ('processing', 'unknown'))"
        " AND NOT (r.payment_id IS NULL AND r.expires_at IS NOT NULL) AND NOT EXISTS (SELECT FROM app.order_changes c"
        " WHERE c.tenant_id = p.tenant_id AND c.id = p.change_id AND c.status = 'requested')",
    ),
    Rule(
        "every unshipped unit of an open order is reserved or waits for stock",
        "SELECT count(*) FROM app.order_lines",
        "WITH kept AS (SELECT order_line_id, variant_id,"
        " sum(quantity / per_unit) FILTER (WHERE status IN ('held', 'committed')) AS units"
        " FROM app.reservations GROUP BY 1, 2),"
        " waits AS (SELECT order_line_id, sum(quantity - allocated - canceled) AS units"
        " FROM app.backorders GROUP BY 1)"
        " SELECT DISTINCT l.id, 'needs ' || (l.ordered - l.canceled - l.shipped)"
        " || ', reserved ' || coalesce(k.units, 0) || ', waiting ' || coalesce(w.units, 0)"
        " FROM app.orders o JOIN app.order_lines l ON l.tenant_id = o.tenant_id AND l.order_id = o.id"
        " LEFT JOIN kept k ON k.order_line_id = l.id LEFT JOIN waits w ON w.order_line_id = l.id"
        " WHERE o.status IN ('open', 'on_hold')"
        " AND l.ordered - l.canceled - l.shipped <> coalesce(k.units, 0) + coalesce(w.units, 0)",
    ),
    Rule(
        "allocated units are shipped or reserved",
        "SELECT count(*) FROM app.order_lines",
        "WITH kept AS (SELECT order_line_id, min(units) AS least, max(units) AS most FROM ("
        "SELECT order_line_id, variant_id,"
        " coalesce(sum(quantity / per_unit) FILTER (WHERE status IN ('held', 'committed')), 0) AS units"
        " FROM app.reservations GROUP BY 1, 2) parts GROUP BY 1)"
        " SELECT l.id, 'allocated ' || l.allocated || ', shipped ' || l.shipped"
        " || ', reserved ' || coalesce(k.least, 0) || ' to ' || coalesce(k.most, 0)"
        " FROM app.orders o JOIN app.order_lines l ON l.tenant_id = o.tenant_id AND l.order_id = o.id"
        " LEFT JOIN kept k ON k.order_line_id = l.id"
        " WHERE o.status IN ('open', 'on_hold') AND (l.allocated - l.shipped <> coalesce(k.least, 0)"
        " OR l.allocated - l.shipped <> coalesce(k.most, 0))",
    ),
    Rule(
        "what was written on or off by hand is in the stock ledger",
        "SELECT count(*) FROM app.stock_adjustments WHERE id NOT LIKE 'inb%'",
        "SELECT a.id, 'counts ' || a.units || ' units, the ledger ' || coalesce(m.units, 0)"
        " FROM app.stock_adjustments a LEFT JOIN (SELECT subject, sum(abs(on_hand_delta)) AS units"
        " FROM app.stock_movements WHERE kind IN ('adjust', 'count') GROUP BY 1) m ON m.subject = a.id"
        " WHERE a.id NOT LIKE 'inb%' AND a.units <> coalesce(m.units, 0)",
    ),
    Rule(
        "nobody waits for a sale that never was",
        "SELECT count(*) FROM app.backorders",
        "SELECT b.id, 'waits for ' || (b.quantity - b.allocated - b.canceled) || ' of an order that is '"
        " || coalesce(o.status, 'missing') FROM app.backorders b"
        " LEFT JOIN app.orders o ON o.tenant_id = b.tenant_id AND o.id = b.order_id"
        " WHERE b.quantity > b.allocated + b.canceled AND coalesce(o.status, '') NOT IN"
        " (CASE b.status WHEN 'held' THEN 'pending_payment' ELSE 'open' END, 'on_hold')",
    ),
    Rule(
        "a backorder's status says what its units do",
        "SELECT count(*) FROM app.backorders",
        "SELECT id, status || ' with ' || (quantity - allocated - canceled) || ' waiting' FROM app.backorders"
        " WHERE (status IN ('held', 'waiting')) <> (quantity > allocated + canceled)"
        " OR (status = 'canceled' AND allocated > 0)",
    ),
    Rule(
        "a bundle has parts that are no bundles, and no stock of its own",
        "SELECT count(*) FROM app.bundle_components",
        "SELECT b.bundle_variant_id, 'is part of a bundle itself' FROM app.bundle_components b"
        " JOIN app.bundle_components c ON c.tenant_id = b.tenant_id AND c.component_variant_id = b.bundle_variant_id"
        " UNION ALL SELECT s.variant_id, 'has ' || s.on_hand || ' units of its own' FROM app.stock_levels s"
        " WHERE s.on_hand > 0 AND EXISTS (SELECT FROM app.bundle_components b"
        " WHERE b.tenant_id = s.tenant_id AND b.bundle_variant_id = s.variant_id)",
    ),
)
