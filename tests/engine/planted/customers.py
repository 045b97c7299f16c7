"""What breaks each rule of ``engine/checks/customers.py``: SQL that the owner runs in the second tenant."""

# ruff: noqa: S608
from __future__ import annotations

_SOMEBODY = (
    "INSERT INTO app.customers (tenant_id, id, email, name, phone, created_at)"
    " SELECT DISTINCT tenant_id, '{id}', '{id}@example.com', 'Somebody', '', now() FROM app.orders"
)
_ONE = _SOMEBODY.format(id="cus_x")
FAULTS: dict[str, str] = {
    "a customer's points are the sum of their entries": f"{_ONE};"
    "INSERT INTO app.loyalty_accounts (tenant_id, customer_id, balance) SELECT tenant_id, id, 5 FROM app.customers",
    "no order gives points for more than it is worth": f"{_ONE};"
    "INSERT INTO app.loyalty_entries (tenant_id, id, customer_id, kind, delta, order_id, rate, subject, at)"
    " SELECT tenant_id, 'lye_x', 'cus_x', 'earn', total + 1, id, 1, id, now() FROM app.orders",
    "no order gives points for what a lost chargeback took": f"{_ONE};"
    "INSERT INTO app.disputes (tenant_id, id, payment_id, order_id, gateway, gateway_dispute_id, amount, fee, currency,"
    " reason, status, evidence, opened_at, updated_at) SELECT tenant_id, 'dsp_' || id, id, order_id, gateway, id,"
    " 1000000, 0, currency, 'x', 'lost', '{}', now(), now() FROM app.payments WHERE status = 'captured';"
    "INSERT INTO app.loyalty_entries (tenant_id, id, customer_id, kind, delta, order_id, rate, subject, at)"
    " SELECT tenant_id, 'lye_' || id, 'cus_x', 'earn', 1, id, 1, id, now() FROM app.orders;"
    "UPDATE app.outbox SET delivered_at = now() WHERE consumer = 'customers' AND delivered_at IS NULL",
    "a customer that became another keeps nothing": f"{_ONE};{_SOMEBODY.format(id='cus_y')};"
    "UPDATE app.customers SET merged_into = 'cus_y' WHERE id = 'cus_x'",
    "every claim names an order, and none without a verified e-mail gave it away": "INSERT INTO app.customer_links"
    " (tenant_id, id, email, source, subject_id, status, created_at)"
    " SELECT tenant_id, 'cln_x', 'x@example.com', 'acp', id, 'verified', now() FROM app.orders",
    "erased customers hold no personal data": f"{_ONE};"
    "UPDATE app.customers SET erased_at = now(), email = id || '@erased.invalid' WHERE id = 'cus_x'",
}
