"""Payments, refunds and their place in the journal."""

from __future__ import annotations

from typing import Final

from engine.checks.rule import Rule

RULES: Final = (
    Rule(
        "every captured payment has its order",
        "SELECT count(*) FROM app.payments WHERE status = 'captured'",
        "SELECT p.id, 'order ' || p.order_id || ' is ' || coalesce(o.status, 'missing') FROM app.payments p"
        " LEFT JOIN app.orders o ON o.tenant_id = p.tenant_id AND o.id = p.order_id"
        " WHERE p.status = 'captured' AND (o.id IS NULL OR o.placed_at IS NULL OR o.status = 'pending_payment')",
    ),
    Rule(
        "every captured payment is in the journal once",
        "SELECT count(*) FROM app.payments WHERE status = 'captured' AND amount > 0",
        "SELECT p.id, 'paid ' || p.amount || ', posted ' || coalesce(sum(g.amount), 0) FROM app.payments p"
        " LEFT JOIN app.journal_entries e ON e.tenant_id = p.tenant_id AND e.kind = 'capture' AND e.subject = p.id"
        " LEFT JOIN app.postings g ON g.tenant_id = e.tenant_id AND g.entry_id = e.id AND g.account = 'psp_clearing'"
        " WHERE p.status = 'captured' GROUP BY p.id, p.amount HAVING coalesce(sum(g.amount), 0) <> p.amount",
    ),
    Rule(
        "every refund is in the journal once",
        "SELECT count(*) FROM app.refunds WHERE status = 'succeeded'",
        "SELECT r.id, 'refunded ' || r.amount || ', posted ' || coalesce(-sum(g.amount), 0) FROM app.refunds r"
        " LEFT JOIN app.journal_entries e ON e.tenant_id = r.tenant_id AND e.kind = 'refund' AND e.subject = r.id"
        " LEFT JOIN app.postings g ON g.tenant_id = e.tenant_id AND g.entry_id = e.id AND g.account = 'psp_clearing'"
        " WHERE r.status = 'succeeded' GROUP BY r.id, r.amount HAVING coalesce(-sum(g.amount), 0) <> r.amount",
    ),
    Rule(
        "no more is refunded than was captured",
        "SELECT count(*) FROM app.payments",
        "SELECT p.id, 'captured ' || p.amount || ', refunded ' || sum(r.amount) FROM app.payments p"
        " JOIN app.refunds r ON r.tenant_id = p.tenant_id AND r.payment_id = p.id AND r.status <> 'failed'"
        " GROUP BY p.id, p.amount HAVING sum(r.amount) > p.amount",
    ),
)
