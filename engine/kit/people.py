"""Who is behind a key: all keys of one person are one, and so are all that name nobody."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.kit.identity import NAMELESS
from engine.kit.tenancy import ApiKey, Tenant


def who_is(session: Session, tenant_id: str, actor: str) -> str:
    """The person who works with a key, ``NAMELESS`` when it names nobody; whatever is no key of the shop is itself."""
    row = session.execute(select(ApiKey.person).where(ApiKey.tenant_id == tenant_id, ApiKey.id == actor)).first()
    return actor if row is None else row.person or NAMELESS


def keys_of(session: Session, tenant_id: str, actor: str) -> list[str]:
    """Every key of the person who works with this one, itself among them."""
    who = who_is(session, tenant_id, actor)
    if who == actor:
        return [actor]
    whose = ApiKey.person == who if who else ApiKey.person.is_(None)
    return [actor, *session.scalars(select(ApiKey.id).where(ApiKey.tenant_id == tenant_id, whose, ApiKey.id != actor))]


def is_one(session: Session, tenant_id: str, one: str, other: str) -> bool:
    """Whether two actors are one person."""
    return one == other or who_is(session, tenant_id, one) == who_is(session, tenant_id, other)


def may_decide(session: Session, tenant_id: str, actor: str) -> bool:
    """Whether somebody is known to stand behind it, where the shop asks for that (``approvals.named_people_only``)."""
    settings = session.get_one(Tenant, tenant_id).settings
    asks = settings.get("policies", {}).get("approvals", {}).get("named_people_only", True)
    return not asks or who_is(session, tenant_id, actor) != NAMELESS
