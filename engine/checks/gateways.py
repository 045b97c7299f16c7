"""Our payments against what the gateways hold."""

from __future__ import annotations

from sqlalchemy import text

from engine.checks.rule import CheckResult, verdict
from engine.kit.money import Money
from engine.runtime import Runtime


def compare(runtime: Runtime, tenant_id: str, slug: str) -> CheckResult:
    """What the gateways hold is what our books say they hold, payment by payment.

    Two systems have no common moment: what differs is looked at twice, and only what differs both times is wrong.
    """
    looked_at, first = _differences(runtime, tenant_id)
    again = _differences(runtime, tenant_id)[1] if first else {}
    broken = [words for key, words in again.items() if key in first]
    return verdict("our payments equal the gateway's", slug, looked_at, broken)


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
        held |= {k: Money(s.net, s.currency) for k, s in gateway.standings(merchant=tenant_id).items()}
    ours = {row.id: Money(row.net, row.currency) for row in rows if row.status == "captured"}
    open_ids = {row.id for row in rows if row.status in {"processing", "unknown"}}
    found = {
        k: f"{k} is {money} here, {held.get(k)} at the gateway" for k, money in ours.items() if held.get(k) != money
    }
    strays = {k: money for k, money in held.items() if money.amount and k not in ours and k not in open_ids}
    return len(rows), found | {k: f"{k}: {money} at the gateway, nothing here" for k, money in strays.items()}
