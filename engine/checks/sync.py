"""Other systems: what is sent is within limits, what was done is remembered once, and no secret outlives its use."""

from __future__ import annotations

from typing import Final

from engine.checks.rule import Rule

# What was taken under an older limit than the present one (``level_at``) was within that.
RULES: Final = (
    Rule(
        "no more calls are out than a connection may have at once",
        "SELECT count(*) FROM app.sync_limits WHERE kind = 'concurrency'",
        "SELECT l.connection_id, count(*) || ' calls are out, of ' || l.max_in_flight FROM app.sync_limits l"
        " JOIN app.sync_permits p ON p.tenant_id = l.tenant_id AND p.connection_id = l.connection_id"
        " WHERE l.kind = 'concurrency' AND p.lease_until > now() AND p.taken_at >= l.level_at"
        " GROUP BY l.connection_id, l.max_in_flight HAVING count(*) > l.max_in_flight",
    ),
    Rule(
        "no period has more requests than a connection may send in one",
        "SELECT count(*) FROM app.sync_limits WHERE kind = 'requests'",
        "SELECT l.connection_id, sum(p.cost) || ' requests in a period, of ' || l.capacity FROM app.sync_limits l"
        " JOIN app.sync_permits p ON p.tenant_id = l.tenant_id AND p.connection_id = l.connection_id"
        " WHERE l.kind = 'requests' AND p.counts_until > now() AND p.taken_at >= l.level_at"
        " GROUP BY l.connection_id, l.capacity HAVING sum(p.cost) > l.capacity",
    ),
    Rule(
        "no bucket holds more points than its size",
        "SELECT count(*) FROM app.sync_limits WHERE kind = 'points'",
        "SELECT connection_id, level_micro || ' millionths, of ' || capacity || ' points' FROM app.sync_limits"
        " WHERE kind = 'points' AND level_micro > capacity * 1000000",
    ),
    Rule(
        "every connection has its limit and its breaker",
        "SELECT count(*) FROM app.sync_connections",
        "SELECT c.id, 'has no limit, or no breaker' FROM app.sync_connections c WHERE NOT EXISTS ("
        "SELECT FROM app.sync_limits l JOIN app.sync_breakers b ON b.connection_id = l.connection_id"
        " WHERE l.connection_id = c.id)",
    ),
    Rule(
        "at most two values of a secret are live",
        "SELECT count(*) FROM app.sync_secrets",
        "SELECT connection_id, count(*) || ' live values of ' || field FROM app.sync_secrets"
        " WHERE ends_at IS NULL OR ends_at > now() GROUP BY connection_id, field HAVING count(*) > 2",
    ),
    Rule(
        "a closed connection holds no secrets",
        "SELECT count(*) FROM app.sync_connections WHERE status = 'closed'",
        "SELECT c.id, 'is closed and holds ' || s.field FROM app.sync_connections c"
        " JOIN app.sync_secrets s ON s.tenant_id = c.tenant_id AND s.connection_id = c.id WHERE c.status = 'closed'",
    ),
    Rule(
        "a delivery is stored once",
        "SELECT count(*) FROM app.sync_deliveries",
        "SELECT min(id), 'is ' || count(*) || ' times ' || source || ' ' || delivery_id FROM app.sync_deliveries"
        " GROUP BY source, delivery_id HAVING count(*) > 1",
    ),
    Rule(
        "a delivery says what it was",
        "SELECT count(*) FROM app.sync_deliveries WHERE status = 'waiting'",
        "SELECT id, 'waits, and its body is not the one that came' FROM app.sync_deliveries"
        " WHERE status = 'waiting' AND encode(sha256(body), 'hex') <> digest",
    ),
    Rule(
        "nothing of ours is two things of one kind elsewhere",
        "SELECT count(*) FROM app.sync_xrefs",
        "SELECT internal_id, 'is ' || count(*) || ' times a ' || kind || ' of ' || system FROM app.sync_xrefs"
        " GROUP BY system, account, kind, internal_kind, internal_id HAVING count(*) > 1",
    ),
    Rule(
        "the versions of a mapping have no gap",
        "SELECT count(*) FROM app.sync_mappings",
        "SELECT name, 'has ' || count(*) || ' versions up to ' || max(version) FROM app.sync_mappings"
        " GROUP BY name HAVING count(*) <> max(version) OR count(*) FILTER (WHERE active) > 1"
        " OR count(DISTINCT target) > 1",
    ),
    Rule(
        "a run is in the exception queue once",
        "SELECT count(*) FROM app.sync_exceptions WHERE status IN ('open', 'retrying')",
        "SELECT min(id), 'is there ' || count(*) || ' times: ' || workflow_id FROM app.sync_exceptions"
        " WHERE status IN ('open', 'retrying') GROUP BY workflow_id HAVING count(*) > 1",
    ),
)
