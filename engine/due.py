"""Whether there is anything to do: one look per shop and tick, so that a quiet shop costs one short trip of reads.

A condition may say yes too often, never too seldom: it is what the job itself looks for, or more. Each is met by an
index of its own that holds only what waits.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from engine.db import Store
from engine.kit import clock
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
BACKORDERS: Final = "SELECT FROM app.backorders WHERE tenant_id = %(tenant)s AND status = 'waiting'"
DIGITAL: Final = """SELECT FROM app.order_lines l JOIN app.orders o ON o.tenant_id = l.tenant_id AND o.id = l.order_id
WHERE l.tenant_id = %(tenant)s AND l.digital AND l.allocated > l.shipped AND o.status = 'open'"""
CONVERSATIONS: Final = """SELECT FROM app.outbox WHERE tenant_id = %(tenant)s
AND consumer = 'conversation' AND delivered_at IS NULL AND available_at <= %(now)s"""
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
IMPORTS: Final = """SELECT FROM app.catalog_imports WHERE tenant_id = %(tenant)s
AND status IN ('waiting', 'applying')"""
SEARCH: Final = """SELECT FROM app.outbox WHERE tenant_id = %(tenant)s
AND consumer = 'search' AND delivered_at IS NULL AND available_at <= %(now)s"""


def look(conditions: Iterable[tuple[str, ...]]) -> Statement:
    """One row of booleans ``due_0``, ``due_1``, …: whether any of the first conditions is met, of the second, …"""
    found = (" OR ".join(f"EXISTS ({one})" for one in any_of) for any_of in conditions)
    return Statement("SELECT " + ", ".join(f"{words} AS due_{place}" for place, words in enumerate(found)))


_SEARCH_LOOK: Final = look([(SEARCH,)])
_WEBHOOKS_LOOK: Final = look([(WEBHOOKS,)])
_IMPORTS_LOOK: Final = look([(IMPORTS,)])


def search_waits(store: Store, tenant_id: str) -> bool:
    """Whether the search index is behind the outbox."""
    ((found,),) = store.ask(tenant_id, (_SEARCH_LOOK, {"tenant": tenant_id, "now": clock.now()}))
    return bool(found["due_0"])


def webhooks_wait(store: Store, tenant_id: str) -> bool:
    """Whether an event for a platform is to be sent."""
    ((found,),) = store.ask(tenant_id, (_WEBHOOKS_LOOK, {"tenant": tenant_id, "now": clock.now()}))
    return bool(found["due_0"])


def imports_wait(store: Store, tenant_id: str) -> bool:
    """Whether a file is to be worked through."""
    ((found,),) = store.ask(tenant_id, (_IMPORTS_LOOK, {"tenant": tenant_id}))
    return bool(found["due_0"])
