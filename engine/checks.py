"""The standing invariants, proven from the rows: what ``icommerce check`` prints.

Each check is one query per tenant that counts what it looked at and returns the rows that break the rule.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from engine.kit import audit
from engine.kit.money import Money
from engine.kit.tenancy import Tenant
from engine.runtime import Runtime

_SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One invariant of one tenant: ``looked_at`` rows, and the first that break it in ``detail``."""

    name: str
    tenant: str
    ok: bool
    looked_at: int
    detail: str


@dataclass(frozen=True, slots=True)
class _Rule:
    """``count`` says how many rows were looked at; ``broken`` selects an id and a sentence for each bad one."""

    name: str
    count: str
    broken: str


_RULES: Final = (
    _Rule(
        "every journal entry balances",
        "SELECT count(*) FROM app.journal_entries",
        "SELECT entry_id, 'is off by ' || sum(amount) || ' ' || currency FROM app.postings"
        " GROUP BY entry_id, currency HAVING sum(amount) <> 0",
    ),
    _Rule(
        "every journal entry has postings",
        "SELECT count(*) FROM app.journal_entries",
        "SELECT e.id, 'has no postings' FROM app.journal_entries e"
        " WHERE NOT EXISTS (SELECT FROM app.postings p WHERE p.tenant_id = e.tenant_id AND p.entry_id = e.id)",
    ),
    _Rule(
        "stock is never negative and never promised twice",
        "SELECT count(*) FROM app.stock_levels",
        "SELECT variant_id, 'on hand ' || on_hand || ', reserved ' || reserved FROM app.stock_levels"
        " WHERE on_hand < 0 OR reserved < 0 OR reserved > on_hand",
    ),
    _Rule(
        "reserved stock equals the live reservations",
        "SELECT count(*) FROM app.reservations WHERE status IN ('held', 'committed')",
        "SELECT coalesce(s.variant_id, r.variant_id),"
        " 'level says ' || coalesce(s.reserved, 0) || ', reservations say ' || coalesce(r.quantity, 0)"
        " FROM app.stock_levels s FULL JOIN (SELECT variant_id, location_id, sum(quantity) AS quantity"
        " FROM app.reservations WHERE status IN ('held', 'committed') GROUP BY 1, 2) r"
        " ON r.variant_id = s.variant_id AND r.location_id = s.location_id"
        " WHERE coalesce(s.reserved, 0) <> coalesce(r.quantity, 0)",
    ),
    _Rule(
        "stock equals its ledger",
        "SELECT count(*) FROM app.stock_movements",
        "SELECT coalesce(s.variant_id, m.variant_id),"
        " 'level ' || coalesce(s.on_hand, 0) || '/' || coalesce(s.reserved, 0)"
        " || ', ledger ' || coalesce(m.on_hand, 0) || '/' || coalesce(m.reserved, 0)"
        " FROM app.stock_levels s FULL JOIN (SELECT variant_id, location_id, sum(on_hand_delta) AS on_hand,"
        " sum(reserved_delta) AS reserved FROM app.stock_movements GROUP BY 1, 2) m"
        " ON m.variant_id = s.variant_id AND m.location_id = s.location_id"
        " WHERE (coalesce(s.on_hand, 0), coalesce(s.reserved, 0)) <> (coalesce(m.on_hand, 0), coalesce(m.reserved, 0))",
    ),
    _Rule(
        "every placed order has its money",
        "SELECT count(*) FROM app.orders WHERE placed_at IS NOT NULL",
        "SELECT o.id, 'total ' || o.total || ', captured ' || coalesce(sum(p.amount), 0) FROM app.orders o"
        " LEFT JOIN app.payments p ON p.tenant_id = o.tenant_id AND p.order_id = o.id AND p.status = 'captured'"
        " WHERE o.placed_at IS NOT NULL GROUP BY o.id, o.total HAVING coalesce(sum(p.amount), 0) <> o.total",
    ),
    _Rule(
        "every captured payment has its order",
        "SELECT count(*) FROM app.payments WHERE status = 'captured'",
        "SELECT p.id, 'order ' || p.order_id || ' is ' || coalesce(o.status, 'missing') FROM app.payments p"
        " LEFT JOIN app.orders o ON o.tenant_id = p.tenant_id AND o.id = p.order_id"
        " WHERE p.status = 'captured' AND (o.id IS NULL OR o.placed_at IS NULL OR o.status = 'pending_payment')",
    ),
    _Rule(
        "every captured payment is in the journal once",
        "SELECT count(*) FROM app.payments WHERE status = 'captured' AND amount > 0",
        "SELECT p.id, 'paid ' || p.amount || ', posted ' || coalesce(sum(g.amount), 0) FROM app.payments p"
        " LEFT JOIN app.journal_entries e ON e.tenant_id = p.tenant_id AND e.kind = 'capture' AND e.subject = p.id"
        " LEFT JOIN app.postings g ON g.tenant_id = e.tenant_id AND g.entry_id = e.id AND g.account = 'psp_clearing'"
        " WHERE p.status = 'captured' GROUP BY p.id, p.amount HAVING coalesce(sum(g.amount), 0) <> p.amount",
    ),
    _Rule(
        "every refund is in the journal once",
        "SELECT count(*) FROM app.refunds WHERE status = 'succeeded'",
        "SELECT r.id, 'refunded ' || r.amount || ', posted ' || coalesce(-sum(g.amount), 0) FROM app.refunds r"
        " LEFT JOIN app.journal_entries e ON e.tenant_id = r.tenant_id AND e.kind = 'refund' AND e.subject = r.id"
        " LEFT JOIN app.postings g ON g.tenant_id = e.tenant_id AND g.entry_id = e.id AND g.account = 'psp_clearing'"
        " WHERE r.status = 'succeeded' GROUP BY r.id, r.amount HAVING coalesce(-sum(g.amount), 0) <> r.amount",
    ),
    _Rule(
        "no more is refunded than was captured",
        "SELECT count(*) FROM app.payments",
        "SELECT p.id, 'captured ' || p.amount || ', refunded ' || sum(r.amount) FROM app.payments p"
        " JOIN app.refunds r ON r.tenant_id = p.tenant_id AND r.payment_id = p.id AND r.status <> 'failed'"
        " GROUP BY p.id, p.amount HAVING sum(r.amount) > p.amount",
    ),
    _Rule(
        "order totals add up",
        "SELECT count(*) FROM app.orders",
        "SELECT o.id, 'total ' || o.total || ', parts ' || x.parts FROM app.orders o CROSS JOIN LATERAL ("
        " SELECT sum(CASE t->>'type' WHEN 'items_base_amount' THEN (t->>'amount')::bigint"
        " WHEN 'fulfillment' THEN (t->>'amount')::bigint WHEN 'tax' THEN (t->>'amount')::bigint"
        " WHEN 'items_discount' THEN -(t->>'amount')::bigint WHEN 'discount' THEN -(t->>'amount')::bigint ELSE 0 END)"
        " AS parts FROM jsonb_array_elements(o.totals) t) x WHERE x.parts <> o.total",
    ),
    _Rule(
        "order lines agree with the order's items and discount",
        "SELECT count(*) FROM app.order_lines",
        "SELECT o.id, 'lines ' || sum(l.unit_price * l.ordered - l.discount) FROM app.orders o"
        " JOIN app.order_lines l ON l.tenant_id = o.tenant_id AND l.order_id = o.id"
        " GROUP BY o.id, o.totals HAVING sum(l.unit_price * l.ordered - l.discount) <>"
        " (SELECT (t->>'amount')::bigint FROM jsonb_array_elements(o.totals) t WHERE t->>'type' = 'subtotal')",
    ),
    _Rule(
        "a session is completed exactly when its payment was captured",
        "SELECT count(*) FROM app.checkout_sessions",
        "SELECT c.id, 'is ' || c.status || ' with ' || count(p.id) || ' captures' FROM app.checkout_sessions c"
        " LEFT JOIN app.payments p ON p.tenant_id = c.tenant_id AND p.session_id = c.id AND p.status = 'captured'"
        " GROUP BY c.id, c.status HAVING (count(p.id) = 1) <> (c.status = 'completed') OR count(p.id) > 1",
    ),
    _Rule(
        "a session in progress has a payment under way",
        "SELECT count(*) FROM app.checkout_sessions WHERE status = 'complete_in_progress'",
        "SELECT c.id, 'has no payment under way' FROM app.checkout_sessions c WHERE c.status = 'complete_in_progress'"
        " AND NOT EXISTS (SELECT FROM app.payments p WHERE p.tenant_id = c.tenant_id AND p.session_id = c.id"
        " AND p.status IN ('processing', 'unknown'))",
    ),
    _Rule(
        "every payment rests on a consent used once",
        "SELECT count(*) FROM app.payments WHERE gateway <> 'seed'",
        "SELECT p.id, 'consent ' || coalesce(p.consent_id, 'missing') || ' is ' || coalesce(c.status, 'missing')"
        " FROM app.payments p LEFT JOIN app.consents c ON c.tenant_id = p.tenant_id AND c.id = p.consent_id"
        " WHERE p.gateway <> 'seed' AND (c.id IS NULL OR c.status <> 'claimed' OR c.payment_id <> p.id"
        " OR (c.summary->'total'->>'amount')::bigint <> p.amount)",
    ),
    _Rule(
        "nothing is held for a payment that ended",
        "SELECT count(*) FROM app.reservations WHERE status = 'held'",
        "SELECT r.id, 'is held for a payment that is ' || coalesce(p.status, 'missing') FROM app.reservations r"
        " LEFT JOIN app.payments p ON p.tenant_id = r.tenant_id AND p.id = r.payment_id"
        " WHERE r.status = 'held' AND (p.id IS NULL OR p.status NOT IN ('processing', 'unknown'))",
    ),
    _Rule(
        "every unshipped unit of an open order is reserved",
        "SELECT count(*) FROM app.order_lines",
        "SELECT l.id, 'needs ' || (l.ordered - l.canceled - l.shipped) || ', reserved ' || coalesce(sum(r.quantity), 0)"
        " FROM app.orders o JOIN app.order_lines l ON l.tenant_id = o.tenant_id AND l.order_id = o.id"
        " LEFT JOIN app.reservations r ON r.tenant_id = l.tenant_id AND r.order_line_id = l.id"
        " AND r.status = 'committed'"
        " WHERE o.status = 'open' GROUP BY l.id, l.ordered, l.canceled, l.shipped"
        " HAVING coalesce(sum(r.quantity), 0) <> l.ordered - l.canceled - l.shipped",
    ),
)


