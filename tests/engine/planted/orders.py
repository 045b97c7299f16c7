"""What breaks each rule of ``engine/checks/orders.py``: SQL that the owner runs in the second tenant."""

# ruff: noqa: E501
from __future__ import annotations

_CHANGE = (
    "INSERT INTO app.order_changes (tenant_id, id, order_id, kind, status, requested_by, wanted, quote, digest, order_version, expires_at, created_at)"
    " SELECT tenant_id, 'chg_x', id, 'cancel', '{status}', 'x', '{{}}', '{{\"amount\": -1, \"effect\": {{\"charge\": 0, \"refund\": 1, \"moved_tax\": 0}}}}', 'x', 1, now(), now() FROM app.orders"
)
FAULTS: dict[str, str] = {
    "an order is found by every word of its buyer's name, and by no other": "UPDATE app.order_words SET word = word || 'x'",
    "order totals add up": "UPDATE app.orders SET total = total + 1",
    "order lines agree with the order's items and discount": "UPDATE app.order_lines SET unit_price = unit_price + 1",
    "what is due is what was kept": "UPDATE app.orders SET shipping = shipping + 1",
    "every placed order has its money": "UPDATE app.captures SET amount = amount - 1",
    "the tax of an order in the books is what is due": "UPDATE app.orders SET tax = tax + 1",
    "no order waits with nothing left to do": "UPDATE app.order_lines SET canceled = ordered, allocated = 0",
    "an order is canceled exactly when no unit of it was kept": "UPDATE app.orders SET status = 'canceled'",
    "every applied change left what it promised": _CHANGE.format(status="applied"),
    "every change rests on a consent or a name": _CHANGE.format(status="applied"),
    "a change that is being paid has a payment under way": _CHANGE.format(status="charging"),
}
