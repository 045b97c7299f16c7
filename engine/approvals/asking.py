"""Asking: what is within a person's limits is done at once, what is above them waits for somebody else's yes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final, Generic, TypeVar

from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from engine.approvals.acts import Act, Args, Doing, Outcome, Standing, act_of
from engine.approvals.models import Approval, ApprovalKind, ApprovalStatus
from engine.approvals.policy import ApprovalsPolicy
from engine.conversations.masking import mask_cards
from engine.kit import audit, clock, outbox
from engine.kit.errors import InvalidInput, NotFound, OverLimit
from engine.kit.idempotency import fingerprint
from engine.kit.identity import Identity
from engine.kit.ids import new_id
from engine.kit.policies import policy_of
from engine.runtime import Runtime
from engine.support.models import Case

T = TypeVar("T")
_IF: Final = "apv_if"
"""Stands for the approval that there would be."""


@dataclass(frozen=True, slots=True)
class Performed:
    """Either it is done, and ``after_commit`` brings it to its end, or an approval waits."""

    kind: ApprovalKind
    outcome: Outcome | None = None
    approval: Approval | None = None

    def after_commit(self, runtime: Runtime, tenant_id: str) -> None:
        """What asks others (a gateway), once the transaction is committed; a job does it when nobody does."""
        finish = act_of(self.kind).after
        if finish is not None and self.outcome is not None:
            finish(runtime, tenant_id, self.outcome)


@dataclass(frozen=True, slots=True)
class Foreseen(Generic[T]):
    """How an act stands, why it takes somebody else's yes (if it does), and what was read of it."""

    standing: Standing
    over: OverLimit | None
    made: T


@dataclass(frozen=True, slots=True)
class Where:
    """The conversation and the case that it is about, if it is about any."""

    thread_id: str | None = None
    case_id: str | None = None


def perform(
    session: Session,
    runtime: Runtime,
    identity: Identity,
    kind: ApprovalKind,
    given: Mapping[str, Any],
    *,
    reason: str,
    where: Where = Where(),
) -> Performed:
    """Do what a person of the shop may do alone, in the caller's transaction, or write down that it waits.

    For kinds that are done within one transaction. Raises ``InvalidInput`` for arguments that cannot be, and whatever
    the act refuses, except that it is above a limit.
    """
    act = act_of(kind)
    assert act.run is not None, f"{kind} has transactions of its own"
    args = read(act, given)
    try:
        with session.begin_nested():
            standing = act.look(session, identity.tenant_id, args)
            if refused := act.limit(policy_of(session, identity.tenant_id, ApprovalsPolicy), args, standing):
                raise refused
            outcome = act.run(session, Doing(runtime, identity.tenant_id, identity.id, None), args)
    except OverLimit as refused:
        waiting = ask(session, identity, kind, given, over=refused, reason=reason, where=where)
        return Performed(kind, approval=waiting)
    return Performed(kind, outcome=outcome)


def foresee(
    session: Session,
    runtime: Runtime,
    identity: Identity,
    kind: ApprovalKind,
    given: Mapping[str, Any],
    *,
    read_back: Callable[[Session, Outcome], T],
) -> Foreseen[T]:
    """What ``perform`` would do now, and nothing of it: it is done and taken back. ``read_back`` looks at what is made.

    Raises what ``perform`` raises, and also what would be refused once somebody else had said yes.
    """
    act = act_of(kind)
    assert act.run is not None, f"{kind} has transactions of its own"
    args = read(act, given)
    standing = act.look(session, identity.tenant_id, args)
    over = act.limit(policy_of(session, identity.tenant_id, ApprovalsPolicy), args, standing)
    alone = Doing(runtime, identity.tenant_id, identity.id, None)
    if over is None:
        try:
            return Foreseen(standing, None, _tried(session, act, alone, args, read_back))
        except OverLimit as refused:
            over = refused
    return Foreseen(standing, over, _tried(session, act, replace(alone, approved=_IF), args, read_back))


