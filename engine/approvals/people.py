"""Who may decide: the shop's people by its rules, and never whoever asked, whichever of their keys they show or
wherever they are signed in.
"""

from __future__ import annotations

from sqlalchemy.orm import Session

from engine.approvals.errors import MayNotApprove, OwnRequest
from engine.approvals.models import Approval
from engine.approvals.policy import ApprovalsPolicy
from engine.kit import people
from engine.kit.identity import Identity


def check(session: Session, identity: Identity, row: Approval, policy: ApprovalsPolicy) -> None:
    """Raises ``MayNotApprove`` for who may not decide anything, ``OwnRequest`` for who asked."""
    check_known(identity, row, policy, people.who_is(session, identity.tenant_id, row.requested_by))


def check_known(identity: Identity, row: Approval, policy: ApprovalsPolicy, asker: str) -> None:
    """``check`` with the person at hand who stands behind whoever asked."""
    if not identity.is_staff or not {str(scope) for scope in identity.scopes} & set(policy.approver_scopes):
        raise MayNotApprove(f"This is decided with a key of scope {' or '.join(policy.approver_scopes)}.")
    if policy.named_people_only and identity.person is None:
        raise MayNotApprove("This is decided with a key that names who works with it.")
    if _is_one(identity, row.requested_by, row.requested_who, asker):
        raise OwnRequest("Somebody else must decide what you asked for.")
    if identity.role is not None and identity.role not in policy.approver_roles:
        raise MayNotApprove(f"This is decided by the roles {', '.join(policy.approver_roles)}.")


def has_agreed(session: Session, identity: Identity, row: Approval) -> bool:
    """Whether this person said yes before."""
    now = people.who_are(session, identity.tenant_id, [one["by"] for one in row.agreed])
    return any(_is_one(identity, one["by"], one["who"], now[one["by"]]) for one in row.agreed)


def _is_one(identity: Identity, key_id: str, who: str, now: str) -> bool:
    """Whether ``identity`` is the person who acted as ``who`` with the key ``key_id``, as it was named then or is
    named ``now``. Two keys that name nobody are one.
    """
    return identity.id == key_id or identity.counts_as in {who, now}
