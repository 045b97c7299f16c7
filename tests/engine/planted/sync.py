"""What breaks each rule of ``engine/checks/sync.py``."""

# ruff: noqa: E501, S608
from __future__ import annotations

_CONNECTION = (
    "INSERT INTO app.sync_connections (tenant_id, id, system, name, base_url, settings, status, reason, status_at, test_error, created_at)"
    " SELECT tenant_id, 'con_1', 'shopify', 'n', 'https://x.example', '{}', 'active', '', now(), '', now() FROM app.orders LIMIT 1;"
    "INSERT INTO app.sync_breakers (tenant_id, connection_id, state, counted_from, cooldown_seconds, changed_at)"
    " SELECT tenant_id, id, 'closed', now(), 30, now() FROM app.sync_connections"
)
_LIMIT = (
    "INSERT INTO app.sync_limits (tenant_id, connection_id, kind, capacity, period_ms, max_in_flight, level_micro, level_at)"
    " SELECT tenant_id, id, '{kind}', {capacity}, {period}, {most}, {level}, now() FROM app.sync_connections"
)
_WHOLE = _CONNECTION + ";" + _LIMIT.format(kind="concurrency", capacity="NULL", period="NULL", most=1, level=0)
_PERMITS = (
    "INSERT INTO app.sync_permits (tenant_id, id, connection_id, cost, taken_at, lease_until, counts_until)"
    " SELECT tenant_id, 'prm_' || n, id, 1, now(), now() + interval '1 hour', now() + interval '2 hours'"
    " FROM app.sync_connections, generate_series(1, 2) n"
)
_SECRETS = (
    "INSERT INTO app.sync_secrets (tenant_id, connection_id, field, version, sealed, ends_at, created_at)"
    " SELECT tenant_id, id, 'access_token', n, ''::bytea, CASE n WHEN 3 THEN NULL ELSE now() + interval '1 hour' END, now()"
    " FROM app.sync_connections, generate_series(1, 3) n"
)
_DELIVERIES = (
    "INSERT INTO app.sync_deliveries (tenant_id, id, source, delivery_id, topic, headers, body, digest, status, attempts, available_at, error, received_at)"
    " SELECT tenant_id, 'dlv_' || n, 'shopify', 'wh', 't', '{{}}', 'x'::bytea, {digest}, 'waiting', 0, now(), '', now()"
    " FROM (SELECT tenant_id FROM app.orders LIMIT 1) o, generate_series(1, {count}) n"
)
_XREFS = (
    "INSERT INTO app.sync_xrefs (tenant_id, system, account, kind, external_id, internal_kind, internal_id, version, hash, linked_at, updated_at)"
    " SELECT tenant_id, 'netsuite', '', 'salesOrder', 'x' || n, 'order', id, '', '', now(), now()"
    " FROM (SELECT tenant_id, id FROM app.orders LIMIT 1) o, generate_series(1, 2) n"
)
_MAPPINGS = (
    "INSERT INTO app.sync_mappings (tenant_id, id, name, version, target, spec, note, active, created_by, created_at)"
    " SELECT tenant_id, 'mpg_' || n, 'm', n * 2, 't', '{}', '', false, 'a', now()"
    " FROM (SELECT tenant_id FROM app.orders LIMIT 1) o, generate_series(1, 2) n"
)
_EXCEPTIONS = (
    "INSERT INTO app.sync_exceptions (tenant_id, id, workflow, workflow_id, step, subject, code, reason, fields, payload, fingerprint, status, times, retries, first_at, last_at, decided_by)"
    " SELECT tenant_id, 'exc_' || n, 'w', 'run', '', 's', 'c', 'r', '[]', '{}', 'f', 'open', 1, 0, now(), now(), ''"
    " FROM (SELECT tenant_id FROM app.orders LIMIT 1) o, generate_series(1, 2) n"
)
FAULTS: dict[str, str] = {
    "no more calls are out than a connection may have at once": _WHOLE + ";" + _PERMITS,
    "no period has more requests than a connection may send in one": _CONNECTION
    + ";"
    + _LIMIT.format(kind="requests", capacity=1, period=1000, most="NULL", level=0)
    + ";"
    + _PERMITS,
    "no bucket holds more points than its size": _CONNECTION
    + ";"
    + _LIMIT.format(kind="points", capacity=1, period=1000, most="NULL", level=1000001),
    "every connection has its limit and its breaker": _CONNECTION,
    "at most two values of a secret are live": _WHOLE + ";" + _SECRETS,
    "a closed connection holds no secrets": _WHOLE
    + ";"
    + _SECRETS.replace("generate_series(1, 3)", "generate_series(3, 3)")
    + ";UPDATE app.sync_connections SET status = 'closed', reason = 'over'",
    "a delivery is stored once": "DROP INDEX app.uq_sync_deliveries_once;"
    + _DELIVERIES.format(digest="encode(sha256('x'::bytea), 'hex')", count=2),
    "a delivery says what it was": _DELIVERIES.format(digest="'nothing'", count=1),
    "nothing of ours is two things of one kind elsewhere": "DROP INDEX app.uq_sync_xrefs_internal;" + _XREFS,
    "the versions of a mapping have no gap": _MAPPINGS,
    "a run is in the exception queue once": "DROP INDEX app.uq_sync_exceptions_run;" + _EXCEPTIONS,
}
