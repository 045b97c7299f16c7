"""Approvals: by other people than who asked, enough of them, and done once."""

from __future__ import annotations

from typing import Final

from engine.checks.rule import Rule

_RESTS: Final = (
    "SELECT approved AS approval, 'refund ' || id AS what, amount FROM app.refunds WHERE approved LIKE 'apv\\_%'"
    " UNION ALL SELECT approved, 'stock ' || id, value FROM app.stock_adjustments WHERE approved LIKE 'apv\\_%'"
    " UNION ALL SELECT approved, 'gift ' || id, amount FROM app.courtesies WHERE approved LIKE 'apv\\_%'"
    " UNION ALL SELECT approval_id, 'change ' || id, 0 FROM app.order_changes WHERE approval_id IS NOT NULL"
    " UNION ALL SELECT origin->>'approval_id', 'replacement ' || id, 0 FROM app.orders"
    " WHERE origin->>'approval_id' IS NOT NULL"
)

RULES: Final = (
    Rule(
        "what was approved was done, once",
        "SELECT count(*) FROM app.approvals WHERE status = 'approved'",
        "SELECT p.id, 'is ' || p.status || ', and was done ' || count(a.id) || ' times' FROM app.approvals p"
        " LEFT JOIN app.audit a ON a.tenant_id = p.tenant_id AND a.subject = p.id AND a.action = 'approval.executed'"
        " GROUP BY p.id, p.status HAVING count(a.id) <> CASE p.status WHEN 'approved' THEN 1 ELSE 0 END",
    ),
    Rule(
        "nobody approves what they asked for",
        "SELECT count(*) FROM app.approvals WHERE jsonb_array_length(agreed) > 0",
        "SELECT p.id, 'was asked for and agreed to by ' || p.requested_by FROM app.approvals p"
        " CROSS JOIN LATERAL jsonb_array_elements(p.agreed) y"
        " WHERE y->>'by' = p.requested_by OR y->>'who' = p.requested_who",
    ),
    Rule(
        "as many people agreed as it took",
        "SELECT count(*) FROM app.approvals WHERE status IN ('claimed', 'approved')",
        "SELECT p.id, 'took ' || p.needed || ' people and has ' || count(DISTINCT y->>'who') FROM app.approvals p"
        " LEFT JOIN LATERAL jsonb_array_elements(p.agreed) y ON true WHERE p.status IN ('claimed', 'approved')"
        " GROUP BY p.id, p.needed HAVING count(DISTINCT y->>'who') < p.needed",
    ),
    Rule(
        "what moved on an approval rests on one that was given, and is no more than that",
        f"SELECT count(*) FROM ({_RESTS}) r",  # noqa: S608 (ours)
        "SELECT r.approval, min(r.what) || ' rests on it, and it is ' || coalesce(p.status, 'not there')"  # noqa: S608 (ours)
        f" || ' for ' || coalesce(p.amount, 0) FROM ({_RESTS}) r LEFT JOIN app.approvals p ON p.id = r.approval"
        " WHERE r.what NOT LIKE 'refund%' OR p.kind <> 'order_change' OR p.id IS NULL"
        " GROUP BY r.approval, p.status, p.amount"
        " HAVING coalesce(p.status, '') NOT IN ('claimed', 'approved') OR sum(r.amount) > p.amount",
    ),
    Rule(
        "what people gave away is what was counted",
        "SELECT count(*) FROM app.courtesies",
        "SELECT c.id, 'counts ' || c.amount || ', and gave ' || coalesce(e.amount::text, d.code, 'nothing')"
        " FROM app.courtesies c LEFT JOIN app.discounts d ON d.tenant_id = c.tenant_id"
        " AND d.id = split_part(c.id, '.', 1)"
        " LEFT JOIN (SELECT account_id, sum(delta) AS amount FROM app.stored_value_entries WHERE kind = 'issue'"
        " GROUP BY 1) e ON e.account_id = c.id WHERE CASE WHEN c.kind IN ('code', 'promotion')"
        " THEN d.id IS NULL ELSE e.amount IS DISTINCT FROM c.amount END",
    ),
)
