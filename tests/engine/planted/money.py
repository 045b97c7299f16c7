"""What breaks each rule of ``engine/checks/money.py``: SQL that the owner runs in the second tenant."""

# ruff: noqa: E501, S608
from __future__ import annotations

_REFUND = (
    "INSERT INTO app.refunds (tenant_id, id, payment_id, amount, currency, reason, status, created_at)"
    " SELECT tenant_id, 'rfd_x', id, {amount}, currency, 'x', '{status}', now() FROM app.payments"
)
_DISPUTE = (
    "INSERT INTO app.disputes (tenant_id, id, payment_id, order_id, gateway, gateway_dispute_id, amount, fee, currency,"
    " reason, status, evidence, opened_at, updated_at) SELECT tenant_id, 'dsp_x', id, order_id, gateway, 'du_x', amount,"
    " 0, currency, 'x', 'lost', '{}', now(), now() FROM app.payments"
)
_ACCOUNT = (
    "INSERT INTO app.stored_value_accounts (tenant_id, id, kind, last4, currency, balance, status, created_at)"
    " SELECT tenant_id, 'sva_x', 'gift_card', '', currency, 5, 'active', now() FROM app.payments"
)
_ENTRY = (
    "INSERT INTO app.stored_value_entries (tenant_id, account_id, kind, delta, subject, at)"
    " SELECT tenant_id, id, 'issue', 5, id, now() FROM app.stored_value_accounts"
)

FAULTS: dict[str, str] = {
    "money comes and goes in its order's currency": "UPDATE app.captures SET currency = 'EUR'",
    "every placed order's total is paid or promised": "UPDATE app.payments SET amount = amount - 1",
    "every payment that took or holds money has its order": "UPDATE app.orders SET placed_at = NULL",
    "a payment's captures are what its status says": "DELETE FROM app.captures",
    "every capture is in the journal once": "DELETE FROM app.postings; DELETE FROM app.journal_entries",
    "our payments equal the gateway's": "UPDATE app.captures SET amount = amount - 1, tax = 0",
    "no more goes back out of a payment than came in": _REFUND.format(amount="amount + 1", status="pending"),
    "every refund is in the journal once": _REFUND.format(amount="1", status="succeeded"),
    "every dispute is in the journal as far as it got": _DISPUTE,
    "stored value equals its ledger": _ACCOUNT,
    "stored value is what the books owe for it": f"{_ACCOUNT}; {_ENTRY}",
    "what is held of stored value is held for a payment that needs it": (
        _ACCOUNT + "; UPDATE app.payments SET stored_value_id = 'sva_x', tender = 'gift_card:sva_x'"
    ),
    "no token paid twice": (
        "INSERT INTO app.payments (tenant_id, id, session_id, change_id, order_id,"
        " token_hash, gateway, amount, currency, method, status, recovery_attempts, created_at) SELECT tenant_id, 'pay_x',"
        " NULL, 'chg_x', order_id, token_hash, gateway, 0, currency, method, 'voided', 0, now() FROM app.payments"
    ),
    "the audit chain is whole": "DELETE FROM app.audit WHERE seq = 1",
}
