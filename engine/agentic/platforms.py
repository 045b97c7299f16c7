"""Agent platforms of a shop."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from engine.agentic.models import AgentPlatform, PlatformStatus
from engine.kit import audit, clock
from engine.kit.ids import new_id
from engine.kit.tenancy import ApiKey


def named(session: Session, tenant_id: str, name: str, *, actor: str) -> AgentPlatform:
    """The platform of this name, registered now if there is none."""
    query = select(AgentPlatform).where(AgentPlatform.tenant_id == tenant_id, AgentPlatform.name == name)
    found = session.scalar(query)
    if found is None:
        found = AgentPlatform(tenant_id=tenant_id, id=new_id("agent_platform"), name=name)
        session.add(found)
        session.flush()
        facts = {"name": name, "trusted": found.trusted}
        audit.record(session, tenant_id, actor=actor, action="platform.registered", subject=found.id, facts=facts)
    return found


def suspend(session: Session, platform: AgentPlatform, *, suspended: bool, actor: str) -> None:
    """Close the door to a platform, or open it again: its keys open nothing meanwhile, and it is told nothing. What it
    bought stays its own, and what it was to hear waits.
    """
    platform.status = PlatformStatus.SUSPENDED if suspended else PlatformStatus.ACTIVE
    session.execute(
        update(ApiKey)
        .where(ApiKey.tenant_id == platform.tenant_id, ApiKey.platform_id == platform.id)
        .values(suspended_at=clock.now() if suspended else None)
        .execution_options(synchronize_session=False)
    )
    action = "platform.suspended" if suspended else "platform.resumed"
    audit.record(session, platform.tenant_id, actor=actor, action=action, subject=platform.id)


def suspended_at(session: Session, tenant_id: str, platform_id: str | None) -> datetime | None:
    """Since when a key that is made now opens nothing; ``None`` for one that does."""
    found = session.get(AgentPlatform, (tenant_id, platform_id)) if platform_id else None
    return clock.now() if found is not None and found.status == PlatformStatus.SUSPENDED else None


def trust(session: Session, platform: AgentPlatform, *, trusted: bool, actor: str) -> None:
    """Whether a delegated token that it brings says that a human agreed."""
    platform.trusted = trusted
    facts = {"trusted": trusted}
    audit.record(session, platform.tenant_id, actor=actor, action="platform.trust", subject=platform.id, facts=facts)
