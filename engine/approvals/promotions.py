"""A promotion that gives away more than one person may let it."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import Field, model_validator
from sqlalchemy.orm import Session

from engine.approvals.acts import Act, Args, Doing, Outcome, Standing, no_limit
from engine.approvals.policy import ApprovalsPolicy
from engine.carts import giving, promoting
from engine.carts.models import Discount
from engine.carts.promoting import Promotion
from engine.kit.caps import cap
from engine.kit.errors import NotFound
from engine.kit.identity import Actor, Identity, Scope
from engine.kit.policies import policy_of
from engine.kit.tenancy import Tenant


class PromotionArgs(Args):
    """A new one (``wanted``), or what is to change of one (``discount_id``, ``changes``)."""

    wanted: Promotion | None = None
    discount_id: Annotated[str, Field(max_length=40)] | None = None
    changes: dict[str, Any] | None = None
    version: Annotated[int, Field(strict=True, ge=1)] | None = None
    """Of the promotion that is to change."""

    @model_validator(mode="after")
    def _one_of_both(self) -> PromotionArgs:
        if (self.wanted is None) == (self.discount_id is None) or (self.discount_id is None) != (self.changes is None):
            raise ValueError("give wanted, or discount_id and changes")
        return self


def _look(session: Session, tenant_id: str, args: PromotionArgs) -> Standing:
    """The question is another one when the promotion was changed meanwhile. Its amount is what all its uses may come
    to, of one in percent a single use on the order that the shop counts for such.
    """
    tenant = session.get_one(Tenant, tenant_id)
    row = _row(session, tenant_id, args.discount_id) if args.discount_id else None
    wanted = _wanted(args, row)
    policy = policy_of(session, tenant_id, ApprovalsPolicy)
    order = cap(policy.percent_code_order, tenant.currency, unlisted=None) or 0
    amount = giving.worth(wanted) or order * giving.percent(wanted) // 100
    return Standing(row.id if row else tenant_id, f"{row.version}" if row else "", amount, tenant.currency, amount)


def _row(session: Session, tenant_id: str, discount_id: str) -> Discount:
    row = session.get(Discount, (tenant_id, discount_id), populate_existing=True)
    if row is None:
        raise NotFound("There is no such promotion.")
    return row


def _wanted(args: PromotionArgs, row: Discount | None) -> Promotion:
    if row is not None:
        return promoting.changed(promoting.wanted_of(row), args.changes or {})
    assert args.wanted is not None
    return args.wanted


def _promote(session: Session, doing: Doing, args: PromotionArgs) -> Outcome:
    identity = Identity(doing.tenant_id, Actor.API_KEY, doing.actor, scopes=frozenset({Scope.STAFF}))
    if args.wanted is not None:
        made = promoting.create(session, identity, args.wanted, approved=doing.approved)
    else:
        made = promoting.change(
            session,
            identity,
            args.discount_id or "",
            args.changes or {},
            version=int(doing.version) if doing.version else args.version,
            approved=doing.approved,
        )
    return {"discount_id": made.id}


PROMOTION: Final = Act(PromotionArgs, _look, no_limit, run=_promote)
"""Its limits are those of ``promotions``."""
