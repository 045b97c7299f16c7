"""A code for one shopper, once: something off the next time."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Annotated, Final

from pydantic import Field, model_validator
from sqlalchemy.orm import Session

from engine.approvals.acts import Act, Args, Doing, Outcome, Standing, over
from engine.approvals.policy import ApprovalsPolicy
from engine.carts.models import Discount
from engine.kit import audit, clock
from engine.kit.caps import cap
from engine.kit.errors import OverLimit
from engine.kit.ids import new_id
from engine.kit.money import Money
from engine.kit.policies import policy_of
from engine.kit.tenancy import Tenant
from engine.payments import courtesies
from engine.payments.courtesy_models import CourtesyKind

_ALPHABET: Final = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"


class DiscountArgs(Args):
    percent_off: Annotated[int, Field(strict=True, ge=1, le=100)] | None = None
    amount_off: Annotated[int, Field(strict=True, gt=0, le=1_000_000_000)] | None = None
    """Minor units of the shop's own currency."""
    title: Annotated[str, Field(min_length=1, max_length=80)] = "With our apologies"
    valid_days: Annotated[int, Field(strict=True, ge=1, le=730)] = 90

    @model_validator(mode="after")
    def _one_of_both(self) -> DiscountArgs:
        if (self.percent_off is None) == (self.amount_off is None):
            raise ValueError("give percent_off or amount_off")
        return self


def _look(session: Session, tenant_id: str, args: DiscountArgs) -> Standing:
    tenant = session.get_one(Tenant, tenant_id)
    amount = args.amount_off or _worth(session, tenant, args)
    return Standing(tenant_id, "", amount, tenant.currency, args.percent_off or amount)


def _worth(session: Session, tenant: Tenant, args: DiscountArgs) -> int:
    """What a code in percent may come to, by the order that the shop counts it for."""
    policy = policy_of(session, tenant.id, ApprovalsPolicy)
    order = cap(policy.percent_code_order, tenant.currency, unlisted=None) or 0
    return order * (args.percent_off or 0) // 100


def _issue(session: Session, doing: Doing, args: DiscountArgs) -> Outcome:
    standing = _look(session, doing.tenant_id, args)
    worth = Money(standing.amount, standing.currency)
    courtesies.check(session, doing.tenant_id, worth=worth, actor=doing.actor, approved=doing.approved)
    code = "TY-" + "".join(secrets.choice(_ALPHABET) for _ in range(10))
    row = Discount(
        tenant_id=doing.tenant_id,
        id=new_id("discount"),
        code=code,
        title=args.title,
        percent_off=args.percent_off,
        amount_off=args.amount_off,
        minimum=0,
        usage_limit=1,
        used=0,
        ends_at=clock.now() + timedelta(days=args.valid_days),
    )
    session.add(row)
    session.flush()
    courtesies.record(
        session,
        doing.tenant_id,
        kind=CourtesyKind.CODE,
        subject=row.id,
        worth=worth,
        actor=doing.actor,
        approved=doing.approved,
    )
    facts = {"percent_off": args.percent_off, "amount_off": args.amount_off, "approved": doing.approved}
    audit.record(session, doing.tenant_id, actor=doing.actor, action="discount.given", subject=row.id, facts=facts)
    return {"discount_id": row.id, "code": code, "title": args.title}


def _over(policy: ApprovalsPolicy, args: DiscountArgs, standing: Standing) -> OverLimit | None:
    words = "That is more than one person may take off."
    if args.percent_off is not None:
        known = policy.percent_code_order is None or standing.currency in policy.percent_code_order
        percent = {standing.currency: policy.discount_percent_limit} if known else {}
        return over(percent, standing, rule="discount_percent_limit", words=words)
    return over(policy.discount_limit, standing, rule="discount_limit", words=words)


DISCOUNT: Final = Act(DiscountArgs, _look, _over, run=_issue)
