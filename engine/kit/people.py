"""Who is behind a key or a sign-in: all of one person are one, and so are all keys that name nobody."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.kit.identity import NAMELESS, Scope
from engine.kit.ids import PREFIXES
from engine.kit.members import MemberStatus, StaffMember
from engine.kit.tenancy import ApiKey, Tenant

_MEMBER: Final = f"{PREFIXES['member']}_"
_STAFF: Final = frozenset({Scope.STAFF, Scope.OPS, Scope.ADMIN})


def who_is(session: Session, tenant_id: str, actor: str) -> str:
    """The person who works with a key, ``NAMELESS`` when it names nobody, or who a member is; whatever is neither of
    the shop is itself.
    """
    if actor.startswith(_MEMBER):
        member = session.get(StaffMember, (tenant_id, actor))
        return member.person if member else actor
    row = session.execute(select(ApiKey.person).where(ApiKey.tenant_id == tenant_id, ApiKey.id == actor)).first()
    return actor if row is None else row.person or NAMELESS


def who_are(session: Session, tenant_id: str, actors: Iterable[str]) -> dict[str, str]:
    """``who_is`` of many, in two statements whatever their number."""
    wanted = set(actors)
    keys = select(ApiKey.id, ApiKey.person).where(ApiKey.tenant_id == tenant_id, ApiKey.id.in_(wanted))
    members = select(StaffMember.id, StaffMember.person).where(
        StaffMember.tenant_id == tenant_id, StaffMember.id.in_(wanted)
    )
    found = {actor: actor for actor in wanted} | {key: person or NAMELESS for key, person in session.execute(keys)}
    for member, person in session.execute(members):
        found[member] = person
    return found


def keys_of(session: Session, tenant_id: str, actor: str) -> list[str]:
    """Everything that the person behind this one acts as, itself among it: keys, and their own place at the shop."""
    who = who_is(session, tenant_id, actor)
    if who == actor:
        return [actor]
    whose = ApiKey.person == who if who else ApiKey.person.is_(None)
    found = list(session.scalars(select(ApiKey.id).where(ApiKey.tenant_id == tenant_id, whose)))
    if who:
        mine = select(StaffMember.id).where(StaffMember.tenant_id == tenant_id, StaffMember.person == who)
        found += session.scalars(mine)
    return [actor, *(one for one in found if one != actor)]


def works_here(session: Session, tenant_id: str, who: str) -> bool:
    """Whether somebody of this name (or a key that names nobody) is of the shop's people now."""
    members = select(StaffMember.id).where(
        StaffMember.tenant_id == tenant_id, StaffMember.person == who, StaffMember.status == MemberStatus.ACTIVE
    )
    if session.scalars(members).first() is not None:
        return True
    keys = select(ApiKey.scopes).where(
        ApiKey.tenant_id == tenant_id,
        (ApiKey.person == who) | ((ApiKey.id == who) & ApiKey.person.is_(None)),
        ApiKey.revoked_at.is_(None),
    )
    return any(_STAFF & set(scopes) for scopes in session.scalars(keys))


def is_one(session: Session, tenant_id: str, one: str, other: str) -> bool:
    """Whether two actors are one person."""
    return one == other or who_is(session, tenant_id, one) == who_is(session, tenant_id, other)


def may_decide(session: Session, tenant_id: str, actor: str) -> bool:
    """Whether somebody is known to stand behind it, where the shop asks for that (``approvals.named_people_only``)."""
    settings = session.get_one(Tenant, tenant_id).settings
    asks = settings.get("policies", {}).get("approvals", {}).get("named_people_only", True)
    return not asks or who_is(session, tenant_id, actor) != NAMELESS


def everybody(session: Session, tenant_id: str) -> dict[str, str]:
    """Who is of the shop's people now, as work is given to them, and how each is called."""
    members = select(StaffMember.person, StaffMember.name).where(
        StaffMember.tenant_id == tenant_id, StaffMember.status == MemberStatus.ACTIVE
    )
    found = {row.person: row.name for row in session.execute(members.order_by(StaffMember.person))}
    keys = select(ApiKey.person, ApiKey.scopes).where(
        ApiKey.tenant_id == tenant_id, ApiKey.person.is_not(None), ApiKey.revoked_at.is_(None)
    )
    for person, scopes in session.execute(keys.order_by(ApiKey.person)):
        if _STAFF & set(scopes):
            found.setdefault(person, person)
    return found
