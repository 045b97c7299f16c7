"""Keys for programs: made, replaced without a gap, ended. The secret is answered once; its hash is all that is kept."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.agentic import platforms
from engine.kit import audit, clock
from engine.kit.errors import Conflict, NotFound
from engine.kit.identity import Scope
from engine.kit.ids import new_id
from engine.kit.members import MemberStatus, StaffMember
from engine.kit.tenancy import ApiKey, hash_secret

PREFIX: Final = "ick_"


class PersonLeft(Conflict):
    code = "person_left"


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key and its secret, which nothing keeps."""

    id: str
    secret: str
    scopes: tuple[str, ...]
    platform_id: str | None

    def __repr__(self) -> str:
        return f"NewKey({self.id})"


def create(
    session: Session,
    tenant_id: str,
    *,
    scopes: list[str],
    actor: str,
    label: str = "",
    person: str | None = None,
    platform: str = "",
) -> NewKey:
    """A key of these scopes. One with scope ``acp`` is an agent platform's: of the one named, or of one of its own.

    Raises ``PersonLeft`` for a ``person`` who was disabled at the console: their keys ended with it.
    """
    if person:
        _must_work_here(session, tenant_id, person)
    key_id = new_id("key")
    platform_id = None
    if Scope.ACP in scopes:
        platform_id = platforms.named(session, tenant_id, platform or key_id, actor=actor).id
    made = _add(session, tenant_id, key_id, scopes, label, person, platform_id)
    facts = {"scopes": scopes, "platform": platform_id}
    audit.record(session, tenant_id, actor=actor, action="key.created", subject=key_id, facts=facts)
    return made


def _must_work_here(session: Session, tenant_id: str, person: str) -> None:
    """Who is let go at this moment is waited for."""
    theirs = select(StaffMember.status).where(StaffMember.tenant_id == tenant_id, StaffMember.person == person)
    if session.scalars(theirs.with_for_update(read=True)).first() == MemberStatus.DISABLED:
        raise PersonLeft("Who this key would name does not work here any more: enable them first, or name nobody.")


def rotate(session: Session, tenant_id: str, key_id: str, *, actor: str, overlap: timedelta) -> NewKey:
    """A new key in place of one, which goes on working for ``overlap``. Raises ``NotFound`` for one that has ended,
    ``PersonLeft`` as ``create`` does.
    """
    known = session.get(ApiKey, key_id)
    if known is not None and known.person:
        _must_work_here(session, tenant_id, known.person)
    old = session.get(ApiKey, key_id, with_for_update=True, populate_existing=True)
    ended = old is not None and old.expires_at is not None and old.expires_at <= clock.now()
    if old is None or old.tenant_id != tenant_id or old.revoked_at or ended:
        raise NotFound("There is no such key that still works.")
    made = _add(session, tenant_id, new_id("key"), list(old.scopes), old.label, old.person, old.platform_id)
    old.expires_at = clock.now() + overlap
    facts = {"by": made.id, "ends_at": old.expires_at.isoformat()}
    audit.record(session, tenant_id, actor=actor, action="key.rotated", subject=key_id, facts=facts)
    return made


def _add(
    session: Session,
    tenant_id: str,
    key_id: str,
    scopes: list[str],
    label: str,
    person: str | None,
    platform_id: str | None,
) -> NewKey:
    secret = PREFIX + secrets.token_urlsafe(32)
    session.add(
        ApiKey(
            id=key_id,
            key_hash=hash_secret(secret),
            tenant_id=tenant_id,
            scopes=scopes,
            label=label,
            person=person,
            platform_id=platform_id,
            suspended_at=platforms.suspended_at(session, tenant_id, platform_id),
        )
    )
    return NewKey(key_id, secret, tuple(scopes), platform_id)
