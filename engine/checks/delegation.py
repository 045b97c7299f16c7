"""Single-use tokens and the ids they paid under, at gateways where we keep both."""

from __future__ import annotations

from typing import Final

from engine.checks.rule import Rule

RULES: Final = (
    Rule(
        "a delegated token pays once and within its allowance",
        "SELECT count(*) FROM app.delegated_tokens WHERE consumed_by IS NOT NULL",
        "SELECT t.consumed_by, 'took ' || coalesce(h.amount || ' ' || h.currency, 'nothing known') || ' of '"
        " || t.max_amount || ' ' || t.currency FROM app.delegated_tokens t"
        " LEFT JOIN app.gateway_handles h ON h.tenant_id = t.tenant_id AND h.gateway = t.gateway"
        " AND h.key = t.consumed_by AND h.kind IN ('payment', 'hold')"
        " WHERE t.consumed_by IS NOT NULL AND h.outcome IS DISTINCT FROM 'canceled'"
        " AND (h.key IS NULL OR h.amount > t.max_amount OR h.currency <> t.currency)",
    ),
    Rule(
        "a payment at a gateway stands for one of ours",
        "SELECT count(*) FROM app.gateway_handles WHERE kind IN ('payment', 'hold') AND gateway_id IS NOT NULL",
        "SELECT gateway_id, 'stands for ' || string_agg(key, ', ' ORDER BY key) FROM app.gateway_handles"
        " WHERE kind IN ('payment', 'hold') AND gateway_id IS NOT NULL AND outcome IS NULL"
        " GROUP BY gateway, gateway_id HAVING count(*) > 1",
    ),
)
