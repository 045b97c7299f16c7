"""What has no parcel, and lines of one order that go different ways."""

# ruff: noqa: S608 (the only text put in is our own)
from __future__ import annotations

from typing import Final

from engine.checks.rule import Rule

_WITH_CODES: Final = "v.digital ->> 'codes' = 'true'"

RULES: Final[tuple[Rule, ...]] = (
    Rule(
        "free codes are the units on hand",
        f"SELECT count(*) FROM app.variants v WHERE {_WITH_CODES}",
        "SELECT v.id, 'free ' || coalesce(c.units, 0) || ', on hand ' || coalesce(s.units, 0) FROM app.variants v"
        " LEFT JOIN (SELECT variant_id, count(*) AS units FROM app.digital_codes WHERE status = 'free' GROUP BY 1) c"
        " ON c.variant_id = v.id"
        " LEFT JOIN (SELECT variant_id, sum(on_hand) AS units FROM app.stock_levels GROUP BY 1) s"
        " ON s.variant_id = v.id"
        f" WHERE {_WITH_CODES} AND coalesce(c.units, 0) <> coalesce(s.units, 0)",
    ),
    Rule(
        "each unit that comes with a code has one of its own",
        "SELECT count(*) FROM app.digital_deliveries",
        "SELECT d.id, 'units ' || d.quantity || ', codes ' || count(c.id) FROM app.digital_deliveries d"
        " JOIN app.variants v ON v.tenant_id = d.tenant_id AND v.id = d.variant_id"
        " LEFT JOIN app.digital_codes c ON c.tenant_id = d.tenant_id AND c.delivery_id = d.id"
        f" WHERE {_WITH_CODES} GROUP BY d.id, d.quantity HAVING count(c.id) <> d.quantity",
    ),
    Rule(
        "what was sent without a parcel was given to its buyer",
        "SELECT count(*) FROM app.order_lines WHERE digital",
        "SELECT l.id, 'sent ' || l.shipped || ', given ' || coalesce(d.units, 0) FROM app.order_lines l"
        " LEFT JOIN (SELECT order_line_id, sum(quantity) AS units FROM app.digital_deliveries GROUP BY 1) d"
        " ON d.order_line_id = l.id"
        " WHERE (l.digital OR d.units > 0) AND (l.shipped <> coalesce(d.units, 0) OR l.delivered <> l.shipped)",
    ),
    Rule(
        "what is fetched by a way of its own lies at its place",
        "SELECT count(*) FROM app.order_lines WHERE way IS NOT NULL",
        "SELECT DISTINCT l.id, 'reserved at ' || r.location_id FROM app.order_lines l"
        " JOIN app.reservations r ON r.tenant_id = l.tenant_id AND r.order_line_id = l.id"
        " AND r.status IN ('held', 'committed')"
        " WHERE l.way #>> '{place,location_id}' <> r.location_id",
    ),
    Rule(
        "the ways of an order cost what was agreed to",
        "SELECT count(*) FROM app.orders o WHERE EXISTS (SELECT FROM app.order_lines l"
        " WHERE l.tenant_id = o.tenant_id AND l.order_id = o.id AND l.way IS NOT NULL)",
        "SELECT o.id, 'agreed to ' || t.fee || ', ways cost ' || w.fee FROM app.orders o"
        " CROSS JOIN LATERAL (SELECT sum((row ->> 'amount')::int) AS fee FROM jsonb_array_elements(o.totals) row"
        " WHERE row ->> 'type' = 'fulfillment') t"
        " CROSS JOIN LATERAL (SELECT (o.fulfillment ->> 'amount')::int + sum(fee) AS fee FROM ("
        "SELECT DISTINCT l.way ->> 'id' AS id, (l.way ->> 'amount')::int AS fee FROM app.order_lines l"
        " WHERE l.tenant_id = o.tenant_id AND l.order_id = o.id AND l.way IS NOT NULL) each) w"
        " WHERE w.fee IS NOT NULL AND t.fee IS DISTINCT FROM w.fee",
    ),
)
