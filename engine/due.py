"""Whether there is anything to do: one look over all shops (``engine.lookout``), so that a quiet shop costs no trip.

A condition may say yes too often, never too seldom: it is what the job itself looks for, or more. Each is met by an
index of its own that holds only what waits.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from engine.kit.direct import Statement

PAYMENTS_UNFINISHED: Final = """SELECT FROM app.payments WHERE tenant_id = %(tenant)s
AND status IN ('processing', 'unknown') AND lease_until <= %(now)s"""
CAPTURES_PENDING: Final = """SELECT FROM app.captures WHERE tenant_id = %(tenant)s
AND status = 'pending' AND lease_until <= %(now)s"""
REFUNDS_PENDING: Final = """SELECT FROM app.refunds WHERE tenant_id = %(tenant)s
AND status = 'pending' AND lease_until <= %(now)s"""
VOIDS_REQUESTED: Final = """SELECT FROM app.payments WHERE tenant_id = %(tenant)s
AND status IN ('authorized', 'partially_captured') AND void_requested_at IS NOT NULL AND lease_until <= %(now)s"""
AUTHORIZATIONS_OVER: Final = """SELECT FROM app.payments WHERE tenant_id = %(tenant)s
AND status IN ('authorized', 'partially_captured') AND authorization_expires_at <= %(now)s"""
GATEWAY_EVENTS: Final = """SELECT FROM app.gateway_events WHERE tenant_id = %(tenant)s
AND applied_at IS NULL AND available_at <= %(now)s"""
RESTORED: Final = "SELECT FROM app.restores WHERE tenant_id = %(tenant)s AND lifted_at IS NULL"
CARDS_OVER: Final = """SELECT FROM app.consents WHERE tenant_id = %(tenant)s
AND status IN ('open', 'approved') AND expires_at <= %(now)s"""
CHECKOUTS_OVER: Final = """SELECT FROM app.checkout_sessions WHERE tenant_id = %(tenant)s
AND status NOT IN ('completed', 'canceled', 'expired') AND status <> 'complete_in_progress' AND expires_at <= %(now)s"""
CHANGES_OVER: Final = """SELECT FROM app.order_changes WHERE tenant_id = %(tenant)s
AND status IN ('quoted', 'confirmed') AND expires_at <= %(now)s"""
RETURNS_OVER: Final = """SELECT FROM app.returns WHERE tenant_id = %(tenant)s
AND status IN ('requested', 'approved', 'label_ready') AND sent_at IS NULL
AND expires_at <= %(now)s - interval '2 seconds'"""
RETURNS_TO_CHARGE: Final = """SELECT FROM app.returns WHERE tenant_id = %(tenant)s
AND NOT status IN ('closed', 'declined', 'canceled', 'expired') AND to_charge > 0 AND problem IS NULL
AND (received_at IS NOT NULL OR scanned_at IS NOT NULL)"""
BACKORDERS: Final = "SELECT FROM app.backorders WHERE tenant_id = %(tenant)s AND status = 'waiting'"
DIGITAL: Final = """SELECT FROM app.order_lines l JOIN app.orders o ON o.tenant_id = l.tenant_id AND o.id = l.order_id
WHERE l.tenant_id = %(tenant)s AND l.digital AND l.allocated > l.shipped AND o.status = 'open'"""
CONVERSATIONS: Final = """SELECT FROM app.outbox WHERE tenant_id = %(tenant)s
AND consumer = 'conversation' AND delivered_at IS NULL AND available_at <= %(now)s"""
TURNS: Final = """SELECT FROM app.runs WHERE tenant_id = %(tenant)s
AND status IN ('queued', 'running') AND (status = 'queued' OR lease_until < %(now)s)"""
AGENTIC: Final = """SELECT FROM app.outbox WHERE tenant_id = %(tenant)s
AND consumer = 'agentic' AND delivered_at IS NULL AND available_at <= %(now)s"""
CUSTOMERS: Final = """SELECT FROM app.outbox WHERE tenant_id = %(tenant)s
AND consumer = 'customers' AND delivered_at IS NULL AND available_at <= %(now)s"""
PROMOTIONS: Final = """SELECT FROM app.outbox WHERE tenant_id = %(tenant)s
AND consumer = 'promotions' AND delivered_at IS NULL AND available_at <= %(now)s"""
PIPELINE: Final = """SELECT FROM app.outbox WHERE tenant_id = %(tenant)s
AND consumer = 'pipeline' AND delivered_at IS NULL AND available_at <= %(now)s"""
PLATFORMS: Final = """SELECT FROM app.outbox WHERE tenant_id = %(tenant)s
AND consumer = 'acp' AND delivered_at IS NULL AND available_at <= %(now)s"""
WEBHOOKS: Final = """SELECT FROM app.webhook_events WHERE tenant_id = %(tenant)s
AND status = 'queued' AND available_at <= %(now)s AND (lease_until IS NULL OR lease_until <= %(now)s)"""
WARRANTIES: Final = """SELECT FROM app.outbox WHERE tenant_id = %(tenant)s
AND consumer = 'warranties' AND delivered_at IS NULL AND available_at <= %(now)s"""
CLAIMS_DECIDED: Final = """SELECT FROM app.warranty_claims WHERE tenant_id = %(tenant)s
AND status = 'approved' AND resolution IN ('refund', 'replacement') AND problem IS NULL
AND (NOT comes_back OR received_at IS NOT NULL)"""
APPROVALS: Final = """SELECT FROM app.approvals WHERE tenant_id = %(tenant)s
AND status = 'claimed' AND lease_until <= %(now)s"""
LETTERS: Final = """SELECT FROM app.outbox WHERE tenant_id = %(tenant)s
AND consumer = 'mail' AND delivered_at IS NULL AND available_at <= %(now)s"""
MAIL: Final = """SELECT FROM app.mails WHERE tenant_id = %(tenant)s
AND status = 'queued' AND available_at <= %(now)s"""
UNSEALED: Final = "SELECT FROM app.audit WHERE tenant_id = %(tenant)s AND hash IS NULL"
HOLDS_OVER: Final = """SELECT FROM app.reservations WHERE tenant_id = %(tenant)s
AND status = 'held' AND expires_at <= %(now)s"""
GLANCES_OVER: Final = """SELECT FROM app.case_glances WHERE tenant_id = %(tenant)s
AND (seen_at <= %(now)s - interval '40 seconds' OR typed_at <= %(now)s - interval '8 seconds')"""
ALERTS: Final = """SELECT FROM app.alerts a WHERE a.tenant_id = %(tenant)s AND a.resolved_at IS NULL
AND a.kind = ANY(ARRAY['sync_failing', 'sync_inventory_stopped', 'sync_breaker_open', 'connection_auth_expired',
'sync_delivery_dead', 'warehouse_cancel', 'warehouse_canceled'])
AND NOT EXISTS (SELECT FROM app.sync_notices n WHERE n.tenant_id = a.tenant_id AND n.alert_id = a.id)"""
ALERTS_OVER: Final = """SELECT FROM app.sync_notices n JOIN app.alerts a ON a.tenant_id = n.tenant_id
AND a.id = n.alert_id WHERE n.tenant_id = %(tenant)s AND n.over_at IS NULL AND (a.resolved_at IS NOT NULL
OR (n.digest_at IS NULL AND coalesce((a.facts->>'count')::int, 1) > n.count))"""
DIGEST: Final = """SELECT FROM app.sync_notices WHERE tenant_id = %(tenant)s AND digest_at <= %(now)s"""
POSTS: Final = """SELECT FROM app.sync_posts WHERE tenant_id = %(tenant)s
AND status = 'waiting' AND available_at <= %(now)s"""
PIPELINE_ON: Final = "SELECT FROM app.sync_pipeline WHERE tenant_id = %(tenant)s AND active AND is_on"
RUNS_OPEN: Final = """SELECT FROM app.sync_runs WHERE tenant_id = %(tenant)s AND mode = 'live'
AND status IN ('queued', 'running', 'waiting')"""
RUNS_QUEUED: Final = """SELECT FROM app.sync_runs WHERE tenant_id = %(tenant)s AND mode = 'live' AND status = 'queued'
AND workflow = ANY(%(workflows)s) AND (handed_at IS NULL OR handed_at < %(now)s - interval '10 minutes')"""
RUNS_ORPHANED: Final = """SELECT FROM app.sync_runs WHERE tenant_id = %(tenant)s AND mode = 'live'
AND status IN ('queued', 'running', 'waiting') AND workflow <> ALL(%(known)s)
AND created_at < %(now)s - interval '10 minutes'"""
RUNS_WAITING: Final = """SELECT FROM app.sync_runs WHERE tenant_id = %(tenant)s AND mode = 'live' AND status = 'waiting'
AND workflow = ANY(%(workflows)s) AND next_try_at <= %(now)s"""
RUNS_ASLEEP: Final = """SELECT FROM app.sync_connections c JOIN app.sync_runs r ON r.tenant_id = c.tenant_id
WHERE c.tenant_id = %(tenant)s AND c.status = 'active' AND c.status_at > %(now)s - interval '30 seconds'
AND r.mode = 'live' AND r.status = 'waiting' AND r.next_try_at IS NOT NULL AND r.workflow = ANY(%(workflows)s)
AND r.error_code IN ('auth_expired', 'connection_paused')"""
DELIVERIES: Final = """SELECT FROM app.sync_deliveries WHERE tenant_id = %(tenant)s
AND status = 'waiting' AND available_at <= %(now)s"""
WANTED_AGAIN: Final = """SELECT FROM app.sync_exceptions WHERE tenant_id = %(tenant)s
AND status = 'retrying' AND (taken_until IS NULL OR taken_until <= %(now)s)"""
POLLS: Final = """SELECT FROM app.sync_pipeline p
LEFT JOIN app.sync_cursors c ON c.tenant_id = p.tenant_id AND c.workflow = p.workflow
WHERE p.tenant_id = %(tenant)s AND p.active AND p.is_on AND p.workflow = ANY(%(polled)s)
AND (c.due_at IS NULL OR c.due_at <= %(now)s)"""
IMPORTS: Final = """SELECT FROM app.catalog_imports WHERE tenant_id = %(tenant)s
AND status IN ('waiting', 'applying')"""
SEARCH: Final = """SELECT FROM app.outbox WHERE tenant_id = %(tenant)s
AND consumer = 'search' AND delivered_at IS NULL AND available_at <= %(now)s"""


def look(conditions: Iterable[tuple[str, ...]]) -> Statement:
    """One row of booleans ``due_0``, ``due_1``, …: whether any of the first conditions is met, of the second, …"""
    return Statement(f"SELECT {_booleans(conditions)}")


def look_around(conditions: Iterable[tuple[str, ...]]) -> Statement:
    """The same of all shops at once: a row with ``shop``, ``status`` and the booleans for each in which any is met.

    Row-level security goes by what the transaction is bound to, so each shop is bound before it is looked at, and
    looked at by what was bound: that is the order, for the one needs the other. ``OFFSET 0`` keeps the planner from
    looking at all of them under one.
    """
    wanted = list(conditions)
    booleans = _booleans([tuple(one.replace("%(tenant)s", "bound.tenant") for one in any_of) for any_of in wanted])
    met = " OR ".join(f"seen.due_{place}" for place in range(len(wanted)))
    return Statement(
        "SELECT shops.id AS shop, shops.status, seen.* FROM app.tenants shops"  # noqa: S608 (conditions of our own)
        " CROSS JOIN LATERAL (SELECT set_config('app.tenant_id', shops.id, true) AS tenant OFFSET 0) bound"
        f" CROSS JOIN LATERAL (SELECT {booleans} OFFSET 0) seen WHERE {met}"
    )


def _booleans(conditions: Iterable[tuple[str, ...]]) -> str:
    found = (" OR ".join(f"EXISTS ({one} OFFSET 0)" for one in any_of) for any_of in conditions)
    return ", ".join(f"({words}) AS due_{place}" for place, words in enumerate(found))
