"""Deciding, and carrying out what was said yes to: once, whoever says yes twice and wherever the power fails.

Locks: what it is about, then the approval, then the rest.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.approvals import asking, people
from engine.approvals.acts import Act, Args, Doing, Outcome, Standing, act_of
from engine.approvals.asking import Where
from engine.approvals.errors import ApprovalDecided, ApprovalOutdated
from engine.approvals.models import Approval, ApprovalKind, ApprovalStatus
from engine.approvals.policy import ApprovalsPolicy
from engine.approvals.states import APPROVAL
from engine.conversations.masking import mask_cards
from engine.kit import audit, clock, outbox
from engine.kit.errors import DomainError, Kind, NotFound
from engine.kit.faults import fault_point
from engine.kit.identity import Identity
from engine.kit.policies import policy_of
from engine.payments.alerts import resolve_alert
from engine.runtime import Runtime

log = structlog.get_logger(__name__)
EXPIRING: Final = "approval_expiring"
LEASE: Final = timedelta(seconds=60)
_TRIES: Final = 10
_OUTDATED: Final = "What this is about has changed since it was asked for. Nothing was done; it has to be asked anew."


def decide(runtime: Runtime, identity: Identity, approval_id: str, *, approve: bool, note: str = "") -> Approval:
    """A person's yes or no. The yes that makes it enough claims the approval, and it is carried out at once. The same
    person's yes again is the first one.

    Raises ``NotFound``, ``MayNotApprove``, ``OwnRequest``, ``ApprovalDecided``, ``ApprovalOutdated``: then it has ended
    and nothing was done.
    """
    with runtime.unit_of_work(identity.tenant_id) as session:
        fresh = _is_fresh(session, identity.tenant_id, approval_id) if approve else True
        row = locked(session, identity.tenant_id, approval_id)
        people.check(session, identity, row, policy_of(session, row.tenant_id, ApprovalsPolicy))
        if approve and people.has_agreed(session, identity, row):
            return row
        _require_open(row)
        if not approve:
            return _decline(session, identity, row, note)
        if fresh:
            _agree(session, identity, row, note)
        else:
            _fail(session, row, ApprovalOutdated.code)
    if not fresh:
        raise ApprovalOutdated(_OUTDATED)
    if row.status != ApprovalStatus.CLAIMED:
        return row
    fault_point("approval_after_claim")
    return carry_out(runtime, identity.tenant_id, approval_id)


def carry_out(runtime: Runtime, tenant_id: str, approval_id: str) -> Approval:
    """Do what was said yes to, if it is not done: the approval as it is afterwards. Safe to repeat."""
    with runtime.unit_of_work(tenant_id) as session:
        row = find(session, tenant_id, approval_id)
        act = act_of(row.kind)
    try:
        outcome = _run(runtime, row, act) if act.run is not None else _perform(runtime, row, act)
    except DomainError as refused:
        _refused(runtime, row, refused)
    else:
        fault_point("approval_after_commit")
        if act.after is not None and outcome is not None:
            act.after(runtime, tenant_id, outcome)
    with runtime.unit_of_work(tenant_id) as session:
        return find(session, tenant_id, approval_id)


def finish_claimed(runtime: Runtime, tenant_id: str) -> int:
    """The job: carry out what was said yes to and then left lying; returns how many were looked at. One that breaks
    keeps no other waiting.
    """
    with runtime.unit_of_work(tenant_id) as session:
        rows = session.scalars(
            select(Approval)
            .where(
                Approval.tenant_id == tenant_id,
                Approval.status == ApprovalStatus.CLAIMED,
                Approval.lease_until <= clock.now(),
            )
            .order_by(Approval.lease_until)
            .limit(20)
            .with_for_update(skip_locked=True)
        ).all()
        for row in rows:
            row.attempts += 1
            row.lease_until = clock.now() + LEASE
    for row in rows:
        try:
            carry_out(runtime, tenant_id, row.id)
        except Exception:
            log.exception("approval not carried out", tenant=tenant_id, approval=row.id)
    return len(rows)


def find(session: Session, tenant_id: str, approval_id: str) -> Approval:
    """The approval. Raises ``NotFound``."""
    row = session.get(Approval, (tenant_id, approval_id))
    if row is None:
        raise NotFound("There is no such approval.")
    return row


def locked(session: Session, tenant_id: str, approval_id: str) -> Approval:
    """The approval under its lock and as it is now. Raises ``NotFound``."""
    row = session.get(Approval, (tenant_id, approval_id), with_for_update=True, populate_existing=True)
    if row is None:
        raise NotFound("There is no such approval.")
    return row


def expire(session: Session, row: Approval) -> None:
    """Nobody decided in time. The caller holds the lock."""
    row.status = APPROVAL.check(row.status, ApprovalStatus.EXPIRED)
    _end(session, row, actor="system", action="approval.expired")


def _is_fresh(session: Session, tenant_id: str, approval_id: str) -> bool:
    """Whether what it is about still stands as it did; locks that. Raises ``NotFound``."""
    row = find(session, tenant_id, approval_id)
    act = act_of(row.kind)
    try:
        args = asking.read(act, row.args)
        return _bound(row, args, act.look(session, tenant_id, args)) == row.digest
    except DomainError:
        return False


def _bound(row: Approval, args: Args, standing: Standing) -> str:
    return asking.digest(row.kind, args, standing, Where(row.thread_id, row.case_id))


def _require_open(row: Approval) -> None:
    if row.status != ApprovalStatus.PENDING:
        words = "being carried out" if row.status == ApprovalStatus.CLAIMED else str(row.status)
        raise ApprovalDecided(f"This was decided before: it is {words}.")
    if row.expires_at <= clock.now():
        raise ApprovalDecided("The time to decide this is over.")


def _agree(session: Session, identity: Identity, row: Approval, note: str) -> None:
    said = {"by": identity.id, "who": identity.counts_as, "at": clock.now().isoformat()}
    row.agreed = [*row.agreed, said]
    row.note = mask_cards(note) or row.note
    facts = {"digest": row.digest, "yes": len(row.agreed), "needed": row.needed}
    audit.record(session, row.tenant_id, actor=identity.id, action="approval.agreed", subject=row.id, facts=facts)
    if len(row.agreed) < row.needed:
        return
    row.status = APPROVAL.check(row.status, ApprovalStatus.CLAIMED)
    row.decided_by, row.decided_at = identity.id, clock.now()
    row.lease_until = clock.now() + LEASE
    resolve_alert(session, row.tenant_id, EXPIRING, row.id)


def _decline(session: Session, identity: Identity, row: Approval, note: str) -> Approval:
    row.status = APPROVAL.check(row.status, ApprovalStatus.DECLINED)
    row.decided_by, row.decided_at, row.note = identity.id, clock.now(), mask_cards(note)
    _end(session, row, actor=identity.id, action="approval.declined")
    return row


def _run(runtime: Runtime, row: Approval, act: Act) -> Outcome | None:
    """Done and said to be done in one transaction: there is no moment between the two. None when it was done before."""
    assert act.run is not None
    with runtime.unit_of_work(row.tenant_id) as session:
        args = asking.read(act, row.args)
        standing = act.look(session, row.tenant_id, args)
        row = locked(session, row.tenant_id, row.id)
        if row.status != ApprovalStatus.CLAIMED:
            return None
        if _bound(row, args, standing) != row.digest:
            raise ApprovalOutdated(_OUTDATED)
        outcome = act.run(session, _doing(runtime, row), args)
        _done(session, row, outcome)
        fault_point("approval_before_commit")
    return outcome


def _perform(runtime: Runtime, row: Approval, act: Act) -> Outcome | None:
    """For what has transactions of its own: look first whether it was done, by somebody who then fell over."""
    assert act.perform is not None
    assert act.find is not None
    with runtime.unit_of_work(row.tenant_id) as session:
        outcome = act.find(session, row.tenant_id, row.id)
        if row.status != ApprovalStatus.CLAIMED:
            return None
    if outcome is None:
        outcome = act.perform(_doing(runtime, row), asking.read(act, row.args))
    fault_point("approval_before_commit")
    with runtime.unit_of_work(row.tenant_id) as session:
        row = locked(session, row.tenant_id, row.id)
        if row.status == ApprovalStatus.CLAIMED:
            _done(session, row, outcome)
    return outcome


def _doing(runtime: Runtime, row: Approval) -> Doing:
    return Doing(runtime, row.tenant_id, row.requested_by, row.id, row.subject_version)


def _done(session: Session, row: Approval, outcome: Outcome) -> None:
    row.outcome = outcome
    row.status = APPROVAL.check(row.status, ApprovalStatus.APPROVED)
    _end(session, row, actor=row.decided_by or "system", action="approval.executed")


def _refused(runtime: Runtime, row: Approval, refused: DomainError) -> None:
    """What helps to try again is tried again by the job; anything else is the end."""
    with runtime.unit_of_work(row.tenant_id) as session:
        row = locked(session, row.tenant_id, row.id)
        again = refused.retryable or refused.kind == Kind.UNAVAILABLE
        if row.status == ApprovalStatus.CLAIMED and not (again and row.attempts < _TRIES):
            _fail(session, row, refused.code)


def _fail(session: Session, row: Approval, code: str) -> None:
    row.status = APPROVAL.check(row.status, ApprovalStatus.FAILED)
    row.failure_code = code
    _end(session, row, actor="system", action="approval.failed")


def _end(session: Session, row: Approval, *, actor: str, action: str) -> None:
    """It has come to its end: written down, and told where it was asked for."""
    row.finished_at, row.lease_until = clock.now(), None
    row.args = {name: value for name, value in row.args.items() if name not in act_of(row.kind).private}
    resolve_alert(session, row.tenant_id, EXPIRING, row.id)
    facts = {"kind": str(row.kind), "amount": row.amount, "currency": row.currency, "digest": row.digest}
    audit.record(session, row.tenant_id, actor=actor, action=action, subject=row.id, facts=facts)
    told = {
        "approval_id": row.id,
        "kind": str(row.kind),
        "status": str(row.status),
        "amount": row.amount,
        "currency": row.currency,
        "thread_id": row.thread_id,
        "order_id": row.args.get("order_id"),
    }
    if row.kind == ApprovalKind.DISCOUNT and row.outcome:
        told |= {"code": row.outcome["code"]}
    if row.kind == ApprovalKind.REFUND:
        told |= {"destination": row.args["destination"]}
    outbox.emit(session, row.tenant_id, "approval.decided", row.id, told)
