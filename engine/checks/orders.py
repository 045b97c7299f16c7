"""Orders, their lines, what is due for them and what changed it."""

from __future__ import annotations

from typing import Final

from engine.checks.rule import Rule

_KEPT: Final = (
    "SELECT l.order_id, sum(l.unit_price * (l.ordered - l.canceled) - l.discount * (l.ordered - l.canceled) / l.ordered"
    " + CASE WHEN l.tax_included THEN 0 ELSE l.tax::bigint * (l.ordered - l.canceled) / l.ordered END) AS worth"
    " FROM app.order_lines l GROUP BY l.order_id"
)
_MONEY: Final = (
    "SELECT o.id, o.status, o.total + coalesce(a.amount, 0) AS due,"
    " coalesce(c.amount, 0) - coalesce(r.amount, 0) AS settled, coalesce(r.failed, 0) AS failed,"
    " p.order_id IS NOT NULL AS held FROM app.orders o"
    " LEFT JOIN (SELECT order_id, sum(amount) AS amount FROM app.order_adjustments GROUP BY 1) a ON a.order_id = o.id"
    " LEFT JOIN (SELECT order_id, sum(amount) AS amount FROM app.captures WHERE status = 'succeeded' GROUP BY 1) c"
    " ON c.order_id = o.id"
    " LEFT JOIN (SELECT order_id, sum(amount) FILTER (WHERE status <> 'failed') AS amount,"
    " sum(amount) FILTER (WHERE status = 'failed') AS failed FROM app.refunds GROUP BY 1) r ON r.order_id = o.id"
    " LEFT JOIN (SELECT DISTINCT order_id FROM app.payments WHERE status IN ('authorized', 'partially_captured')) p"
    " ON p.order_id = o.id WHERE o.placed_at IS NOT NULL"
)

