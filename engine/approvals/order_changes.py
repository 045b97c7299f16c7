"""A change of an order that gives back more than staff may."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.approvals.acts import Act, Args, Doing, Outcome, Standing, no_limit
from engine.approvals.asking import ask
from engine.approvals.errors import ApprovalOutdated
from engine.approvals.models import Approval, ApprovalKind
from engine.kit.identity import Actor, Identity, Scope
from engine.orders import service as orders
from engine.orders.changes import apply, wanted
from engine.orders.changes.propose import over_limit, propose
from engine.orders.changes.quote import digest, open_case, work_out
from engine.orders.models import ChangeStatus, OrderChange

_OPEN: Final = (ChangeStatus.QUOTED, ChangeStatus.CONFIRMED)
_DONE: Final = (ChangeStatus.APPLIED, ChangeStatus.REQUESTED)


class ChangeArgs(Args):
    order_id: Annotated[str, Field(max_length=40)]
    wanted: dict[str, Any]
    """As ``POST /v1/orders/{id}/changes`` takes it."""


def ask_for(session: Session, identity: Identity, order_id: str, change_id: str) -> Approval | None:
    """Ask for somebody's yes to a change that staff quoted and may not answer for alone; None for one that another
    staff member's yes cannot help: it charges, the shopper asked for it, or it has ended.
    """
    change = session.get(OrderChange, (identity.tenant_id, change_id))
    if change is None or change.order_id != order_id or change.status not in _OPEN:
        return None
    order = orders.lock(session, identity.tenant_id, order_id)
    case = open_case(session, identity, order)
    effect = work_out(case, wanted.read(change.wanted))
    over = over_limit(case, effect)
    if effect.takes or over is None or change.requested_by == order.owner_id:
        return None
    given = {"order_id": order_id, "wanted": change.wanted}
    return ask(session, identity, ApprovalKind.ORDER_CHANGE, given, over=over, reason=str(change.reason or ""))


def _look(session: Session, tenant_id: str, args: ChangeArgs) -> Standing:
    """Everything the change would do now, to the cent, is what is said yes to."""
    order = orders.lock(session, tenant_id, args.order_id)
    effect = work_out(open_case(session, _staff(tenant_id, "approvals"), order), wanted.read(args.wanted))
    return Standing(
        order.id, digest(order, effect), effect.gives_back, order.currency, effect.gives_back, order.thread_id
    )


def _perform(doing: Doing, args: ChangeArgs) -> Outcome:
    staff = _staff(doing.tenant_id, doing.actor)
    quoted = propose(doing.runtime, staff, args.order_id, wanted.read(args.wanted), approved=doing.approved)
    with doing.runtime.unit_of_work(doing.tenant_id) as session:
        if session.get_one(OrderChange, (doing.tenant_id, quoted.id)).digest != doing.version:
            raise ApprovalOutdated("The order changed since this was approved. Nothing happened.")
    view = apply.apply_as_staff(doing.runtime, staff, args.order_id, quoted.id, approved=doing.approved)
    return {"order_id": view.order_id, "change_id": view.id}


def _find(session: Session, tenant_id: str, approval_id: str) -> Outcome | None:
    row = session.scalars(
        select(OrderChange).where(
            OrderChange.tenant_id == tenant_id,
            OrderChange.approval_id == approval_id,
            OrderChange.status.in_(_DONE),
        )
    ).one_or_none()
    return {"order_id": row.order_id, "change_id": row.id} if row else None


def _staff(tenant_id: str, actor: str) -> Identity:
    return Identity(tenant_id, Actor.API_KEY, actor, scopes=frozenset({Scope.STAFF}))


ORDER_CHANGE: Final = Act(ChangeArgs, _look, no_limit, perform=_perform, find=_find)
