"""Low stock: alerts that come when little is left to sell at a place, and go when there is more again."""

from __future__ import annotations

from typing import Final

from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.inventory.policy import InventoryPolicy
from engine.kit import clock
from engine.kit.policies import policy_of
from engine.payments.alerts import raise_alert

KIND: Final = "low_stock"
_LOW: Final = """
SELECT s.variant_id || '@' || s.location_id AS subject, v.sku, l.code,
  greatest(0, s.on_hand - s.reserved - s.safety_stock) AS sellable, s.variant_id, s.location_id
FROM app.stock_levels s
JOIN app.variants v ON v.tenant_id = s.tenant_id AND v.id = s.variant_id AND v.sellable
  AND v.stock_policy <> 'untracked'
JOIN app.locations l ON l.tenant_id = s.tenant_id AND l.id = s.location_id
WHERE s.tenant_id = :tenant
  AND greatest(0, s.on_hand - s.reserved - s.safety_stock) <= coalesce(s.low_stock_at, CAST(:threshold AS int))
"""
_GONE: Final = text(f"""
UPDATE app.alerts a SET resolved_at = :now
WHERE a.tenant_id = :tenant AND a.kind = :kind AND a.resolved_at IS NULL
  AND NOT EXISTS (SELECT FROM ({_LOW}) low WHERE low.subject = a.subject)
RETURNING a.id
""")  # noqa: S608 (our own)
_NEW: Final = text(f"""
SELECT low.* FROM ({_LOW}) low WHERE NOT EXISTS (
  SELECT FROM app.alerts a WHERE a.tenant_id = :tenant AND a.kind = :kind AND a.subject = low.subject
  AND a.resolved_at IS NULL) ORDER BY low.subject
""")  # noqa: S608 (our own)


def watch_stock(session: Session, tenant_id: str) -> tuple[int, int]:
    """Raise and resolve ``low_stock`` alerts; returns how many of each. Doing it again changes nothing."""
    threshold = policy_of(session, tenant_id, InventoryPolicy).low_stock_at
    asked = {"tenant": tenant_id, "kind": KIND, "threshold": threshold}
    resolved = len(session.execute(_GONE, asked | {"now": clock.now()}).all())
    raised = session.execute(_NEW, asked).all()
    for row in raised:
        detail = f"{row.sku} is low at {row.code}: {row.sellable} left to sell."
        facts = {"variant_id": row.variant_id, "location_id": row.location_id}
        raise_alert(session, tenant_id, KIND, row.subject, detail, facts=facts)
    return len(raised), resolved
