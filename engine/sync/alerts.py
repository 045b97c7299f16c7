"""Trouble with other systems that a person is to hear of: what it is, when it begins and when it is over.

Each is an item of the inbox, once while it lasts. A breaker and refused secrets are raised where they happen, what a
warehouse does by the workflow that hears of it; what is a matter of counting is looked for every minute. Who is told,
and how often, is ``engine.sync.telling``'s.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from engine.kit import clock
from engine.payments.alerts import Action, raise_alert, resolve_alert
from engine.sync.models import Connection
from engine.sync.policy import alerts_policy

FAILING: Final = "sync_failing"
"""Runs stop, all for one cause; subject: the cause's fingerprint."""
STOPPED: Final = "sync_inventory_stopped"
"""Stock is not kept equal any more; subject: the workflow."""
BREAKER: Final = "sync_breaker_open"
AUTH_EXPIRED: Final = "connection_auth_expired"
"""Both: subject the connection."""
DEAD: Final = "sync_delivery_dead"
"""What a system told us was given up; subject: who told, and of what."""
ASK_WAREHOUSE: Final = "warehouse_cancel"
"""A person has a warehouse's order called off; subject: our fulfillment."""
WAREHOUSE_CANCELED: Final = "warehouse_canceled"
"""A warehouse called off an order by itself; subject: its number."""
KINDS: Final = (FAILING, STOPPED, BREAKER, AUTH_EXPIRED, DEAD, ASK_WAREHOUSE, WAREHOUSE_CANCELED)
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
_WORDS: Final = {
    STOPPED: "{workflow} stopped ({code}): stock is not kept equal until somebody has looked.",
    BREAKER: "{name} ({system}) fails too often: it is left alone, and asked by and by.",
    AUTH_EXPIRED: "{name} ({system}) refuses our secrets: it gets nothing until it has new ones.",
    DEAD: "{messages} of {source} ({topic}) could not be worked.",
    ASK_WAREHOUSE: "Have the warehouse call off its order {number}: a cancel of {order} waits.",
    WAREHOUSE_CANCELED: "The warehouse has called off its order {number}: {units_wanted} of it still wanted.",
}
_OVER: Final = {
    FAILING: "Nothing of {workflow} is stopped by {code} any more.",
    STOPPED: "{workflow} runs again.",
    BREAKER: "{name} ({system}) is called again.",
    AUTH_EXPIRED: "{name} ({system}) does not wait for new secrets any more.",
    DEAD: "No message of {source} ({topic}) lies unworked any more.",
    ASK_WAREHOUSE: "The cancel of {order} does not wait for the warehouse any more.",
    WAREHOUSE_CANCELED: "Somebody has looked after the warehouse's order {number}.",
}
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
        "failures": alerts_policy(session, tenant_id).failures,
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
    put(session, tenant_id, kind, connection_id, {"name": row.name, "system": str(row.system), "count": 1})


def put(session: Session, tenant_id: str, kind: str, subject: str, facts: Mapping[str, Any]) -> None:
    """Put it into the inbox, once while it lasts: the shop's people hear of it."""
    raise_alert(session, tenant_id, kind, subject, words(kind, facts), action=Action.NONE, facts=facts)


def words(kind: str, facts: Mapping[str, Any]) -> str:
    """One sentence about it, of facts that anybody may know: names of the shop's own, workflows, steps and codes."""
    if kind == FAILING:
        step = f" at “{facts['step']}”" if facts.get("step") else ""
        often = "once" if facts["count"] == 1 else f"{facts['count']} times"
        return f"{facts['workflow']} stopped{step} {often}: {facts['code']}."
    counted = {
        "messages": _many(facts.get("count", 1), "message"),
        "units_wanted": _many(facts.get("units", 0), "unit"),
    }
    return _WORDS[kind].format_map({**facts, **counted})


def over(kind: str, facts: Mapping[str, Any]) -> str:
    """And one that it is over."""
    return _OVER[kind].format_map(facts)


def _keep(session: Session, tenant_id: str, kind: str, wrong: Mapping[str, dict[str, Any]]) -> None:
    for subject, facts in wrong.items():
        put(session, tenant_id, kind, subject, facts)
        said = json.dumps(facts)
        session.execute(_STILL, {"tenant": tenant_id, "kind": kind, "subject": subject, "facts": said})
    for subject in session.scalars(_OPEN, {"tenant": tenant_id, "kind": kind}).all():
        if subject not in wrong:
            resolve_alert(session, tenant_id, kind, subject)


def _many(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
