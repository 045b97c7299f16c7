"""The shop's people as the API shows them."""

from __future__ import annotations

from datetime import datetime

from engine.kit.identity import Role
from engine.kit.members import MemberStatus, StaffMember
from engine.kit.views import View


class MemberView(View):
    id: str
    email: str
    name: str
    person: str
    """The name as cases and approvals hold it."""
    role: Role
    status: MemberStatus
    invited_at: datetime
    invite_until: datetime | None
    """How long the link is good that was sent and not used yet."""
    joined_at: datetime | None
    last_seen_at: datetime | None

    @classmethod
    def of(cls, row: StaffMember) -> MemberView:
        return cls(**{name: getattr(row, name) for name in cls.model_fields})
