"""What breaks each rule of ``engine/checks/delegation.py``: SQL that the owner runs in the second tenant."""

# ruff: noqa: E501
from __future__ import annotations

FAULTS: dict[str, str] = {
    "a delegated token pays once and within its allowance": "INSERT INTO app.delegated_tokens (tenant_id, token_hash, gateway, session_id, method_hash, method_sealed, currency, max_amount, expires_at, consumed_by, consumed_at, created_at) SELECT tenant_id, 'h', 'stripe', 'cs_x', 'm', '', currency, amount - 1, now(), id, now(), now() FROM app.payments; INSERT INTO app.gateway_handles (tenant_id, gateway, key, kind, payment_id, body_hash, amount, currency, created_at) SELECT tenant_id, 'stripe', id, 'payment', id, '', amount, currency, now() FROM app.payments",
    "a payment at a gateway stands for one of ours": "INSERT INTO app.gateway_handles (tenant_id, gateway, key, kind, payment_id, body_hash, amount, currency, gateway_id, created_at) SELECT tenant_id, 'stripe', id || n, 'payment', id || n, '', amount, currency, 'pi_x', now() FROM app.payments, generate_series(1, 2) AS n",
}
