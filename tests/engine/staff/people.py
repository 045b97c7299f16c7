"""People who work for a small shop, and what is written to them."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

from sqlalchemy import select

from engine.kit.audit import AuditRow
from engine.kit.identity import Role
from engine.kit.members import StaffMember, StaffSession
from engine.kit.outbox import OutboxRow
from engine.runtime import Runtime
from engine.staff import letters, members
from tests.shop import Shop

ADDRESS = "203.0.113.7"


def hire(shop: Shop, name: str, role: Role = Role.SUPPORT) -> StaffMember:
    """Invited, and not come yet."""
    with shop.uow() as session:
        email = f"{name.lower()}@people.example"
        return members.invite(
            session, shop.runtime, shop.tenant.id, email=email, role=role, actor="test", name=name
        ).member


def come_in(shop: Shop, member: StaffMember) -> str:
    """A session of theirs; returns the cookie's value."""
    with shop.uow() as session:
        return members.sign_in(session, members.locked(session, shop.tenant.id, member.id), by="test")


def secret_of(link: str) -> str:
    return parse_qs(urlsplit(link).query)["token"][0]


def mailed(shop: Shop, topic: str) -> list[OutboxRow]:
    with shop.uow() as session:
        query = select(OutboxRow).where(OutboxRow.tenant_id == shop.tenant.id, OutboxRow.topic == topic)
        return list(session.scalars(query.order_by(OutboxRow.id)))


def code_mailed(shop: Shop) -> str:
    """The newest code that was to be mailed."""
    with shop.uow() as session:
        letter = letters.code(session, shop.runtime, mailed(shop, letters.CODE_ASKED)[-1])
    assert letter is not None
    return letter.code


def audited(shop: Shop) -> list[tuple[str, str, str]]:
    """Actor, action and subject of all that staff did."""
    with shop.uow() as session:
        query = select(AuditRow.actor, AuditRow.action, AuditRow.subject).where(
            AuditRow.tenant_id == shop.tenant.id, AuditRow.action.like("staff.%")
        )
        return [(row.actor, row.action, row.subject) for row in session.execute(query.order_by(AuditRow.id))]


def sessions_of(runtime: Runtime, member: StaffMember) -> int:
    with runtime.store.without_tenant() as session:
        return len(session.scalars(select(StaffSession).where(StaffSession.member_id == member.id)).all())
