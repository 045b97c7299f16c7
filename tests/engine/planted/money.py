"""What breaks each rule of ``engine/checks/money.py``: SQL that the owner runs in the second tenant."""

# ruff: noqa: E501
from __future__ import annotations

FAULTS: dict[str, str] = {
    "every captured payment has its order": "UPDATE app.orders SET placed_at = NULL",
    "every captured payment is in the journal once": "DELETE FROM app.postings; DELETE FROM app.journal_entries",
    "our payments equal the gateway's": "UPDATE app.payments SET status = 'failed'",
    "no more is refunded than was captured": "INSERT INTO app.refunds (tenant_id, id, payment_id, amount, currency, reason, status, created_at) SELECT tenant_id, 'rfd_x', id, amount + 1, currency, 'x', 'succeeded', now() FROM app.payments",
    "every refund is in the journal once": "INSERT INTO app.refunds (tenant_id, id, payment_id, amount, currency, reason, status, created_at) SELECT tenant_id, 'rfd_x', id, 1, currency, 'x', 'succeeded', now() FROM app.payments",
    "the audit chain is whole": "DELETE FROM app.audit WHERE seq = 1",
}
