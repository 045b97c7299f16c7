"""Warranties: one for each unit that arrived, and every claim made good once."""

# ruff: noqa: S608 (the only text put in is our own)
from __future__ import annotations

from typing import Final

from engine.checks.rule import Rule

_DONE: Final = "c.status IN ('refunded', 'closed') AND c.resolution = 'refund' AND c.resolved_at IS NOT NULL"

RULES: Final[tuple[Rule, ...]] = (
    Rule(
        "warranties are of units that arrived",
        "SELECT count(*) FROM app.warranties",
        "SELECT l.id, 'delivered ' || l.delivered || ', warranties ' || count(*)"
        " FROM app.warranties w JOIN app.order_lines l ON l.tenant_id = w.tenant_id AND l.id = w.order_line_id"
        " LEFT JOIN LATERAL (SELECT (part->>'quantity')::int AS units FROM jsonb_array_elements(l.components) part"
        " WHERE part->>'variant_id' = w.variant_id) c ON true"
        " WHERE w.status <> 'void' AND NOT EXISTS (SELECT FROM app.outbox o WHERE o.tenant_id = w.tenant_id"
        " AND o.consumer = 'warranties' AND o.delivered_at IS NULL)"
        " GROUP BY l.id, l.delivered, w.variant_id, c.units HAVING count(*) > l.delivered * coalesce(c.units, 1)",
    ),
    Rule(
        "a claim is made good once, by what was decided",
        "SELECT count(*) FROM app.warranty_claims",
        "SELECT c.id, coalesce(c.resolution, 'nothing') || ': ' || o.sent || ' orders, ' || r.paid || ' refunds'"
        " FROM app.warranty_claims c"
        " CROSS JOIN LATERAL (SELECT count(*) AS sent, min(id) AS id FROM app.orders"
        " WHERE tenant_id = c.tenant_id AND origin->>'claim_id' = c.id) o"
        " CROSS JOIN LATERAL (SELECT count(*) AS paid FROM app.refunds"
        " WHERE tenant_id = c.tenant_id AND claim_id = c.id) r"
        " WHERE o.sent > 1 OR c.replacement_order_id IS DISTINCT FROM o.id"
        " OR (r.paid > 0 AND (o.sent > 0 OR c.resolution IS DISTINCT FROM 'refund'))",
    ),
    Rule(
        "a claim gave back what its refunds and its order say",
        "SELECT count(*) FROM app.warranty_claims WHERE resolution = 'refund'",
        "SELECT c.id, 'gave ' || g.amount || ', refunds ' || r.amount || ', adjusted ' || a.amount"
        " FROM app.warranty_claims c"
        f" CROSS JOIN LATERAL (SELECT CASE WHEN {_DONE} THEN c.amount ELSE 0 END AS amount) g"
        " CROSS JOIN LATERAL (SELECT coalesce(sum(amount), 0) AS amount FROM app.refunds"
        " WHERE tenant_id = c.tenant_id AND claim_id = c.id) r"
        " CROSS JOIN LATERAL (SELECT coalesce(-sum(amount), 0) AS amount FROM app.order_adjustments"
        " WHERE tenant_id = c.tenant_id AND claim_id = c.id) a"
        " WHERE (r.amount, a.amount) <> (g.amount, g.amount)",
    ),
    Rule(
        "a unit is paid back at most once",
        "SELECT count(*) FROM app.warranties WHERE root_id = id",
        "SELECT w.id, 'is ' || w.status || ', claims that paid for it: ' || p.claims FROM app.warranties w"
        " CROSS JOIN LATERAL (SELECT count(*) AS claims FROM app.warranties v JOIN app.warranty_claims c"
        " ON c.tenant_id = v.tenant_id AND c.warranty_id = v.id"
        f" WHERE v.tenant_id = w.tenant_id AND v.root_id = w.id AND {_DONE}) p"
        " WHERE w.root_id = w.id AND p.claims <> (w.status = 'refunded')::int",
    ),
    Rule(
        "every parcel of a claim is in the books",
        "SELECT count(*) FROM app.warranty_claims WHERE label_at IS NOT NULL",
        "SELECT c.id, 'parcels ' || c.label_cost + c.back_cost || ', posted ' || g.posted FROM app.warranty_claims c"
        " CROSS JOIN LATERAL (SELECT coalesce(sum(p.amount), 0) AS posted FROM app.journal_entries e"
        " JOIN app.postings p ON p.tenant_id = e.tenant_id AND p.entry_id = e.id AND p.account = 'warranty_expense'"
        " WHERE e.tenant_id = c.tenant_id AND e.kind IN ('warranty_parcel_in', 'warranty_parcel_back')"
        " AND e.subject = c.id) g WHERE c.label_cost + c.back_cost <> g.posted",
    ),
    Rule(
        "what was chosen for a claim is what its card offered",
        "SELECT count(*) FROM app.consents WHERE kind = 'warranty' AND choice IS NOT NULL",
        "SELECT n.id, 'chose ' || n.choice || ' of ' || (n.summary->>'offers') FROM app.consents n"
        " WHERE n.kind = 'warranty' AND n.choice IS NOT NULL"
        " AND (n.status <> 'claimed' OR NOT jsonb_exists(n.summary->'offers', n.choice))",
    ),
)
