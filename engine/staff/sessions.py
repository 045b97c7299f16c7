"""Browsers in which the shop's people are signed in. Only hashes are kept; a session ends by whichever comes first:
idleness, age, its person's word, or the person's leaving.
"""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, or_, select, text, update
from sqlalchemy.orm import Session

from engine.kit import bells, clock
from engine.kit.identity import Actor, Identity, Role
from engine.kit.members import StaffMember, StaffSession
from engine.kit.tenancy import hash_secret

IDLE: Final = timedelta(hours=12)
LIFE: Final = timedelta(days=3)
_TOLD: Final = timedelta(minutes=5)
"""How old the note of the last use may get: not every request writes."""
_TOKEN_LIMIT: Final = 200


def begin(session: Session, member: StaffMember) -> str:
    """Remember a browser as this person; returns the cookie's value, which is kept nowhere."""
    token, now = secrets.token_urlsafe(32), clock.now()
    row = {"tenant_id": member.tenant_id, "member_id": member.id, "created_at": now, "seen_at": now}
    session.add(StaffSession(token_hash=hash_secret(token), expires_at=now + LIFE, **row))
    member.last_seen_at = now
    return token


def who(session: Session, token: str) -> Identity | None:
    """Whose browser this is, in a transaction that has no tenant yet; it has the person's from then on."""
    row = live(session, hash_secret(token)) if token and len(token) <= _TOKEN_LIMIT else None
    if row is None:
        return None
    session.execute(text("SELECT set_config('app.tenant_id', :tenant, true)"), {"tenant": row.tenant_id})
    member = session.get(StaffMember, (row.tenant_id, row.member_id))
    if member is None or not member.active:
        return None
    _touch(session, row, member)
    return replace(identity_of(member), session=row.token_hash)


def live(session: Session, token_hash: str) -> StaffSession | None:
    """The session of a cookie's hash, while it is one."""
    now = clock.now()
    query = select(StaffSession).where(
        StaffSession.token_hash == token_hash, StaffSession.expires_at > now, StaffSession.seen_at > now - IDLE
    )
    return session.scalars(query).one_or_none()


def identity_of(member: StaffMember) -> Identity:
    """As whom a member acts."""
    role = Role(member.role)
    return Identity(
        member.tenant_id,
        Actor.MEMBER,
        member.id,
        scopes=role.scopes,
        person=member.person,
        role=role,
        name=member.name,
    )


def end(session: Session, token: str) -> None:
    """Forget one browser, and what is open in it."""
    ended = delete(StaffSession).where(StaffSession.token_hash == hash_secret(token)).returning(StaffSession)
    for row in session.scalars(ended):
        bells.ring(session, row.tenant_id, row.member_id)


def end_all(session: Session, tenant_id: str, member_id: str) -> None:
    """Forget every browser of one person, and what is open in them."""
    session.execute(
        delete(StaffSession).where(StaffSession.tenant_id == tenant_id, StaffSession.member_id == member_id)
    )
    bells.ring(session, tenant_id, member_id)


def still(session: Session, identity: Identity) -> bool:
    """Whether the session that somebody came in by is still one; another role and leaving the shop end them all."""
    return identity.session is None or live(session, identity.session) is not None


def forget_old(session: Session) -> None:
    """Drop what opens nothing any more."""
    now = clock.now()
    session.execute(delete(StaffSession).where(or_(StaffSession.expires_at <= now, StaffSession.seen_at <= now - IDLE)))


def _touch(session: Session, row: StaffSession, member: StaffMember) -> None:
    now: datetime = clock.now()
    if now - row.seen_at < _TOLD:
        return
    seen = update(StaffSession).where(StaffSession.token_hash == row.token_hash)
    session.execute(seen.values(seen_at=now).execution_options(synchronize_session=False))
    member.last_seen_at = now
