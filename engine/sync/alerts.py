"""Trouble with other systems that a person is to hear of: what it is, when it begins and when it is over.

Each is an item of the inbox, once while it lasts. A breaker and refused secrets are raised where they happen; what is a
matter of counting is looked for every minute. Who is told, and how often, is ``engine.sync.telling``'s.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from engine.kit import clock
from engine.kit.policies import policy_of
from engine.payments.alerts import Action, raise_alert, resolve_alert
from engine.sync.models import Connection
from engine.sync.policy import AlertsPolicy

FAILING: Final = "sync_failing"
"""Runs stop, all for one cause; subject: the cause's fingerprint."""
STOPPED: Final = "sync_inventory_stopped"
"""Stock is not kept equal any more; subject: the workflow."""
BREAKER: Final = "sync_breaker_open"
AUTH_EXPIRED: Final = "connection_auth_expired"
"""Both: subject the connection."""
DEAD: Final = "sync_delivery_dead"
"""What a system told us was given up; subject: who told, and of what."""
KINDS: Final = (FAILING, STOPPED, BREAKER, AUTH_EXPIRED, DEAD)
LATE: Final = timedelta(minutes=45)
"""How long after it was due stock that is switched on counts as stopped though nothing failed: nobody executes."""
INVENTORY: Final = ("inventorySync", "inventoryBundlesSync")
_COUNTED: Final = {
    FAILING: text("""
SELECT fingerprint AS subject, min(workflow) AS workflow, min(step) AS step, min(code) AS code,
  sum(times)::int AS count
FROM app.sync_exceptions
WHERE tenant_id = :tenant AND status IN ('open', 'retrying') AND workflow <> ALL(:inventory) AND code <> 'auth_expired'
GROUP BY fingerprint HAVING sum(times) >= :failures OR EXISTS (SELECT FROM app.alerts a WHERE a.tenant_id = :tenant
  AND a.kind = 'sync_failing' AND a.subject = fingerprint AND a.resolved_at IS NULL)
"""),
    STOPPED: text("""
SELECT DISTINCT ON (workflow) workflow AS subject, workflow, step, code, sum(times) OVER (PARTITION BY workflow)::int
  AS count
FROM (
  SELECT workflow, step, code, times, last_at FROM app.sync_exceptions
  WHERE tenant_id = :tenant AND status IN ('open', 'retrying') AND workflow = ANY(:inventory)
  UNION ALL
  SELECT p.workflow, '', 'not_run', 1, '-infinity' FROM app.sync_pipeline p
  LEFT JOIN app.sync_cursors c ON c.tenant_id = p.tenant_id AND c.workflow = p.workflow
  WHERE p.tenant_id = :tenant AND p.active AND p.is_on AND p.workflow = ANY(:inventory)
    AND coalesce(greatest(c.due_at, p.created_at), p.created_at) < :late
) AS stopped
ORDER BY workflow, last_at DESC
"""),
    DEAD: text("""
SELECT left(source || ' ' || topic, 80) AS subject, min(source) AS source, min(topic) AS topic, min(error) AS code,
  count(*)::int AS count
FROM app.sync_deliveries WHERE tenant_id = :tenant AND status = 'dead' GROUP BY 1
"""),
}
"""Kind → what of it is wrong now: its subject and what may be said of it."""
_STILL: Final = text("""
UPDATE app.alerts SET facts = CAST(:facts AS jsonb) WHERE tenant_id = :tenant AND kind = :kind AND subject = :subject
AND resolved_at IS NULL AND facts <> CAST(:facts AS jsonb)
""")
_OPEN: Final = text("""
SELECT subject FROM app.alerts WHERE tenant_id = :tenant AND kind = :kind AND resolved_at IS NULL
""")


def watch(session: Session, tenant_id: str) -> None:
    """Raise what is wrong now, note how much of it there is, and close what is over. Doing it again changes nothing."""
    bound = {
        "tenant": tenant_id,
        "inventory": list(INVENTORY),
        "late": clock.now() - LATE,
        "failures": policy_of(session, tenant_id, AlertsPolicy).failures,
    }
    for kind, query in _COUNTED.items():
        needed = {name: bound[name] for name in query.compile().params}
        rows = [dict(row) for row in session.execute(query, needed).mappings()]
        _keep(session, tenant_id, kind, {row.pop("subject"): row for row in rows})


def breaker_opened(session: Session, tenant_id: str, connection_id: str) -> None:
    """A system failed too often. Part of the transaction in which the breaker opens."""
    raise_about(session, tenant_id, BREAKER, connection_id)


def breaker_closed(session: Session, tenant_id: str, connection_id: str) -> None:
    """It works again, or is not called any more."""
    resolve_alert(session, tenant_id, BREAKER, connection_id)


def raise_about(session: Session, tenant_id: str, kind: str, connection_id: str) -> None:
    """An alert about a connection."""
    query = select(Connection.name, Connection.system)
    row = session.execute(query.where(Connection.tenant_id == tenant_id, Connection.id == connection_id)).one()
    facts = {"name": row.name, "system": str(row.system), "count": 1}
    raise_alert(session, tenant_id, kind, connection_id, words(kind, facts), action=Action.NONE, facts=facts)


def words(kind: str, facts: Mapping[str, Any]) -> str:
    """One sentence about it, of facts that anybody may know: names of the shop's own, workflows, steps and codes."""
    match kind:
        case "sync_failing":
            step = f" at “{facts['step']}”" if facts.get("step") else ""
            often = "once" if facts["count"] == 1 else f"{facts['count']} times"
            return f"{facts['workflow']} stopped{step} {often}: {facts['code']}."
        case "sync_inventory_stopped":
            return f"{facts['workflow']} stopped ({facts['code']}): stock is not kept equal until somebody has looked."
        case "sync_breaker_open":
            return f"{facts['name']} ({facts['system']}) fails too often: it is left alone, and asked by and by."
        case "connection_auth_expired":
            return f"{facts['name']} ({facts['system']}) refuses our secrets: it gets nothing until it has new ones."
        case "sync_delivery_dead":
            return f"{_many(facts['count'], 'message')} of {facts['source']} ({facts['topic']}) could not be worked."
    raise KeyError(kind)


def over(kind: str, facts: Mapping[str, Any]) -> str:
    """And one that it is over."""
    match kind:
        case "sync_failing":
            return f"Nothing of {facts['workflow']} is stopped by {facts['code']} any more."
        case "sync_inventory_stopped":
            return f"{facts['workflow']} runs again."
        case "sync_breaker_open":
            return f"{facts['name']} ({facts['system']}) is called again."
        case "connection_auth_expired":
            return f"{facts['name']} ({facts['system']}) does not wait for new secrets any more."
        case "sync_delivery_dead":
            return f"No message of {facts['source']} ({facts['topic']}) lies unworked any more."
    raise KeyError(kind)


def _keep(session: Session, tenant_id: str, kind: str, wrong: Mapping[str, dict[str, Any]]) -> None:
    for subject, facts in wrong.items():
        raise_alert(session, tenant_id, kind, subject, words(kind, facts), action=Action.NONE, facts=facts)
        said = json.dumps(facts)
        session.execute(_STILL, {"tenant": tenant_id, "kind": kind, "subject": subject, "facts": said})
    for subject in session.scalars(_OPEN, {"tenant": tenant_id, "kind": kind}).all():
        if subject not in wrong:
            resolve_alert(session, tenant_id, kind, subject)


def _many(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
