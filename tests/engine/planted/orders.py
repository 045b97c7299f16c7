"""What breaks each rule of ``engine/checks/orders.py``: SQL that the owner runs in the second tenant."""

from __future__ import annotations

FAULTS: dict[str, str] = {
    "order totals add up": "UPDATE app.orders SET total = total + 1",
    "order lines agree with the order's items and discount": "UPDATE app.order_lines SET unit_price = unit_price + 1",
}