def run_checks(runtime: Runtime) -> list[CheckResult]:
    """Prove every invariant for every tenant, suspended ones too, in one read-only snapshot each."""
    with runtime.store.without_tenant() as session:
        tenants = session.execute(select(Tenant.id, Tenant.slug).order_by(Tenant.number)).all()
    results: list[CheckResult] = []
    for tenant_id, slug in tenants:
        with runtime.store.unit_of_work(tenant_id, snapshot=True) as session:
            session.execute(text("SET TRANSACTION READ ONLY"))
            results += [_run(session, slug, rule) for rule in _RULES]
            results.append(_audit(session, tenant_id, slug))
        results.append(_gateway(runtime, tenant_id, slug))
    return results


def _run(session: Session, slug: str, rule: _Rule) -> CheckResult:
    looked_at = session.execute(text(rule.count)).scalar_one()
    broken = session.execute(text(f"SELECT * FROM ({rule.broken}) AS found LIMIT {_SHOWN + 1}")).all()  # noqa: S608 (our own)
    return _result(rule.name, slug, looked_at, [f"{row[0]} {row[1]}" for row in broken])


def _audit(session: Session, tenant_id: str, slug: str) -> CheckResult:
    verdict = audit.verify(session, tenant_id)
    return _result("the audit chain is whole", slug, verdict.rows, [verdict.problem] if verdict.problem else [])