def _tried(session: Session, act: Act, doing: Doing, args: Args, read_back: Callable[[Session, Outcome], T]) -> T:
    assert act.run is not None
    attempt = session.begin_nested()
    try:
        outcome = act.run(session, doing, args)
        session.flush()
        return read_back(session, outcome)
    finally:
        attempt.rollback()


def ask(
    session: Session,
    identity: Identity,
    kind: ApprovalKind,
    given: Mapping[str, Any],
    *,
    over: OverLimit | None = None,
    reason: str,
    where: Where = Where(),
) -> Approval:
    """Write down what somebody else has to say yes to; nothing else happens. Asked for again while it waits, it is the
    same. This is all that an agent can do.

    Raises ``InvalidInput`` for arguments that cannot be, and what the act's own look refuses.
    """
    act = act_of(kind)
    args = read(act, given)
    standing = act.look(session, identity.tenant_id, args)
    policy = policy_of(session, identity.tenant_id, ApprovalsPolicy)
    where = Where(_thread(session, identity, standing, where), where.case_id)
    bound = digest(kind, args, standing, where)
    row = {
        "tenant_id": identity.tenant_id,
        "id": new_id("approval"),
        "kind": kind,
        "subject_id": standing.subject_id,
        "subject_version": standing.version,
        "digest": bound,
        "args": args.model_dump(mode="json"),
        "amount": standing.amount,
        "currency": standing.currency,
        "rule": over.rule if over else "asked",
        "reason": mask_cards(reason),
        "requested_by": identity.id,
        "requested_who": identity.counts_as,
        "thread_id": where.thread_id,
        "case_id": where.case_id,
        "status": ApprovalStatus.PENDING,
        "needed": policy.needed(kind),
        "agreed": [],
        "note": "",
        "attempts": 0,
        "expires_at": clock.now() + timedelta(hours=policy.expiry_hours),
        "created_at": clock.now(),
    }
    new = session.execute(insert(Approval).values(row).on_conflict_do_nothing().returning(Approval.id)).first()
    found = _live(session, identity.tenant_id, bound)
    if new is not None:
        _tell(session, found)
    return found


def read(act: Act, given: Mapping[str, Any]) -> Args:
    """The arguments as the act knows them. Raises ``InvalidInput`` that names the first that cannot be."""
    try:
        return act.args.model_validate(dict(given))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "body"
        raise InvalidInput(f"{where}: {first['msg']}.", param=where) from None


def digest(kind: ApprovalKind, args: Args, standing: Standing, where: Where) -> str:
    """SHA-256 over everything that somebody says yes to."""
    bound = {
        "kind": str(kind),
        "args": args.model_dump(mode="json"),
        "subject": standing.subject_id,
        "version": standing.version,
        "amount": standing.amount,
        "currency": standing.currency,
        "thread": where.thread_id,
        "case": where.case_id,
    }
    return fingerprint(bound)


def _thread(session: Session, identity: Identity, standing: Standing, where: Where) -> str | None:
    """The conversation that hears what became of it. Raises ``NotFound`` for a case there is not."""
    if where.case_id is not None:
        case = session.get(Case, (identity.tenant_id, where.case_id))
        if case is None:
            raise NotFound("There is no such case.")
        return where.thread_id or case.thread_id or standing.thread_id
    return where.thread_id or standing.thread_id


def _live(session: Session, tenant_id: str, bound: str) -> Approval:
    live = (ApprovalStatus.PENDING, ApprovalStatus.CLAIMED)
    return session.scalars(
        select(Approval).where(Approval.tenant_id == tenant_id, Approval.digest == bound, Approval.status.in_(live))
    ).one()


def _tell(session: Session, row: Approval) -> None:
    facts = {"kind": str(row.kind), "amount": row.amount, "currency": row.currency, "rule": row.rule}
    facts |= {"subject": row.subject_id, "digest": row.digest}
    audit.record(
        session, row.tenant_id, actor=row.requested_by, action="approval.requested", subject=row.id, facts=facts
    )
    outbox.emit(session, row.tenant_id, "approval.requested", row.id, {"kind": str(row.kind)})
