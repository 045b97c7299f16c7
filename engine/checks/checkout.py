"""Checkout sessions and consents."""

from __future__ import annotations

from typing import Final

from engine.checks.rule import Rule

RULES: Final = (
    Rule(
        "a session is completed exactly when its payment ended well",
        "SELECT count(*) FROM app.checkout_sessions",
        "SELECT c.id, 'is ' || c.status || ' with ' || count(p.id) || ' payments' FROM app.checkout_sessions c"
        " LEFT JOIN app.payments p ON p.tenant_id = c.tenant_id AND p.session_id = c.id AND p.tender = 'card'"
        " AND p.status IN ('authorized', 'partially_captured', 'captured', 'voided', 'expired')"
        " GROUP BY c.id, c.status HAVING (count(p.id) = 1) <> (c.status = 'completed') OR count(p.id) > 1",
    ),
    Rule(
        "what is only authorized says since when, and only what may wait is",
        "SELECT count(*) FROM app.payments WHERE status = 'authorized'",
        "SELECT id, 'is authorized in mode ' || capture_mode FROM app.payments WHERE status = 'authorized'"
        " AND session_id IS NOT NULL AND gateway <> 'seed' AND (capture_mode <> 'at_release' OR authorized_at IS NULL)",
    ),
    Rule(
        "a session in progress has a payment under way",
        "SELECT count(*) FROM app.checkout_sessions WHERE status = 'complete_in_progress'",
        "SELECT c.id, 'has no payment under way' FROM app.checkout_sessions c WHERE c.status = 'complete_in_progress'"
        " AND NOT EXISTS (SELECT FROM app.payments p WHERE p.tenant_id = c.tenant_id AND p.session_id = c.id"
        " AND p.status IN ('processing', 'unknown'))",
    ),
    Rule(
        "every payment rests on a consent used once",
        "SELECT count(*) FROM app.payments WHERE gateway <> 'seed' AND brought_at IS NULL",
        "SELECT p.id, 'consent ' || coalesce(p.consent_id, 'missing') || ' is ' || coalesce(c.status, 'missing')"
        " FROM app.payments p LEFT JOIN app.consents c ON c.tenant_id = p.tenant_id AND c.id = p.consent_id"
        " WHERE p.gateway <> 'seed' AND p.brought_at IS NULL AND (c.id IS NULL OR c.status <> 'claimed'"
        " OR (p.tender = 'card' AND c.payment_id <> p.id) OR (c.summary->'total'->>'amount')::bigint <> ("
        "SELECT sum(s.amount) FROM app.payments s WHERE s.tenant_id = p.tenant_id AND s.order_id = p.order_id"
        " AND s.consent_id = p.consent_id))",
    ),
)