def _gateway(runtime: Runtime, tenant_id: str, slug: str) -> CheckResult:
    """What the gateways hold is what our books say they hold, payment by payment.

    Two systems have no common moment: what differs is looked at twice, and only what differs both times is wrong.
    """
    looked_at, first = _differences(runtime, tenant_id)
    again = _differences(runtime, tenant_id)[1] if first else {}
    broken = [words for key, words in again.items() if key in first]
    return _result("our payments equal the gateway's", slug, looked_at, broken)


def _differences(runtime: Runtime, tenant_id: str) -> tuple[int, dict[str, str]]:
    """How many payments were compared, and the payment ids that differ with a sentence each."""
    with runtime.unit_of_work(tenant_id) as session:
        rows = session.execute(
            text(
                "SELECT p.id, p.status, p.amount - coalesce(sum(r.amount), 0) AS net, p.currency FROM app.payments p"
                " LEFT JOIN app.refunds r ON r.tenant_id = p.tenant_id AND r.payment_id = p.id"
                " AND r.status = 'succeeded' WHERE p.gateway <> 'seed' AND p.amount > 0"
                " GROUP BY p.id, p.status, p.amount, p.currency"
            )
        ).all()
    held: dict[str, Money] = {}
    for gateway in runtime.gateways.values():
        held |= gateway.captured(merchant=tenant_id)
    ours = {row.id: Money(row.net, row.currency) for row in rows if row.status == "captured"}
    open_ids = {row.id for row in rows if row.status in {"processing", "unknown"}}
    found = {
        k: f"{k} is {money} here, {held.get(k)} at the gateway" for k, money in ours.items() if held.get(k) != money
    }
    strays = {k: money for k, money in held.items() if money.amount and k not in ours and k not in open_ids}
    return len(rows), found | {k: f"{k}: {money} at the gateway, nothing here" for k, money in strays.items()}


def _result(name: str, slug: str, looked_at: int, broken: Sequence[str]) -> CheckResult:
    shown = "; ".join(broken[:_SHOWN]) + ("; …" if len(broken) > _SHOWN else "")
    return CheckResult(name, slug, not broken, looked_at, shown or f"{looked_at} rows")
