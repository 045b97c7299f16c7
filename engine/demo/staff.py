"""The people who work at a demo shop: one of each role. In demo mode whoever looks may be any of them."""

from __future__ import annotations

from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.kit import clock
from engine.kit.identity import Role
from engine.kit.ids import new_id
from engine.kit.members import MemberStatus, StaffMember
from engine.kit.tenancy import Tenant

PEOPLE: Final = (("Sam", Role.SUPPORT), ("Noor", Role.SUPERVISOR), ("Ola", Role.OPS), ("Ada", Role.ADMIN))


def add_staff(session: Session, tenant_id: str) -> None:
    """Add them where the shop has nobody yet."""
    if session.scalars(select(StaffMember.id).where(StaffMember.tenant_id == tenant_id).limit(1)).first():
        return
    slug = session.get_one(Tenant, tenant_id).slug
    for name, role in PEOPLE:
        session.add(
            StaffMember(
                tenant_id=tenant_id,
                id=new_id("member"),
                email=f"{name.lower()}@{slug}.example",
                name=name,
                person=name.casefold(),
                role=role,
                status=MemberStatus.ACTIVE,
                demo=True,
                invited_by="system",
                invited_at=clock.now(),
                joined_at=clock.now(),
            )
        )
