"""What breaks each rule of ``engine/checks/promotions.py``: SQL that the owner runs in the second tenant."""

# ruff: noqa: E501
from __future__ import annotations

FAULTS: dict[str, str] = {
    "a promotion's uses are those that orders have claimed": "INSERT INTO app.discounts (tenant_id, id, code, title, minimum, used) SELECT current_setting('app.tenant_id'), 'dsc_x', 'X', 'X', 0, 1",
    "no promotion was used more often than its limit": "INSERT INTO app.discounts (tenant_id, id, code, title, minimum, used, used_before, usage_limit) SELECT current_setting('app.tenant_id'), 'dsc_x', 'X', 'X', 0, 2, 2, 1",
    "no buyer used a promotion more often than each may": "INSERT INTO app.discounts (tenant_id, id, code, title, minimum, used, per_customer_limit) SELECT current_setting('app.tenant_id'), 'dsc_x', 'X', 'X', 0, 1, 0; INSERT INTO app.discount_uses (tenant_id, discount_id, order_id, amount, shipping, currency, used_at) SELECT tenant_id, 'dsc_x', id, 0, 0, currency, now() FROM app.orders LIMIT 1",
    "a use that counts belongs to an order that was placed or is being paid": "INSERT INTO app.discounts (tenant_id, id, code, title, minimum, used) SELECT current_setting('app.tenant_id'), 'dsc_x', 'X', 'X', 0, 1; INSERT INTO app.discount_uses (tenant_id, discount_id, order_id, amount, shipping, currency, used_at) SELECT tenant_id, 'dsc_x', id, 0, 0, currency, now() FROM app.orders LIMIT 1; UPDATE app.orders SET status = 'canceled', placed_at = NULL",
    "what promotions took off an order is its discount": "INSERT INTO app.discounts (tenant_id, id, code, title, minimum, used) SELECT current_setting('app.tenant_id'), 'dsc_x', 'X', 'X', 0, 1; INSERT INTO app.discount_uses (tenant_id, discount_id, order_id, amount, shipping, currency, used_at) SELECT tenant_id, 'dsc_x', id, 99, 0, currency, now() FROM app.orders LIMIT 1",
}
