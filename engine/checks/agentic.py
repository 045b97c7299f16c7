"""What platforms are told: each order once, and none forgotten."""

from __future__ import annotations

from typing import Final

from engine.checks.rule import Rule

_HEARD: Final = """app.orders o JOIN app.agent_platforms p ON p.tenant_id = o.tenant_id AND p.id = o.owner_id
 JOIN app.webhook_receivers r ON r.tenant_id = o.tenant_id AND r.platform_id = p.id
 WHERE p.webhook_url IS NOT NULL AND o.placed_at >= r.since"""
_TOLD: Final = """SELECT FROM app.webhook_events e
 WHERE e.tenant_id = o.tenant_id AND e.order_id = o.id AND e.type = 'order_create'"""
_WAITS: Final = """SELECT FROM app.outbox b WHERE b.tenant_id = o.tenant_id AND b.consumer = 'acp'
 AND b.subject_id = o.id AND b.delivered_at IS NULL"""
RULES: Final = (
    Rule(
        "every order of a platform is told to it",
        f"SELECT count(*) FROM {_HEARD}",  # noqa: S608 (our own words)
        f"SELECT o.id, 'was never told to ' || p.id FROM {_HEARD}"  # noqa: S608 (our own words)
        f" AND NOT EXISTS ({_TOLD}) AND NOT EXISTS ({_WAITS})",
    ),
    Rule(
        "a platform hears of no orders but its own",
        "SELECT count(*) FROM app.webhook_events",
        "SELECT e.id, 'tells ' || e.platform_id || ' of an order of ' || o.owner_id FROM app.webhook_events e"
        " JOIN app.orders o ON o.tenant_id = e.tenant_id AND o.id = e.order_id WHERE o.owner_id <> e.platform_id",
    ),
    Rule(
        "what was given up is an alert",
        "SELECT count(*) FROM app.webhook_events WHERE status = 'dead'",
        "SELECT e.id, 'was given up and nobody was told' FROM app.webhook_events e WHERE e.status = 'dead'"
        " AND NOT EXISTS (SELECT FROM app.alerts a WHERE a.tenant_id = e.tenant_id AND a.subject = e.platform_id"
        " AND a.kind = 'webhooks_given_up')",
    ),
)
