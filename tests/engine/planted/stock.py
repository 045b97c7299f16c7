"""What breaks each rule of ``engine/checks/stock.py``: SQL that the owner runs in the second tenant."""

from __future__ import annotations

FAULTS: dict[str, str] = {
    "reserved stock equals the live reservations": "UPDATE app.reservations SET quantity = quantity + 1",
    "stock equals its ledger": "UPDATE app.stock_levels SET on_hand = on_hand + 1",
    "nothing is held for a payment that ended": "UPDATE app.reservations SET status = 'held'",
    "every unshipped unit of an open order is reserved or waits for stock": (
        "UPDATE app.reservations SET status = 'released'"
    ),
    "allocated units are shipped or reserved": (
        "UPDATE app.reservations SET quantity = quantity * 2, per_unit = 2;"
        "UPDATE app.order_lines SET ordered = ordered + 1, allocated = allocated + 1"
    ),
    "what was written on or off by hand is in the stock ledger": (
        "INSERT INTO app.stock_adjustments (tenant_id, id, actor, units, value, at)"
        " SELECT tenant_id, 'mov_x', 'key_x', 1, 0, now() FROM app.variants LIMIT 1"
    ),
    "nobody waits for a sale that never was": (
        "INSERT INTO app.backorders (tenant_id, id, order_id, order_line_id, variant_id, quantity, kind, status,"
        " created_at) SELECT tenant_id, 'bko_x', 'ord_x', 'oli_x', id, 1, 'backorder', 'waiting', now()"
        " FROM app.variants"
    ),
    "a backorder's status says what its units do": (
        "INSERT INTO app.backorders (tenant_id, id, order_id, order_line_id, variant_id, quantity, kind, status,"
        " created_at) SELECT tenant_id, 'bko_x', 'ord_x', 'oli_x', id, 1, 'backorder', 'allocated', now()"
        " FROM app.variants"
    ),
    "a bundle has parts that are no bundles, and no stock of its own": (
        "INSERT INTO app.variants (tenant_id, id, product_id, sku, title, options, price, cost, weight_g, length_mm,"
        " width_mm, height_mm, sellable, position, updated_at) SELECT tenant_id, 'var_x', product_id, 'X', title,"
        " options, price, cost, 1, 1, 1, 1, true, 9, now() FROM app.variants;"
        "INSERT INTO app.bundle_components (tenant_id, bundle_variant_id, component_variant_id, quantity)"
        " SELECT tenant_id, id, 'var_x', 1 FROM app.variants WHERE id <> 'var_x'"
    ),
}
