"""Returns: units, money, stock and consent. Those of before our time (the seed's) have adjustments and no row here."""

# ruff: noqa: S608 (the only text put in is our own)
from __future__ import annotations

from typing import Final

from engine.checks.rule import Rule

_LIVE: Final = "r.status NOT IN ('declined', 'canceled', 'expired')"
_LINES: Final = (
    "app.return_lines x JOIN app.returns r ON r.tenant_id = x.tenant_id AND r.id = x.return_id"
    f" WHERE x.order_line_id = l.id AND {_LIVE}"
)
_TAKEN: Final = (
    "CASE WHEN r.status = 'closed' THEN x.settled + x.rejected ELSE x.quantity END"
    " * CASE WHEN x.component_variant_id IS NULL THEN coalesce((part->>'quantity')::int, 1) ELSE 1 END"
)

RULES: Final[tuple[Rule, ...]] = (
    Rule(
        "returned units are the returns' units",
        "SELECT count(*) FROM app.order_lines WHERE returned > 0",
        "SELECT l.id, 'returned ' || l.returned || ', returns and warranties say ' || w.units + p.units + g.units"
        " FROM app.order_lines l CROSS JOIN LATERAL (SELECT count(*) AS units FROM app.warranties"
        " WHERE tenant_id = l.tenant_id AND order_line_id = l.id AND variant_id = l.variant_id AND root_id = id"
        " AND status = 'refunded') g"
        f" CROSS JOIN LATERAL (SELECT coalesce(sum(x.settled), 0) AS units FROM {_LINES}"
        " AND x.component_variant_id IS NULL) w"
        " CROSS JOIN LATERAL (SELECT coalesce(min((coalesce(s.units, 0) + v.units)"
        " / (part->>'quantity')::int), 0) AS units"
        " FROM jsonb_array_elements(l.components) part LEFT JOIN LATERAL (SELECT sum(x.settled) AS units"
        f" FROM {_LINES} AND x.component_variant_id = part->>'variant_id') s ON true"
        " CROSS JOIN LATERAL (SELECT count(*) AS units FROM app.warranties WHERE tenant_id = l.tenant_id"
        " AND order_line_id = l.id AND variant_id = part->>'variant_id' AND variant_id <> l.variant_id"
        " AND root_id = id AND status = 'refunded') v) p"
        " WHERE l.returned <> w.units + p.units + g.units AND NOT EXISTS (SELECT FROM app.order_adjustments a"
        " WHERE a.tenant_id = l.tenant_id AND a.order_id = l.order_id AND a.kind = 'return' AND a.return_id IS NULL"
        " AND a.claim_id IS NULL)",
    ),
    Rule(
        "no more comes back than arrived",
        "SELECT count(*) FROM app.return_lines",
        "SELECT l.id, 'delivered ' || l.delivered || ', and ' || sum(t.units) || ' of a part of it come back'"
        " FROM app.order_lines l CROSS JOIN LATERAL (SELECT part FROM jsonb_array_elements("
        " CASE WHEN l.components = '[]' THEN '[{}]' ELSE l.components END) part) c"
        f" CROSS JOIN LATERAL (SELECT coalesce(sum({_TAKEN}), 0) AS units FROM {_LINES}"
        " AND coalesce(x.component_variant_id, part->>'variant_id', '') = coalesce(part->>'variant_id', '')) t"
        " WHERE t.units > l.delivered * coalesce((part->>'quantity')::int, 1) GROUP BY l.id, l.delivered",
    ),
    Rule(
        "the lines of a return add up to it",
        "SELECT count(*) FROM app.returns",
        "SELECT r.id, 'stands for ' || r.credit || ', its lines for ' || coalesce(s.credit, 0) FROM app.returns r"
        " LEFT JOIN (SELECT return_id, sum(goods - discount + tax + shipping + shipping_tax - withheld) AS credit,"
        " sum(tax + shipping_tax - withheld_tax) AS tax, sum(fee) AS fee FROM app.return_lines GROUP BY 1) s"
        " ON s.return_id = r.id WHERE (r.credit, r.credit_tax, r.fee) IS DISTINCT FROM (s.credit, s.tax, s.fee)",
    ),
    Rule(
        "a return gave back what its refunds and steps say",
        "SELECT count(*) FROM app.returns WHERE given > 0",
        "SELECT r.id, 'gave ' || r.given || ', refunds ' || coalesce(f.amount, 0)"
        " || ', steps ' || coalesce(e.amount, 0)"
        " FROM app.returns r"
        " LEFT JOIN (SELECT return_id, sum(amount) AS amount FROM app.refunds GROUP BY 1) f ON f.return_id = r.id"
        " LEFT JOIN (SELECT return_id, sum(amount) AS amount FROM app.return_events GROUP BY 1) e"
        " ON e.return_id = r.id"
        " WHERE (coalesce(f.amount, 0), coalesce(e.amount, 0)) <> (r.given, r.given)",
    ),
    Rule(
        "what is due moved by what a return charged and gave",
        "SELECT count(*) FROM app.returns WHERE approved_at IS NOT NULL",
        "SELECT r.id, 'charged ' || r.charge || ', gave ' || r.given || ', adjusted ' || coalesce(a.amount, 0)"
        " FROM app.returns r"
        " LEFT JOIN (SELECT return_id, sum(amount) AS amount FROM app.order_adjustments GROUP BY 1) a"
        " ON a.return_id = r.id WHERE r.approved_at IS NOT NULL AND coalesce(a.amount, 0) <> r.charge - r.given",
    ),
    Rule(
        "no return gives back more than was agreed to",
        "SELECT count(*) FROM app.returns",
        "SELECT r.id, 'gave ' || r.given || ' of ' || r.refund FROM app.returns r WHERE r.given > CASE WHEN EXISTS ("
        "SELECT FROM app.return_events e WHERE e.tenant_id = r.tenant_id AND e.return_id = r.id AND e.step = 'undone')"
        " THEN r.credit - r.fee + r.charge ELSE r.refund END",
    ),
    Rule(
        "every return was agreed to",
        "SELECT count(*) FROM app.returns",
        "SELECT r.id, 'is ' || r.status || ', its change is ' || coalesce(c.status, 'missing') FROM app.returns r"
        " LEFT JOIN app.order_changes c ON c.tenant_id = r.tenant_id AND c.id = r.change_id AND c.kind = 'return'"
        " AND c.order_id = r.order_id AND (c.quote->'effect'->'terms'->>'credit')::bigint = r.credit"
        " WHERE c.status IS NULL OR (r.approved_at IS NOT NULL) <> (c.status = 'applied')",
    ),
    Rule(
        "goods that came back are in the stock ledger",
        "SELECT count(*) FROM app.return_events WHERE step IN ('inspected', 'moved')",
        "SELECT e.id, 'shelved ' || s.units || ', ledger ' || m.units FROM app.return_events e"
        " CROSS JOIN LATERAL (SELECT coalesce(sum((u->>'stocked')::int), 0) AS units"
        " FROM jsonb_array_elements(e.lines) u) s"
        " CROSS JOIN LATERAL (SELECT coalesce(sum(v.on_hand_delta), 0) AS units FROM app.stock_movements v"
        " WHERE v.tenant_id = e.tenant_id AND v.subject = e.id AND (v.kind = 'return' OR e.step = 'moved')) m"
        " WHERE e.step IN ('inspected', 'moved') AND s.units <> m.units",
    ),
    Rule(
        "goods for an exchange under way are set aside",
        "SELECT count(*) FROM app.returns WHERE kind = 'exchange'",
        "SELECT x.id, 'needs ' || (x.exchange->>'quantity') || ', set aside ' || coalesce(min(h.units), 0)"
        " FROM app.returns r JOIN app.return_lines x ON x.tenant_id = r.tenant_id AND x.return_id = r.id"
        " LEFT JOIN (SELECT order_line_id, variant_id, sum(quantity / per_unit) AS units FROM app.reservations"
        " WHERE status = 'held' GROUP BY 1, 2) h ON h.order_line_id = x.exchange->>'line_id'"
        " WHERE r.kind = 'exchange' AND r.approved_at IS NOT NULL AND x.settled = 0"
        " AND r.status NOT IN ('closed', 'declined', 'canceled', 'expired')"
        " GROUP BY x.id, x.exchange HAVING coalesce(min(h.units), 0) <> (x.exchange->>'quantity')::int",
    ),
    Rule(
        "every label of a return is in the books",
        "SELECT count(*) FROM app.returns WHERE label_at IS NOT NULL",
        "SELECT r.id, 'label ' || r.label_cost || ', posted ' || g.posted FROM app.returns r CROSS JOIN LATERAL ("
        "SELECT coalesce(sum(p.amount), 0) AS posted FROM app.journal_entries e JOIN app.postings p"
        " ON p.tenant_id = e.tenant_id AND p.entry_id = e.id AND p.account = 'return_labels'"
        " WHERE e.tenant_id = r.tenant_id AND e.kind = 'return_label' AND e.subject = r.id) g"
        " WHERE r.label_cost <> g.posted",
    ),
    Rule(
        "a return that its shopper gave up on a card is over",
        "SELECT count(*) FROM app.consents WHERE kind = 'return_cancel' AND status = 'claimed'",
        "SELECT n.id, 'return ' || n.subject_id || ' is ' || coalesce(r.status, 'missing') FROM app.consents n"
        " LEFT JOIN app.returns r ON r.tenant_id = n.tenant_id AND r.id = n.subject_id"
        " WHERE n.kind = 'return_cancel' AND n.status = 'claimed' AND coalesce(r.status, '') <> 'canceled'",
    ),
)
