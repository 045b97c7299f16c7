"""Figures of the pipeline: calls, waits and retries as this process sees them, and how things stand in the store.

How things stand is one statement for each shop, asked at most every ``FRESH_SECONDS`` however often it is scraped.
Shops are told apart while there are few of them; beyond ``MOST_SHOPS`` they are one.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta
from typing import Final, cast

import structlog
from prometheus_client import Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import select, text

from app.metrics import REGISTRY
from engine.kit import clock
from engine.kit.tenancy import Tenant
from engine.runtime import Runtime
from engine.sync import observed

log = structlog.get_logger(__name__)
FRESH_SECONDS: Final = 15.0
MOST_SHOPS: Final = 20
ALL: Final = "all"
CALLS: Final = Counter(
    "ic_sync_calls_total", "Calls to systems by what came of them.", ("system", "outcome"), registry=REGISTRY
)
CALL_SECONDS: Final = Histogram(
    "ic_sync_call_seconds",
    "Seconds until a system answered.",
    ("system",),
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
    registry=REGISTRY,
)
WAITS: Final = Counter(
    "ic_sync_limit_waits_total", "Calls that found no room within a limit.", ("system",), registry=REGISTRY
)
WAIT_SECONDS: Final = Counter(
    "ic_sync_limit_wait_seconds_total", "Seconds that they waited, or were told to.", ("system",), registry=REGISTRY
)
RETRIES: Final = Counter(
    "ic_sync_step_retries_total", "Steps that failed and come again.", ("workflow", "code"), registry=REGISTRY
)
GAUGES: Final = {
    "ic_sync_runs": ("Runs that are open, and those of the last 24 hours that ended.", ("workflow", "status")),
    "ic_sync_oldest_open_seconds": ("Age of the oldest run that is open.", ("workflow",)),
    "ic_sync_breakers": ("Connections by the state of their breaker.", ("system", "state")),
    "ic_sync_connections": ("Connections by their state.", ("system", "status")),
    "ic_sync_in_flight": ("Calls that are out.", ("system",)),
    "ic_sync_deliveries": ("Deliveries that wait to be worked, or were given up.", ("status",)),
    "ic_sync_oldest_delivery_seconds": ("Age of the oldest delivery that waits.", ()),
    "ic_sync_exceptions": ("Runs that a person has to look at.", ("workflow",)),
    "ic_sync_drift": ("Items of which connected systems have not the same stock.", ()),
    "ic_sync_alerts": ("Alerts about other systems that are open.", ("kind",)),
}
"""Name → what it is and its labels; each has ``tenant`` besides."""
OLDEST: Final = frozenset({"ic_sync_oldest_open_seconds", "ic_sync_oldest_delivery_seconds"})
"""Of several shops together the largest counts, not the sum."""
_STANDING: Final = text("""
SELECT 'ic_sync_runs' AS name, ARRAY[workflow, status] AS labels, count(*)::float8 AS value FROM app.sync_runs
WHERE tenant_id = :tenant AND mode = 'live'
  AND (status IN ('queued', 'running', 'waiting') OR (status IN ('done', 'failed', 'canceled') AND created_at > :day))
