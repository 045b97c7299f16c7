"""Units written on or off by hand."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field
from sqlalchemy.orm import Session

from engine.approvals.acts import Act, Args, Doing, Outcome, Standing, no_limit
from engine.inventory import adjusting
from engine.inventory.books import costs_of
from engine.kit.tenancy import Tenant
from engine.orders import allocation


class StockArgs(Args):
    variant_id: Annotated[str, Field(max_length=40)]
    location_id: Annotated[str, Field(max_length=40)]
    delta: Annotated[int, Field(strict=True, ge=-10_000_000, le=10_000_000)]
    reason: Annotated[str, Field(min_length=1, max_length=200)]


def _look(session: Session, tenant_id: str, args: StockArgs) -> Standing:
    """The question is another one when a unit costs something else: what moves meanwhile changes it not."""
    adjusting.known_place(session, tenant_id, args.location_id)
    adjusting.known_stocked(session, tenant_id, [args.variant_id])
    cost = costs_of(session, tenant_id, [args.variant_id])[args.variant_id]
    amount = abs(args.delta) * cost
    currency = session.get_one(Tenant, tenant_id).currency
    return Standing(args.variant_id, f"{args.location_id}|{cost}", amount, currency, amount)


def _adjust(session: Session, doing: Doing, args: StockArgs) -> Outcome:
    with allocation.arriving(session, doing.tenant_id, [args.variant_id]):
        subject = adjusting.adjust(
            session,
            doing.tenant_id,
            actor=doing.actor,
            variant_id=args.variant_id,
            location_id=args.location_id,
            delta=args.delta,
            reason=args.reason,
            approved=doing.approved,
        )
    return {"subject": subject}


STOCK: Final = Act(StockArgs, _look, no_limit, run=_adjust)
