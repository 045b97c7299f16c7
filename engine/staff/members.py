"""The shop's people: invited, given a role, let go. There is always an admin left."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from engine.customers.addresses import check_email
from engine.kit import audit, clock, outbox
from engine.kit.envelope import seal_code
from engine.kit.errors import InvalidInput, NotFound
from engine.kit.identity import Identity, Role, Scope
from engine.kit.ids import is_id, new_id
from engine.kit.members import MemberStatus, StaffMember
from engine.kit.tenancy import ApiKey, Tenant, hash_secret
from engine.runtime import Runtime
from engine.staff import sessions
from engine.staff.errors import AlreadyMember, LastAdmin, LinkWrong, NameTaken
from engine.staff.letters import INVITED, link_of

INVITE_LIFE: Final = timedelta(days=7)
_NAME_LIMIT: Final = 80


@dataclass(frozen=True, slots=True)
class Invited:
    """A new member, or one who has not come yet, and the link, which nothing keeps."""

    member: StaffMember
    link: str

    def __repr__(self) -> str:
        return f"Invited({self.member.id})"


def invite(
    session: Session, runtime: Runtime, tenant_id: str, *, email: str, role: Role, actor: str, name: str = ""
) -> Invited:
    """Make somebody one of the shop's people, and have the link that lets them in sent to them. Who was invited and
    never came gets a new one, and the old one ends.

    Raises ``ContactInvalid``, ``InvalidInput``, ``AlreadyMember``, ``NameTaken``, ``LastAdmin``.
    """
    address = check_email(email).lower()
    tenant = session.get_one(Tenant, tenant_id, with_for_update={"key_share": True})
    row = by_email(session, tenant_id, address)
    if row is not None and (row.joined_at is not None or not row.active):
        raise AlreadyMember("Somebody with this e-mail is among the shop's people already.")
    if row is None:
        row = _new(session, tenant_id, address, name=name, role=role, actor=actor)
    elif row.role == Role.ADMIN and role != Role.ADMIN:
        _require_another_admin(session, row)
    secret = secrets.token_urlsafe(32)
    row.role, row.invited_by, row.invited_at = role, actor, clock.now()
    row.invite_hash, row.invite_until = hash_secret(secret), clock.now() + INVITE_LIFE
    facts = {"role": str(role)}
    audit.record(session, tenant_id, actor=actor, action="staff.invited", subject=row.id, facts=facts)
    sealed = seal_code(runtime.secret_key, tenant_id, INVITED, row.id, secret)
    outbox.emit(session, tenant_id, INVITED, row.id, {"sealed": sealed})
    session.flush()
    return Invited(row, link_of(tenant, runtime.web_origin, secret))


def by_link(session: Session, tenant_id: str, secret: str) -> StaffMember:
    """Whom a link invites; nothing is changed by looking. Raises ``LinkWrong``."""
    row = session.scalars(
        select(StaffMember).where(
            StaffMember.tenant_id == tenant_id,
            StaffMember.invite_hash == hash_secret(secret),
            StaffMember.invite_until > clock.now(),
            StaffMember.status == MemberStatus.ACTIVE,
        )
    ).one_or_none()
    if row is None:
        raise LinkWrong
    return row


def accept(session: Session, tenant_id: str, secret: str) -> str:
    """Use a link, once: the new session's cookie. Raises ``LinkWrong``."""
    found = by_link(session, tenant_id, secret)
    row = locked(session, tenant_id, found.id)
    if row.invite_hash != hash_secret(secret) or not row.active:
        raise LinkWrong
    return sign_in(session, row, by="invite")


def sign_in(session: Session, row: StaffMember, *, by: str) -> str:
    """A new session of a locked member; returns the cookie's value. A link that was still open is used up by it."""
    row.joined_at = row.joined_at or clock.now()
    row.invite_hash = row.invite_until = None
    audit.record(session, row.tenant_id, actor=row.id, action="staff.signed_in", subject=row.id, facts={"by": by})
    return sessions.begin(session, row)


def sign_out(session: Session, identity: Identity, token: str, *, everywhere: bool) -> None:
    """End this browser's session, or every one of this person."""
    if everywhere:
        sessions.end_all(session, identity.tenant_id, identity.id)
    sessions.end(session, token)
    facts = {"everywhere": everywhere}
    who = identity.id
    audit.record(session, identity.tenant_id, actor=who, action="staff.signed_out", subject=who, facts=facts)


def set_role(session: Session, tenant_id: str, member_id: str, role: Role, *, actor: str) -> StaffMember:
    """Give somebody another role; they have to sign in again, and keys of theirs that may what the role may not end.
    Raises ``NotFound``, ``LastAdmin``.
    """
    row = _managed(session, tenant_id, member_id)
    if row.role == role:
        return row
    if row.role == Role.ADMIN:
        _require_another_admin(session, row)
    facts = {"from": str(row.role), "to": str(role)}
    row.role = role
    sessions.end_all(session, tenant_id, row.id)
    audit.record(session, tenant_id, actor=actor, action="staff.role_changed", subject=row.id, facts=facts)
    _end_keys(session, row, beyond=role.scopes, actor=actor)
    return row