GROUP BY workflow, status
UNION ALL
SELECT 'ic_sync_oldest_open_seconds', ARRAY[workflow], extract(epoch FROM :now - min(created_at))::float8
FROM app.sync_runs WHERE tenant_id = :tenant AND mode = 'live' AND status IN ('queued', 'running', 'waiting')
GROUP BY workflow
UNION ALL
SELECT 'ic_sync_breakers', ARRAY[c.system, b.state], count(*)::float8 FROM app.sync_connections c
JOIN app.sync_breakers b ON b.tenant_id = c.tenant_id AND b.connection_id = c.id
WHERE c.tenant_id = :tenant AND c.status <> 'closed' GROUP BY c.system, b.state
UNION ALL
SELECT 'ic_sync_connections', ARRAY[system, status], count(*)::float8 FROM app.sync_connections
WHERE tenant_id = :tenant AND status <> 'closed' GROUP BY system, status
UNION ALL
SELECT 'ic_sync_in_flight', ARRAY[c.system], count(*)::float8 FROM app.sync_permits p
JOIN app.sync_connections c ON c.tenant_id = p.tenant_id AND c.id = p.connection_id
WHERE p.tenant_id = :tenant AND p.lease_until > :now GROUP BY c.system
UNION ALL
SELECT 'ic_sync_deliveries', ARRAY[status], count(*)::float8 FROM app.sync_deliveries
WHERE tenant_id = :tenant AND status IN ('waiting', 'dead') GROUP BY status
UNION ALL
SELECT 'ic_sync_oldest_delivery_seconds', ARRAY[]::text[], extract(epoch FROM :now - min(received_at))::float8
FROM app.sync_deliveries WHERE tenant_id = :tenant AND status = 'waiting' HAVING count(*) > 0
UNION ALL
SELECT 'ic_sync_exceptions', ARRAY[workflow], count(*)::float8 FROM app.sync_exceptions
WHERE tenant_id = :tenant AND status IN ('open', 'retrying') GROUP BY workflow
UNION ALL
SELECT 'ic_sync_drift', ARRAY[]::text[], count(*)::float8 FROM (
  SELECT sku FROM (
    SELECT r.sku, r.connection_id, sum(r.available) AS units FROM app.sync_readings r
    JOIN app.sync_connections c ON c.tenant_id = r.tenant_id AND c.id = r.connection_id AND c.status <> 'closed'
    WHERE r.tenant_id = :tenant GROUP BY r.sku, r.connection_id) AS counted
  GROUP BY sku HAVING max(units) <> min(units)) AS unlike
UNION ALL
SELECT 'ic_sync_alerts', ARRAY[kind], count(*)::float8 FROM app.alerts
WHERE tenant_id = :tenant AND resolved_at IS NULL AND (kind LIKE 'sync\\_%' OR kind = 'connection_auth_expired')
GROUP BY kind
""")
Key = tuple[str, str, tuple[str, ...]]
"""Name, shop and labels."""


class Counted:
    """Counts what is told in this process."""

    def called(self, system: str, outcome: str, seconds: float) -> None:
        CALLS.labels(system, outcome).inc()
        CALL_SECONDS.labels(system).observe(seconds)

    def waited(self, system: str, seconds: float) -> None:
        WAITS.labels(system).inc()
        WAIT_SECONDS.labels(system).inc(seconds)

    def retried(self, workflow: str, code: str) -> None:
        RETRIES.labels(workflow, code).inc()


class Standing(Collector):
    """How things stood when it was last asked."""

    def __init__(self) -> None:
        self._values: dict[Key, float] = {}
        self._asked_at = float("-inf")
        self._lock = threading.Lock()

    def refresh(self, runtime: Runtime, *, fresh: float = FRESH_SECONDS) -> None:
        """Ask anew where that was not done a moment ago; who asks meanwhile gets what was known. Blocks."""
        if not self._lock.acquire(blocking=False):
            return
        try:
            if time.monotonic() - self._asked_at >= fresh:
                self._values = read(runtime)
                self._asked_at = time.monotonic()
        finally:
            self._lock.release()

    def collect(self) -> Iterator[Metric]:
        """A family for each name, also for what there is none of."""
        families = {
            name: GaugeMetricFamily(name, words, labels=("tenant", *labels)) for name, (words, labels) in GAUGES.items()
        }
        for (name, shop, labels), value in sorted(self._values.items()):
            families[name].add_metric((shop, *labels), value)
        yield from cast("Iterator[Metric]", iter(families.values()))


def read(runtime: Runtime) -> dict[Key, float]:
    """How things stand: a statement for each shop."""
    with runtime.store.without_tenant() as session:
        query = select(Tenant.id, Tenant.slug).where(Tenant.status == "active").order_by(Tenant.number)
        shops = session.execute(query).all()
    found: dict[Key, float] = defaultdict(float)
    for tenant_id, slug in shops:
        shop = slug if len(shops) <= MOST_SHOPS else ALL
        for name, labels, value in _of_shop(runtime, tenant_id):
            key = (name, shop, tuple(labels))
            found[key] = max(found[key], value) if name in OLDEST else found[key] + value
    return dict(found)


def _of_shop(runtime: Runtime, tenant_id: str) -> list[tuple[str, list[str], float]]:
    now = clock.now()
    bound = {"tenant": tenant_id, "now": now, "day": now - timedelta(days=1)}
    with runtime.unit_of_work(tenant_id) as session:
        return [(row.name, list(row.labels), float(row.value)) for row in session.execute(_STANDING, bound)]


STANDING: Final = Standing()
REGISTRY.register(STANDING)
observed.LISTENERS.append(Counted())
