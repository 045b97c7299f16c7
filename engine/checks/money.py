"""Payments, what moved within them, stored value, and their place in the journal."""

from __future__ import annotations

from typing import Final

from engine.checks.rule import Rule

RULES: Final = (
    Rule(
        "every placed order's total is paid or promised",
        "SELECT count(*) FROM app.orders WHERE placed_at IS NOT NULL",
        "SELECT o.id, 'total ' || o.total || ', paid or promised ' || coalesce(sum(p.amount), 0) FROM app.orders o"
        " LEFT JOIN app.payments p ON p.tenant_id = o.tenant_id AND p.order_id = o.id AND p.change_id IS NULL"
        " AND p.status IN ('authorized', 'partially_captured', 'captured', 'voided', 'expired')"
        " WHERE o.placed_at IS NOT NULL GROUP BY o.id, o.total HAVING coalesce(sum(p.amount), 0) <> o.total",
    ),
    Rule(
        "money comes and goes in its order's currency",
        "SELECT count(*) FROM app.payments",
        "SELECT m.id, 'is in ' || m.currency || ', its order ' || o.id || ' in ' || o.currency FROM ("
        "SELECT tenant_id, id, order_id, currency FROM app.payments"
        " UNION ALL SELECT tenant_id, id, order_id, currency FROM app.captures"
        " UNION ALL SELECT tenant_id, id, order_id, currency FROM app.refunds) m"
        " JOIN app.orders o ON o.tenant_id = m.tenant_id AND o.id = m.order_id WHERE m.currency <> o.currency"
        " UNION ALL SELECT p.id, 'is in ' || p.currency || ', its account in ' || v.currency FROM app.payments p"
        " JOIN app.stored_value_accounts v ON v.tenant_id = p.tenant_id AND v.id = p.stored_value_id"
        " WHERE v.currency <> p.currency",
    ),
    Rule(
        "every payment that took or holds money has its order",
        "SELECT count(*) FROM app.payments WHERE status IN ('authorized', 'partially_captured', 'captured')",
        "SELECT p.id, 'order ' || p.order_id || ' is ' || coalesce(o.status, 'missing') FROM app.payments p"
        " LEFT JOIN app.orders o ON o.tenant_id = p.tenant_id AND o.id = p.order_id"
        " WHERE p.status IN ('authorized', 'partially_captured', 'captured')"
        " AND (o.id IS NULL OR o.placed_at IS NULL OR o.status = 'pending_payment')",
    ),
    Rule(
        "a payment's captures are what its status says",
        "SELECT count(*) FROM app.payments",
        "SELECT p.id, 'is ' || p.status || ' of ' || p.amount || ' with ' || c.taken || ' captured, ' || c.asked"
        " || ' pending' FROM app.payments p CROSS JOIN LATERAL ("
        " SELECT coalesce(sum(amount) FILTER (WHERE status = 'succeeded'), 0) AS taken,"
        " coalesce(sum(amount) FILTER (WHERE status = 'pending'), 0) AS asked"
        " FROM app.captures WHERE tenant_id = p.tenant_id AND payment_id = p.id) c"
        " WHERE c.taken + c.asked > p.amount OR CASE p.status WHEN 'captured' THEN"
        " (c.taken = 0 AND p.amount > 0) OR (p.capture_mode = 'now' AND c.taken <> p.amount) OR c.asked > 0"
        " WHEN 'partially_captured' THEN c.taken NOT BETWEEN 1 AND p.amount - 1 WHEN 'authorized' THEN c.taken > 0"
        " ELSE c.taken + c.asked > 0 END",
    ),
    Rule(
        "every capture is in the journal once",
        "SELECT count(*) FROM app.captures WHERE status = 'succeeded'",
        "SELECT p.id, 'captured ' || c.taken || ', posted ' || g.posted FROM app.payments p CROSS JOIN LATERAL ("
        " SELECT coalesce(sum(amount), 0) AS taken FROM app.captures WHERE tenant_id = p.tenant_id"
        " AND payment_id = p.id AND status = 'succeeded') c CROSS JOIN LATERAL ("
        " SELECT coalesce(sum(x.amount), 0) AS posted FROM app.journal_entries e"
        " JOIN app.postings x ON x.tenant_id = e.tenant_id AND x.entry_id = e.id"
        " AND x.account IN ('psp_clearing', 'gift_card_liability', 'store_credit_liability')"
        " AND x.currency = p.currency"
        " WHERE e.tenant_id = p.tenant_id AND e.kind IN ('capture', 'stored_value_used')"
        " AND e.subject IN (SELECT p.id UNION ALL SELECT k.id FROM app.captures k"
        " WHERE k.tenant_id = p.tenant_id AND k.payment_id = p.id)) g WHERE c.taken <> g.posted",
    ),
    Rule(
        "every refund is in the journal once",
        "SELECT count(*) FROM app.refunds WHERE status <> 'pending'",
        "SELECT r.id, 'is ' || r.status || ' of ' || r.amount || ', posted ' || -g.posted FROM app.refunds r"
        " CROSS JOIN LATERAL (SELECT coalesce(sum(x.amount), 0) AS posted FROM app.journal_entries e"
        " JOIN app.postings x ON x.tenant_id = e.tenant_id AND x.entry_id = e.id"
        " AND x.account IN ('psp_clearing', 'gift_card_liability', 'store_credit_liability')"
        " AND x.currency = r.currency"
        " WHERE e.tenant_id = r.tenant_id AND e.kind IN ('refund', 'refund_failed') AND e.subject = r.id) g"
        " WHERE -g.posted <> CASE r.status WHEN 'succeeded' THEN r.amount ELSE 0 END",
    ),
    Rule(
        "every dispute is in the journal as far as it got",
        "SELECT count(*) FROM app.disputes",
        "SELECT d.id, 'is ' || d.status || ' of ' || d.amount || ', cleared ' || g.cleared || ', owed ' || g.owed"
        " || ', lost ' || g.lost FROM app.disputes d CROSS JOIN LATERAL ("
        " SELECT coalesce(sum(x.amount) FILTER (WHERE x.account = 'psp_clearing'), 0) AS cleared,"
        " coalesce(sum(x.amount) FILTER (WHERE x.account = 'disputes_receivable'), 0) AS owed,"
        " coalesce(sum(x.amount) FILTER (WHERE x.account = 'dispute_losses'), 0) AS lost"
        " FROM app.journal_entries e JOIN app.postings x ON x.tenant_id = e.tenant_id AND x.entry_id = e.id"
        " WHERE e.tenant_id = d.tenant_id AND e.subject = d.id"
        " AND e.kind IN ('chargeback_opened', 'chargeback_won', 'chargeback_lost')) g"
        " WHERE g.cleared <> CASE d.status WHEN 'won' THEN 0 ELSE -d.amount END - d.fee"
        " OR g.owed <> CASE WHEN d.status IN ('won', 'lost') THEN 0 ELSE d.amount END"
        " OR g.lost <> CASE d.status WHEN 'lost' THEN d.amount ELSE 0 END",
    ),
    Rule(
        "no more goes back out of a payment than came in",
        "SELECT count(*) FROM app.payments",
        "SELECT p.id, 'captured ' || c.taken || ', refunded or pending ' || r.given || ', of it back and arrived '"
        " || r.back || ', disputed ' || d.gone"
        " FROM app.payments p CROSS JOIN LATERAL (SELECT coalesce(sum(amount), 0) AS taken FROM app.captures"
        " WHERE tenant_id = p.tenant_id AND payment_id = p.id AND status = 'succeeded') c"
        " CROSS JOIN LATERAL (SELECT coalesce(sum(amount), 0) AS given, coalesce(sum(amount)"
        " FILTER (WHERE status = 'succeeded' AND destination = 'original'), 0) AS back FROM app.refunds"
        " WHERE tenant_id = p.tenant_id AND payment_id = p.id AND status <> 'failed') r"
        " CROSS JOIN LATERAL (SELECT coalesce(sum(amount), 0) AS gone FROM app.disputes"
        " WHERE tenant_id = p.tenant_id AND payment_id = p.id AND status <> 'won') d"
        " WHERE r.given > c.taken OR r.back + d.gone > c.taken",
    ),
    Rule(
        "stored value equals its ledger",
        "SELECT count(*) FROM app.stored_value_accounts",
        "SELECT a.id, 'balance ' || a.balance || ', ledger ' || coalesce(sum(e.delta), 0)"
        " FROM app.stored_value_accounts a LEFT JOIN app.stored_value_entries e"
        " ON e.tenant_id = a.tenant_id AND e.account_id = a.id"
        " GROUP BY a.id, a.balance HAVING a.balance <> coalesce(sum(e.delta), 0)",
    ),
    Rule(
        "stored value is what the books owe for it",
        "SELECT count(*) FROM app.stored_value_accounts",
        "SELECT coalesce(a.account, b.account), coalesce(a.currency, b.currency) || ' balances and holds '"
        " || coalesce(a.owed, 0) || ', books ' || coalesce(b.owed, 0) FROM ("
        " SELECT v.kind || '_liability' AS account, v.currency, sum(v.balance + coalesce(h.held, 0)) AS owed"
        " FROM app.stored_value_accounts v LEFT JOIN ("
        " SELECT p.tenant_id, p.stored_value_id, sum(coalesce(s.held, 0) - coalesce(c.taken, 0)) AS held"
        " FROM app.payments p LEFT JOIN LATERAL (SELECT -sum(delta) AS held FROM app.stored_value_entries"
        " WHERE tenant_id = p.tenant_id AND subject = p.id AND kind IN ('hold', 'release')) s ON true"
        " LEFT JOIN LATERAL (SELECT sum(amount) AS taken FROM app.captures"
        " WHERE tenant_id = p.tenant_id AND payment_id = p.id AND status = 'succeeded') c ON true"
        " WHERE p.stored_value_id IS NOT NULL GROUP BY 1, 2) h"
        " ON h.tenant_id = v.tenant_id AND h.stored_value_id = v.id GROUP BY 1, 2) a"
        " FULL JOIN (SELECT account, currency, -sum(amount) AS owed FROM app.postings"
        " WHERE account IN ('gift_card_liability', 'store_credit_liability') GROUP BY 1, 2) b"
        " ON b.account = a.account AND b.currency = a.currency"
        " WHERE coalesce(a.owed, 0) <> coalesce(b.owed, 0)",
    ),
    Rule(
        "what is held of stored value is held for a payment that needs it",
        "SELECT count(*) FROM app.payments WHERE stored_value_id IS NOT NULL",
        "SELECT p.id, 'is ' || p.status || ' of ' || p.amount || ' and holds ' || coalesce(s.held, 0)"
        " FROM app.payments p LEFT JOIN LATERAL (SELECT -sum(delta) AS held FROM app.stored_value_entries"
        " WHERE tenant_id = p.tenant_id AND subject = p.id AND kind IN ('hold', 'release')) s ON true"
        " WHERE p.stored_value_id IS NOT NULL AND coalesce(s.held, 0) <> CASE"
        " WHEN p.status IN ('failed', 'canceled', 'voided', 'expired') THEN 0"
        " WHEN p.status = 'captured' THEN (SELECT coalesce(sum(amount), 0) FROM app.captures"
        " WHERE tenant_id = p.tenant_id AND payment_id = p.id AND status = 'succeeded') ELSE p.amount END",
    ),
    Rule(
        "no token paid twice",
        "SELECT count(*) FROM app.payments WHERE token_hash IS NOT NULL",
        "SELECT min(id), 'and ' || count(*) - 1 || ' more took money with one token' FROM app.payments"
        " WHERE token_hash IS NOT NULL AND status NOT IN ('failed', 'canceled')"
        " GROUP BY token_hash HAVING count(*) > 1",
    ),
)
