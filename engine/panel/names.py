"""Who somebody is in a trail: the person behind a key, the shopper, an agent, or the shop itself."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.kit.ids import PREFIXES
from engine.kit.members import StaffMember
from engine.kit.tenancy import ApiKey

_KINDS: Final = {
    PREFIXES["shopper"]: "The shopper",
    PREFIXES["customer"]: "The shopper",
    PREFIXES["agent_platform"]: "An agent platform",
    PREFIXES["key"]: "A key without a name",
}
_SYSTEM: Final = {"system": "The shop itself", "": "The shop itself"}


def names(session: Session, tenant_id: str, actors: Iterable[str]) -> dict[str, str]:
    """Actor → what people call it, in two statements whatever their number."""
    wanted = set(actors)
    keys = select(ApiKey.id, ApiKey.person).where(ApiKey.tenant_id == tenant_id, ApiKey.id.in_(wanted))
    members = select(StaffMember.id, StaffMember.name, StaffMember.person).where(
        StaffMember.tenant_id == tenant_id, StaffMember.id.in_(wanted)
    )
    people = {key: person for key, person in session.execute(keys) if person}
    people |= {member: name or person for member, name, person in session.execute(members)}
    return {actor: people.get(actor) or _SYSTEM.get(actor) or _by_kind(actor) for actor in wanted}


def _by_kind(actor: str) -> str:
    return _KINDS.get(actor.partition("_")[0], actor)
