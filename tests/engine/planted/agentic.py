"""What breaks each rule of ``engine/checks/agentic.py``."""

# ruff: noqa: E501
from __future__ import annotations

_PLATFORM = (
    "INSERT INTO app.agent_platforms (tenant_id, id, name, trusted, status, webhook_url, created_at)"
    " SELECT tenant_id, 'agp_1', 'Agent Co', true, 'active', 'https://agent.example/', now() FROM app.orders LIMIT 1;"
)
_HEARS = (
    "INSERT INTO app.webhook_receivers (tenant_id, platform_id, naming, since, failures)"
    " SELECT tenant_id, 'agp_1', 'released', '2000-01-01', 0 FROM app.orders LIMIT 1;"
)
_EVENT = (
    "INSERT INTO app.webhook_events (tenant_id, id, platform_id, order_id, type, topics, status, attempts, available_at, error, created_at)"
    " SELECT tenant_id, 'whe_1', 'agp_1', id, 'order_update', '{{}}', '{status}', 16, now(), '', now() FROM app.orders WHERE placed_at IS NOT NULL ORDER BY id LIMIT 1;"
)
_ITS_ORDER = (
    "UPDATE app.orders SET owner_id = 'agp_1' WHERE id = (SELECT min(id) FROM app.orders WHERE placed_at IS NOT NULL);"
)
FAULTS: dict[str, str] = {
    "every order of a platform is told to it": _PLATFORM + _HEARS + _ITS_ORDER,
    "a platform hears of no orders but its own": _PLATFORM + _EVENT.format(status="queued"),
    "what was given up is an alert": _PLATFORM + _ITS_ORDER + _EVENT.format(status="dead"),
}
