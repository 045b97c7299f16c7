"""What breaks each rule of ``engine/checks/fulfillment.py``: SQL that the owner runs in the second tenant."""

# ruff: noqa: E501, S608
from __future__ import annotations

_WORK = (
    "INSERT INTO app.fulfillments (tenant_id, id, order_id, location_id, partner, status, routing, capture_ids, released_at, updated_at, version)"
    " SELECT r.tenant_id, 'ful_x', l.order_id, r.location_id, 'own', 'released', '{}', '{cap_x}', now(), now(), 1"
    " FROM app.reservations r JOIN app.order_lines l ON l.tenant_id = r.tenant_id AND l.id = r.order_line_id"
)
_PARCEL = (
    "INSERT INTO app.shipments (tenant_id, id, order_id, location_id, fulfillment_id, carrier, tracking_number, status, lines, events, shipped_at)"
    " SELECT f.tenant_id, 'shi_x', f.order_id, f.location_id, f.id, 'X', '1', 'shipped',"
    " jsonb_build_array(jsonb_build_object('order_line_id', l.id, 'quantity', 1)), '[]', now()"
    " FROM app.fulfillments f JOIN app.order_lines l ON l.tenant_id = f.tenant_id AND l.order_id = f.order_id"
)

FAULTS: dict[str, str] = {
    "released units are the fulfillments' units": "UPDATE app.order_lines SET released = 1",
    "shipped units are the parcels' units": "UPDATE app.order_lines SET released = 1, shipped = 1",
    "a fulfillment's shipped units are its parcels' units": f"{_WORK};"
    " INSERT INTO app.fulfillment_lines (tenant_id, fulfillment_id, order_line_id, quantity, shipped, canceled, cancel_requested)"
    " SELECT l.tenant_id, 'ful_x', l.id, 1, 1, 0, 0 FROM app.order_lines l",
    "delivered units are the delivered parcels' units": "UPDATE app.order_lines SET released = 1, shipped = 1, delivered = 1",
    "parcels earned exactly what they hold": "UPDATE app.order_lines SET released = 1, shipped = 1",
    "every shipped unit left its place's shelf": f"{_WORK}; {_PARCEL}",
    "no goods left before their money was in": f"{_WORK}; {_PARCEL}",
}