def disable(session: Session, tenant_id: str, member_id: str, *, actor: str) -> StaffMember:
    """Let nobody in as this person any more, at once; every key in their name ends for good. Raises ``NotFound``,
    ``LastAdmin``.
    """
    row = _managed(session, tenant_id, member_id)
    if not row.active:
        return row
    if row.role == Role.ADMIN:
        _require_another_admin(session, row)
    row.status, row.disabled_at = MemberStatus.DISABLED, clock.now()
    row.invite_hash = row.invite_until = None
    sessions.end_all(session, tenant_id, row.id)
    audit.record(session, tenant_id, actor=actor, action="staff.disabled", subject=row.id)
    _end_keys(session, row, beyond=frozenset(), actor=actor)
    return row


def enable(session: Session, tenant_id: str, member_id: str, *, actor: str) -> StaffMember:
    """Let somebody in again; they sign in by e-mail, and keys are made anew. Raises ``NotFound``."""
    row = _managed(session, tenant_id, member_id)
    if row.active:
        return row
    row.status, row.disabled_at = MemberStatus.ACTIVE, None
    audit.record(session, tenant_id, actor=actor, action="staff.enabled", subject=row.id)
    return row


def by_email(session: Session, tenant_id: str, email: str) -> StaffMember | None:
    query = select(StaffMember).where(StaffMember.tenant_id == tenant_id, StaffMember.email == email.lower())
    return session.scalars(query).one_or_none()


def locked(session: Session, tenant_id: str, member_id: str) -> StaffMember:
    """A member under their lock, as they are now. Raises ``NotFound``."""
    key = (tenant_id, member_id) if is_id(member_id, "member") else None
    row = session.get(StaffMember, key, with_for_update=True, populate_existing=True) if key else None
    if row is None:
        raise NotFound("There is nobody of that name here.")
    return row


def everybody(session: Session, tenant_id: str) -> list[StaffMember]:
    """All of them, by name; those who left come last."""
    query = select(StaffMember).where(StaffMember.tenant_id == tenant_id)
    return list(session.scalars(query.order_by(StaffMember.status, StaffMember.person, StaffMember.id)))


def _managed(session: Session, tenant_id: str, member_id: str) -> StaffMember:
    """Behind the shop's own lock: two admins who demote each other at once take turns."""
    session.get_one(Tenant, tenant_id, with_for_update={"key_share": True})
    return locked(session, tenant_id, member_id)


def _end_keys(session: Session, row: StaffMember, *, beyond: frozenset[Scope], actor: str) -> None:
    """Revoke the keys in somebody's name that may more than ``beyond``."""
    theirs = select(ApiKey).where(
        ApiKey.tenant_id == row.tenant_id, ApiKey.person == row.person, ApiKey.revoked_at.is_(None)
    )
    for key in session.scalars(theirs.order_by(ApiKey.id).with_for_update()):
        if set(key.scopes) <= beyond:
            continue
        key.revoked_at = clock.now()
        facts = {"of": row.id}
        audit.record(session, row.tenant_id, actor=actor, action="key.revoked", subject=key.id, facts=facts)


def _require_another_admin(session: Session, row: StaffMember) -> None:
    others = select(func.count()).where(
        StaffMember.tenant_id == row.tenant_id,
        StaffMember.role == Role.ADMIN,
        StaffMember.status == MemberStatus.ACTIVE,
        StaffMember.id != row.id,
    )
    if not session.scalar(others):
        raise LastAdmin("This is the shop's last admin. Make somebody else one first.")


def _new(session: Session, tenant_id: str, email: str, *, name: str, role: Role, actor: str) -> StaffMember:
    called = " ".join(name.split()) or email.partition("@")[0]
    if len(called) > _NAME_LIMIT or not called.isprintable():
        raise InvalidInput(f"A name has at most {_NAME_LIMIT} characters, on one line.", param="name")
    person = called.casefold()
    taken = select(StaffMember.id).where(StaffMember.tenant_id == tenant_id, StaffMember.person == person)
    if len(person) > _NAME_LIMIT or session.scalars(taken).first() is not None:
        raise NameTaken(f"Somebody called {called} is here already: give another name.")
    row = StaffMember(
        tenant_id=tenant_id,
        id=new_id("member"),
        email=email,
        name=called,
        person=person,
        role=role,
        status=MemberStatus.ACTIVE,
        demo=False,
        invited_by=actor,
        invited_at=clock.now(),
    )
    session.add(row)
    return row
