"""What breaks each rule of ``engine/checks/digital.py``: SQL that the owner runs in the second tenant."""

# ruff: noqa: E501, S608
from __future__ import annotations

_PARCEL = (
    "INSERT INTO app.shipments (tenant_id, id, order_id, location_id, carrier, tracking_number, status, lines, packages, events, service, label_cost, shipped_at)"
    " SELECT r.tenant_id, 'shi_d', l.order_id, r.location_id, 'Digital', 'D1', 'delivered', '[]', '[]', '[]', '', 0, now()"
    " FROM app.reservations r JOIN app.order_lines l ON l.tenant_id = r.tenant_id AND l.id = r.order_line_id LIMIT 1"
)
_GIVEN = (
    "INSERT INTO app.digital_deliveries (tenant_id, id, order_id, order_line_id, shipment_id, variant_id, quantity, created_at)"
    " SELECT l.tenant_id, 'dgd_x', l.order_id, l.id, 'shi_d', l.variant_id, 1, now() FROM app.order_lines l LIMIT 1"
)

FAULTS: dict[str, str] = {
    "free codes are the units on hand": """UPDATE app.variants SET digital = '{"codes": true}'""",
    "each unit that comes with a code has one of its own": f"""{_PARCEL}; {_GIVEN}; UPDATE app.variants SET digital = '{{"codes": true}}'""",
    "what was sent without a parcel was given to its buyer": f"{_PARCEL}; {_GIVEN}",
    "what is fetched by a way of its own lies at its place": """UPDATE app.order_lines SET way = '{"id": "pickup_x", "amount": 0, "place": {"location_id": "loc_x"}}'""",
    "the ways of an order cost what was agreed to": """UPDATE app.order_lines SET way = '{"id": "other", "amount": 7}'""",
}
