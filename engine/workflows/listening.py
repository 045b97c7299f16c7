"""Have a system send by itself what the workflows that are on want to hear."""

from __future__ import annotations

import httpx

from engine.kit import audit
from engine.kit.errors import InvalidInput
from engine.kit.views import View
from engine.runtime import Runtime
from engine.sync import connections, connectors
from engine.sync.connectors import NotSupported, class_of
from engine.sync.models import System
from engine.sync.port import Capability
from engine.workflows import pipeline, registry


class Listening(View):
    """Where a system sends its letters, and about what."""

    address: str
    topics: list[str]


def wanted(runtime: Runtime, tenant_id: str, system: System) -> list[str]:
    """Topics of a system that begin a workflow which is on."""
    with runtime.unit_of_work(tenant_id) as session:
        names = pipeline.switched_on(session, tenant_id)
    heard = (registry.live(name).hears for name in names)
    return sorted({topic for pairs in heard for one, topic in pairs if one == system})


def listen(
    runtime: Runtime,
    tenant_id: str,
    connection_id: str,
    *,
    actor: str,
    address: str,
    transport: httpx.BaseTransport | None = None,
) -> Listening:
    """Subscribe; done twice it is done once. Raises ``NotFound``, ``NotSupported`` for a system that takes no
    subscriptions, ``InvalidInput`` where no workflow wants to hear of it, and ``engine.sync.errors``.
    """
    with runtime.unit_of_work(tenant_id) as session:
        system = System(connections.get(session, tenant_id, connection_id).system)
    if Capability.SUBSCRIPTIONS not in class_of(system).capabilities:
        raise NotSupported(f"{system} is told in its own pages where to send its letters.")
    topics = wanted(runtime, tenant_id, system)
    if not topics:
        raise InvalidInput(f"No workflow that is on hears of {system}: switch one on first.", param="connection")
    connectors.storefront(runtime, tenant_id, connection_id, transport=transport).listen(address, topics)
    with runtime.unit_of_work(tenant_id) as session:
        facts = {"topics": topics}
        audit.record(session, tenant_id, actor=actor, action="connection.listens", subject=connection_id, facts=facts)
    return Listening(address=address, topics=topics)
