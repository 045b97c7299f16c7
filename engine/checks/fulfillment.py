"""Shipments and what was handed to warehouses. Parcels of before our time (the seed's) belong to no fulfillment."""

# ruff: noqa: S608 (the only text put in is our own)
from __future__ import annotations

from typing import Final

from engine.checks.rule import Rule
from engine.checks.tax import tax_of

_PARCEL_UNITS: Final = (
    "SELECT s.tenant_id, s.id, s.fulfillment_id, s.status, u->>'order_line_id' AS line_id,"
    " (u->>'quantity')::int AS units FROM app.shipments s CROSS JOIN LATERAL jsonb_array_elements(s.lines) u"
    " WHERE s.status <> 'returned' AND s.remedy IS NULL"
)
"""Units by parcel that count as sent: not those that came back, or were lost and dealt with."""

RULES: Final[tuple[Rule, ...]] = (
    Rule(
        "released units are the fulfillments' units",
        "SELECT count(*) FROM app.order_lines WHERE released > 0",
        "SELECT l.id, 'released ' || l.released || ', handed over ' || coalesce(f.units, 0) + coalesce(p.units, 0)"
        " FROM app.order_lines l"
        " LEFT JOIN (SELECT order_line_id, sum(quantity - canceled) AS units FROM app.fulfillment_lines GROUP BY 1) f"
        " ON f.order_line_id = l.id"
        f" LEFT JOIN (SELECT line_id, sum(units) AS units FROM ({_PARCEL_UNITS}) x WHERE x.fulfillment_id IS NULL"
        " GROUP BY 1) p ON p.line_id = l.id"
        " WHERE l.released <> coalesce(f.units, 0) + coalesce(p.units, 0)",
    ),
    Rule(
        "shipped units are the parcels' units",
        "SELECT count(*) FROM app.shipments",
        "SELECT l.id, 'shipped ' || l.shipped || ', in parcels ' || coalesce(p.units, 0) FROM app.order_lines l"
        f" LEFT JOIN (SELECT line_id, sum(units) AS units FROM ({_PARCEL_UNITS}) x GROUP BY 1) p ON p.line_id = l.id"
        " WHERE l.shipped <> coalesce(p.units, 0)",
    ),
    Rule(
        "a fulfillment's shipped units are its parcels' units",
        "SELECT count(*) FROM app.fulfillment_lines",
        "SELECT f.fulfillment_id, 'shipped ' || f.shipped || ' of ' || f.order_line_id || ', in parcels '"
        " || coalesce(p.units, 0) FROM app.fulfillment_lines f LEFT JOIN (SELECT fulfillment_id, line_id,"
        f" sum(units) AS units FROM ({_PARCEL_UNITS}) x GROUP BY 1, 2) p"
        " ON p.fulfillment_id = f.fulfillment_id AND p.line_id = f.order_line_id"
        " WHERE f.shipped <> coalesce(p.units, 0)",
    ),
    Rule(
        "delivered units are the delivered parcels' units",
        "SELECT count(*) FROM app.shipments WHERE status = 'delivered'",
        "SELECT l.id, 'delivered ' || l.delivered || ', in delivered parcels ' || coalesce(p.units, 0)"
        f" FROM app.order_lines l LEFT JOIN (SELECT line_id, sum(units) AS units FROM ({_PARCEL_UNITS}) x"
        " WHERE x.status = 'delivered' GROUP BY 1) p ON p.line_id = l.id"
        " WHERE l.delivered <> coalesce(p.units, 0)",
    ),
    Rule(
        "parcels earned exactly what they hold",
        "SELECT count(*) FROM app.journal_entries WHERE kind IN ('shipment', 'shipment_returned')",
        "SELECT w.order_id, 'earned ' || coalesce(b.goods, 0) || ' less ' || coalesce(b.discount, 0) || ' at '"
        " || coalesce(b.cost, 0) || ', parcels hold ' || w.goods || ' less ' || w.discount || ' at ' || w.cost"
        " FROM (SELECT order_id, sum(unit_price::bigint * shipped"
        f" - CASE WHEN tax_included THEN {tax_of('shipped')} ELSE 0 END) AS goods,"
        " sum(unit_cost::bigint * shipped) AS cost,"
        " sum(discount::bigint * shipped / ordered) AS discount, sum(shipped) AS units"
        " FROM app.order_lines GROUP BY 1) w"
        " LEFT JOIN (SELECT e.order_id, -coalesce(sum(p.amount) FILTER (WHERE p.account = 'revenue'), 0) AS goods,"
        " coalesce(sum(p.amount) FILTER (WHERE p.account = 'discounts'), 0) AS discount,"
        " coalesce(sum(p.amount) FILTER (WHERE p.account IN"
        " ('cogs', 'replacement_expense', 'warranty_expense')), 0) AS cost,"
        " -coalesce(sum(p.amount) FILTER (WHERE p.account = 'shipping_revenue'), 0) AS shipping"
        " FROM app.journal_entries e JOIN app.postings p ON p.tenant_id = e.tenant_id AND p.entry_id = e.id"
        " WHERE e.kind IN ('shipment', 'shipment_returned', 'shipment_cost', 'shipment_cost_returned') GROUP BY 1) b"
        " ON b.order_id = w.order_id"
        " WHERE (coalesce(b.goods, 0), coalesce(b.discount, 0), coalesce(b.cost, 0)) <> (w.goods, w.discount, w.cost)"
        " OR (w.units = 0 AND coalesce(b.shipping, 0) <> 0)",
    ),
    Rule(
        "every shipped unit left its place's shelf",
        "SELECT count(*) FROM app.shipments WHERE fulfillment_id IS NOT NULL",
        "SELECT s.id, 'holds ' || want.units || ', left the shelf ' || coalesce(gone.units, 0)"
        " FROM app.shipments s CROSS JOIN LATERAL ("
        " SELECT coalesce(sum((u->>'quantity')::int * r.per_unit), 0) AS units"
        " FROM jsonb_array_elements(s.lines) u CROSS JOIN LATERAL (SELECT DISTINCT variant_id, per_unit"
        " FROM app.reservations v WHERE v.tenant_id = s.tenant_id AND v.order_line_id = u->>'order_line_id'"
        " AND v.tracked) r) want"
        " CROSS JOIN LATERAL (SELECT -sum(m.on_hand_delta) AS units FROM app.stock_movements m"
        " WHERE m.tenant_id = s.tenant_id AND m.kind = 'ship' AND m.subject = s.id"
        " AND m.location_id = s.location_id) gone"
        " WHERE s.fulfillment_id IS NOT NULL AND want.units <> coalesce(gone.units, 0)",
    ),
    Rule(
        "no goods left before their money was in",
        "SELECT count(*) FROM app.fulfillments WHERE cardinality(capture_ids) > 0",
        "SELECT f.id, 'shipped with capture ' || c.id || ' ' || coalesce(k.status, 'missing')"
        " FROM app.fulfillments f CROSS JOIN LATERAL unnest(f.capture_ids) AS c (id)"
        " LEFT JOIN app.captures k ON k.tenant_id = f.tenant_id AND k.id = c.id"
        " WHERE EXISTS (SELECT FROM app.shipments s WHERE s.tenant_id = f.tenant_id AND s.fulfillment_id = f.id)"
        " AND k.status IS DISTINCT FROM 'succeeded'",
    ),
)
