"""Whether a unit's fault is the shop's to put right, and if not, why: the reasons are for the shopper."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.orders import service as orders
from engine.orders.models import Order, OrderLine
from engine.returns.taken import parts_of, taken_before
from engine.returns.worth import Taken, units_left
from engine.warranties.errors import ClaimOpen, NotCovered, OutOfTerm, UnitGone, UnknownSymptom
from engine.warranties.models import Claim, Warranty, WarrantyStatus
from engine.warranties.policy import Symptom, WarrantiesPolicy
from engine.warranties.states import OVER

_GONE = {
    WarrantyStatus.REPLACED: "This unit was replaced: its warranty goes on with the new one.",
    WarrantyStatus.REFUNDED: "The money for this unit went back: its warranty ended with that.",
    WarrantyStatus.RETURNED: "This unit was sent back: its warranty ended with that.",
    WarrantyStatus.VOID: "This unit has not arrived.",
}


def check_unit(session: Session, warranty: Warranty, *, but_claim: str | None = None) -> None:
    """Raises ``UnitGone`` for a unit that nobody can claim for any more, ``ClaimOpen`` when somebody does."""
    check_free(warranty, under_way(session, warranty.tenant_id, [warranty.id], but_claim=but_claim))


def under_way(
    session: Session, tenant_id: str, warranty_ids: Collection[str], *, but_claim: str | None = None
) -> dict[str, str]:
    """Warranty → the number of the claim for it that is not over, in one statement."""
    rows = session.execute(
        select(Claim.warranty_id, Claim.number).where(
            Claim.tenant_id == tenant_id,
            Claim.warranty_id.in_(warranty_ids),
            Claim.status.not_in(sorted(OVER)),
            Claim.id != (but_claim or ""),
        )
    )
    return {row.warranty_id: row.number for row in rows}


def check_free(warranty: Warranty, claims: Mapping[str, str]) -> None:
    """``check_unit`` with the claims ``under_way`` at hand."""
    if warranty.status != WarrantyStatus.ACTIVE:
        raise UnitGone(_GONE[WarrantyStatus(warranty.status)])
    if number := claims.get(warranty.id):
        raise ClaimOpen(f"Claim {number} for this unit is under way.")


def check_term(warranty: Warranty, today: date) -> None:
    """Raises ``OutOfTerm``."""
    if today > warranty.ends_on:
        raise OutOfTerm(f"The warranty of {warranty.title} ended on {warranty.ends_on.isoformat()}.")


def check_symptom(policy: WarrantiesPolicy, code: str) -> Symptom:
    """Raises ``UnknownSymptom`` naming those there are, ``NotCovered``."""
    found = policy.symptom(code)
    if found is None:
        raise UnknownSymptom(f"The fault must be one of: {', '.join(one.code for one in policy.symptoms)}.")
    if not found.covered:
        raise NotCovered(f"The warranty is not for this: {found.text.lower()}.")
    return found


def part_of(line: OrderLine, warranty: Warranty) -> str | None:
    """Which component of a bundle the unit is; ``None`` for a unit of the line itself."""
    return None if warranty.variant_id == line.variant_id else warranty.variant_id


def paid_line(session: Session, order: Order, root: Warranty) -> tuple[OrderLine, Taken]:
    """The line that paid for the unit, and what of it is gone but for this unit.

    Raises ``UnitGone`` when all its units went back, or are about to.
    """
    line = next(one for one in orders.lines_of(session, order) if one.id == root.order_line_id)
    taken = taken_before(session, order.tenant_id, order.id, but=root.id).of(line.id)
    if units_left(line, parts_of(session, line), taken, part_of(line, root)) < 1:
        raise UnitGone("This unit was sent back, or is about to be.")
    return line, taken
