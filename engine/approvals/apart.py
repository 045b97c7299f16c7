"""Goods set apart that are worth more than one person may write off."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field
from sqlalchemy.orm import Session

from engine.approvals.acts import Act, Args, Doing, Outcome, Standing, no_limit
from engine.kit.tenancy import Tenant
from engine.returns import apart
from engine.returns.models import Disposition


class ApartArgs(Args):
    return_id: Annotated[str, Field(max_length=40)]
    return_line_id: Annotated[str, Field(max_length=40)]
    source: Literal[Disposition.QUARANTINE, Disposition.REFURBISH]
    """Why the units lie set apart."""
    outcome: Disposition
    """What becomes of them."""
    units: Annotated[int, Field(strict=True, gt=0, le=1_000_000)]
    reason: Annotated[str, Field(min_length=1, max_length=200)]


def _look(session: Session, tenant_id: str, args: ApartArgs) -> Standing:
    """The question is another one when the line's units moved meanwhile."""
    _, line = apart.find(session, tenant_id, args.return_id, args.return_line_id)
    there = apart.units_of(line)
    amount = apart.value_of(session, line, min(args.units, there)) if there else 0
    version = f"{line.quarantined}|{line.refurbished}|{amount}"
    return Standing(args.return_id, version, amount, session.get_one(Tenant, tenant_id).currency, amount)


def _move(session: Session, doing: Doing, args: ApartArgs) -> Outcome:
    step_id = apart.move(
        session,
        doing.tenant_id,
        args.return_id,
        return_line_id=args.return_line_id,
        source=args.source,
        outcome=args.outcome,
        units=args.units,
        reason=args.reason,
        actor=doing.actor,
        approved=doing.approved,
    )
    return {"return_id": args.return_id, "step": step_id}


SET_APART: Final = Act(ApartArgs, _look, no_limit, run=_move)
"""Its limit is that of what is written off by hand (``inventory``)."""
