"""What is written to the shop's people: a code to sign in by, a link that lets them in. Each goes by mail alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlencode

from sqlalchemy.orm import Session

from engine.kit import clock
from engine.kit.envelope import open_code
from engine.kit.members import StaffMember
from engine.kit.outbox import OutboxRow
from engine.kit.tenancy import Tenant, hash_secret
from engine.runtime import Runtime
from engine.staff.models import StaffCode

CODE_ASKED: Final = "staff.code_requested"
INVITED: Final = "staff.invited"
_MINUTE: Final = 60
_DAY: Final = 86_400


@dataclass(frozen=True, slots=True)
class CodeLetter:
    to: str
    code: str = field(repr=False)
    minutes: int
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class InviteLetter:
    to: str
    facts: Mapping[str, Any] = field(repr=False)
    expires_at: datetime


def code(session: Session, runtime: Runtime, row: OutboxRow) -> CodeLetter | None:
    """What the letter of a wish to sign in says; ``None`` when the code is over or was used, or its owner left."""
    asked = session.get(StaffCode, (row.tenant_id, row.subject_id))
    if asked is None or asked.member_id is None or asked.used_at is not None or asked.expires_at <= clock.now():
        return None
    member = session.get_one(StaffMember, (row.tenant_id, asked.member_id))
    if not member.active:
        return None
    minutes = round((asked.expires_at - row.created_at).total_seconds()) // _MINUTE
    return CodeLetter(member.email, _opened(runtime, row), minutes, asked.expires_at)


def invitation(session: Session, runtime: Runtime, row: OutboxRow) -> InviteLetter | None:
    """What an invitation says; ``None`` when its link is over, was used, or was followed by another."""
    member = session.get(StaffMember, (row.tenant_id, row.subject_id))
    if member is None or not member.active or member.invite_until is None or member.invite_until <= clock.now():
        return None
    secret = _opened(runtime, row)
    if hash_secret(secret) != member.invite_hash:
        return None
    link = link_of(session.get_one(Tenant, row.tenant_id), runtime.web_origin, secret)
    days = round((member.invite_until - row.created_at).total_seconds()) // _DAY
    facts = {"name": member.name, "role": str(member.role), "link": link, "days": days}
    return InviteLetter(member.email, facts, member.invite_until)


def link_of(tenant: Tenant, web_origin: str, secret: str) -> str:
    """Where an invitation is taken: at the shop's own host, or where all shops are."""
    origin = f"https://{tenant.host}" if tenant.host else web_origin
    return f"{origin}/staff/join?{urlencode({'shop': tenant.slug, 'token': secret})}"


def _opened(runtime: Runtime, row: OutboxRow) -> str:
    return open_code(runtime.secret_key, row.tenant_id, row.topic, row.subject_id, row.payload["sealed"])
