"""Agent platforms of a shop."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.agentic.models import AgentPlatform
from engine.kit import audit
from engine.kit.ids import new_id


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