RULES: Final = (
    Rule(
        "an order is found by every word of its buyer's name, and by no other",
        "SELECT count(*) FROM app.order_words",
        "SELECT coalesce(o.id, w.order_id), 'its words are not those of its name' FROM"
        " (SELECT o.id, word FROM app.orders o, app.name_words(o.buyer, o.ship_to) word) o"
        " FULL JOIN app.order_words w ON w.order_id = o.id AND w.word = o.word"
        " WHERE o.id IS NULL OR w.order_id IS NULL",
    ),
    Rule(
        "order totals add up",
        "SELECT count(*) FROM app.orders",
        "SELECT o.id, 'total ' || o.total || ', parts ' || x.parts FROM app.orders o CROSS JOIN LATERAL ("
        " SELECT sum(CASE t->>'type' WHEN 'items_base_amount' THEN (t->>'amount')::bigint"
        " WHEN 'fulfillment' THEN (t->>'amount')::bigint WHEN 'tax' THEN CASE WHEN o.tax_included THEN 0"
        " ELSE (t->>'amount')::bigint END"
        " WHEN 'items_discount' THEN -(t->>'amount')::bigint WHEN 'discount' THEN -(t->>'amount')::bigint ELSE 0 END)"
        " AS parts FROM jsonb_array_elements(o.totals) t) x WHERE x.parts <> o.total",
    ),
    Rule(
        "order lines agree with the order's items and discount",
        "SELECT count(*) FROM app.order_lines WHERE change_id IS NULL",
        "SELECT o.id, 'lines ' || sum(l.unit_price * l.ordered - l.discount) FROM app.orders o"
        " JOIN app.order_lines l ON l.tenant_id = o.tenant_id AND l.order_id = o.id AND l.change_id IS NULL"
        " GROUP BY o.id, o.totals HAVING sum(l.unit_price * l.ordered - l.discount) <>"
        " (SELECT (t->>'amount')::bigint FROM jsonb_array_elements(o.totals) t WHERE t->>'type' = 'subtotal')",
    ),
    Rule(
        "every unit of a line is at one place of its way",
        "SELECT count(*) FROM app.order_lines",
        "SELECT id, ordered || ' ordered, ' || canceled || ' canceled, ' || allocated || ' allocated, ' || released"
        " || ' released, ' || shipped || ' shipped, ' || delivered || ' delivered, ' || returned || ' returned'"
        " FROM app.order_lines WHERE canceled < 0 OR canceled + allocated > ordered OR released > allocated"
        " OR shipped > released OR delivered > shipped OR returned > delivered OR returned < 0",
    ),
    Rule(
        "what is due is what was kept",
        "SELECT count(*) FROM app.orders WHERE placed_at IS NOT NULL",
        "SELECT o.id, 'due ' || o.total + coalesce(a.amount, 0) || ', kept ' || k.worth + o.shipping + o.shipping_tax"  # noqa: S608 (our own)
        f" FROM app.orders o JOIN ({_KEPT}) k ON k.order_id = o.id"
        " LEFT JOIN (SELECT order_id, sum(amount) AS amount FROM app.order_adjustments"
        " WHERE kind NOT IN ('return', 'goodwill', 'fee', 'dispute') GROUP BY 1) a ON a.order_id = o.id"
        " WHERE o.placed_at IS NOT NULL AND o.total + coalesce(a.amount, 0) <> k.worth + o.shipping + o.shipping_tax",
    ),
    Rule(
        "every placed order has its money",
        "SELECT count(*) FROM app.orders WHERE placed_at IS NOT NULL",
        f"SELECT m.id, 'due ' || m.due || ', settled ' || m.settled FROM ({_MONEY}) m"  # noqa: S608 (our own)
        " WHERE m.settled > m.due + m.failed OR (m.settled < m.due AND NOT m.held AND m.status <> 'on_hold')",
    ),
    Rule(
        "the tax of an order in the books is what is due",
        "SELECT count(*) FROM app.orders WHERE placed_at IS NOT NULL",
        "SELECT o.id, 'tax due ' || o.tax + coalesce(a.tax, 0) || ', booked ' || coalesce(b.tax, 0) FROM app.orders o"
        " LEFT JOIN (SELECT order_id, sum(tax) AS tax FROM app.order_adjustments GROUP BY 1) a ON a.order_id = o.id"
        " LEFT JOIN (SELECT e.order_id, -sum(g.amount) AS tax FROM app.journal_entries e JOIN app.postings g"
        " ON g.tenant_id = e.tenant_id AND g.entry_id = e.id AND g.account = 'tax_payable' GROUP BY 1) b"
        " ON b.order_id = o.id WHERE o.placed_at IS NOT NULL AND o.tax + coalesce(a.tax, 0) <> coalesce(b.tax, 0)"
        " AND o.status <> 'on_hold' AND NOT EXISTS (SELECT FROM app.payments p WHERE p.tenant_id = o.tenant_id"
        " AND p.order_id = o.id AND p.status IN ('authorized', 'partially_captured', 'voided', 'expired'))"
        " AND NOT EXISTS (SELECT FROM app.refunds r WHERE r.tenant_id = o.tenant_id AND r.order_id = o.id"
        " AND r.status <> 'succeeded')",
    ),
    Rule(
        "no order waits with nothing left to do",
        "SELECT count(*) FROM app.orders WHERE status = 'open'",
        "SELECT o.id, 'is ' || o.status || ', and every unit has ended' FROM app.orders o"
        " WHERE o.status = 'open' AND NOT EXISTS (SELECT FROM app.order_lines l"
        " WHERE l.tenant_id = o.tenant_id AND l.order_id = o.id AND l.canceled + l.delivered < l.ordered)",
    ),
    Rule(
        "an order is canceled exactly when no unit of it was kept",
        "SELECT count(*) FROM app.orders WHERE placed_at IS NOT NULL",
        "SELECT o.id, 'is ' || o.status || ' and keeps ' || sum(l.ordered - l.canceled) FROM app.orders o"
        " JOIN app.order_lines l ON l.tenant_id = o.tenant_id AND l.order_id = o.id WHERE o.placed_at IS NOT NULL"
        " GROUP BY o.id, o.status HAVING (sum(l.ordered - l.canceled) = 0) <> (o.status = 'canceled')",
    ),
    Rule(
        "every applied change left what it promised",
        "SELECT count(*) FROM app.order_changes WHERE status = 'applied'",
        "SELECT c.id, 'promised ' || (c.quote->>'amount') || ', adjusted ' || coalesce(a.amount::text, 'nothing')"
        " || ', charged ' || coalesce(p.amount, 0) || ', refunded ' || coalesce(r.amount, 0)"
        " FROM app.order_changes c"
        " LEFT JOIN (SELECT change_id, sum(amount) AS amount FROM app.order_adjustments"
        " WHERE kind NOT IN ('goodwill', 'dispute') GROUP BY 1) a ON a.change_id = c.id"
        " LEFT JOIN (SELECT change_id, sum(amount) AS amount FROM app.payments"
        " WHERE status NOT IN ('processing', 'unknown', 'failed', 'canceled') GROUP BY 1) p"
        " ON p.change_id = c.id"
        " LEFT JOIN (SELECT change_id, sum(amount) AS amount FROM app.refunds t WHERE NOT (t.status = 'failed'"
        " AND EXISTS (SELECT FROM app.refunds again WHERE again.tenant_id = t.tenant_id AND again.amount = t.amount"
        " AND again.payment_id = t.payment_id AND again.change_id = t.change_id AND again.created_at > t.created_at))"
        " GROUP BY 1) r ON r.change_id = c.id"
        " LEFT JOIN (SELECT change_id, collected FROM app.returns WHERE collected > 0) l ON l.change_id = c.id"
        " WHERE c.status = 'applied' AND (a.amount IS DISTINCT FROM (c.quote->>'amount')::bigint"
        " OR coalesce(p.amount, 0) <> (c.quote->'effect'->>'charge')::bigint + coalesce(l.collected, 0)"
        " + coalesce((c.quote->'effect'->>'hold')::bigint, 0)"
        " OR coalesce(r.amount, 0) <> (c.quote->'effect'->>'refund')::bigint)",
    ),
    Rule(
        "every change rests on a consent or a name",
        "SELECT count(*) FROM app.order_changes WHERE status IN ('charging', 'requested', 'applied', 'failed')",
        "SELECT c.id, 'is ' || c.status || ', its consent is ' || coalesce(n.status, 'missing')"
        " FROM app.order_changes c LEFT JOIN app.consents n ON n.tenant_id = c.tenant_id AND n.id = c.consent_id"
        " WHERE c.status IN ('charging', 'requested', 'applied', 'failed') AND ((c.consent_id IS NULL"
        " AND c.approved_by IS NULL) OR (c.consent_id IS NOT NULL"
        " AND (n.status IS DISTINCT FROM 'claimed' OR n.digest <> c.digest OR n.subject_id <> c.id)))",
    ),
    Rule(
        "a change that is being paid has a payment under way",
        "SELECT count(*) FROM app.order_changes",
        "SELECT c.id, 'is ' || c.status || ' with ' || count(p.id) || ' payments under way' FROM app.order_changes c"
        " LEFT JOIN app.payments p ON p.tenant_id = c.tenant_id AND p.change_id = c.id"
        " AND p.status IN ('processing', 'unknown')"
        " GROUP BY c.id, c.tenant_id, c.status HAVING (count(p.id) = 1) <> (c.status = 'charging')"
        " AND NOT (c.status = 'applied' AND count(p.id) = 1 AND EXISTS (SELECT FROM app.returns t"
        " WHERE t.tenant_id = c.tenant_id AND t.change_id = c.id AND t.to_charge > 0))",
    ),
)
