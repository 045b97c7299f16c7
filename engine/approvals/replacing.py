"""Goods of an order sent once more for nothing: what did not come right is made up for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.approvals.acts import Act, Args, Doing, Outcome, Standing, over
from engine.approvals.policy import ApprovalsPolicy
from engine.kit.errors import Conflict, InvalidInput, NotFound, OverLimit
from engine.orders import replacements, shares
from engine.orders import service as orders
from engine.orders.models import Order, OrderLine
from engine.returns.taken import taken_before
from engine.returns.worth import Taken

LineId = Annotated[str, Field(max_length=40)]
Units = Annotated[int, Field(strict=True, ge=1, le=1_000)]


class Sent(BaseModel):
    """Units of one line to be sent again."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    line_id: LineId
    quantity: Units


class ReplacementArgs(Args):
    order_id: Annotated[str, Field(max_length=40)]
    lines: Annotated[list[Sent], Field(min_length=1, max_length=100)]
    reason: Annotated[str, Field(min_length=1, max_length=200)]


class NothingToReplace(Conflict):
    """More units than were sent and not sent again already, or goods that cannot be."""

    code = "nothing_to_replace"


def replaceable(session: Session, order: Order, lines: list[OrderLine]) -> dict[str, int]:
    """Line → how many of its units can be sent once more: those that left, less what came back or is to, what a
    warranty made good and what was sent again before. What has no parcel has its codes, and a bundle is replaced part
    by part where its parts are sold.
    """
    before = replacements.replaced(session, order.tenant_id, order.id)
    taken = taken_before(session, order.tenant_id, order.id)
    return {line.id: _left(line, taken.of(line.id), before[line.id]) for line in lines}


def _left(line: OrderLine, taken: Taken, before: int) -> int:
    """``taken`` leaves out what was sent again for units that never arrived: they cannot come back."""
    if line.digital or line.components:
        return 0
    never_arrived = min(before, line.shipped - line.delivered)
    return max(0, line.shipped - max(line.returned, taken.whole) - taken.gone - never_arrived)


def given(session: Session, order: Order, lines: Iterable[OrderLine]) -> int:
    """What the goods stand for that were sent again of an order, and of the one that it makes up for itself."""
    paid = _paid(session, order, lines)
    before = replacements.replaced(session, order.tenant_id, order.id)
    total = sum(_worth(paid[line_id], 0, units) for line_id, units in before.items() if line_id in paid)
    first = _makes_up_for(session, order)
    return total + (given(session, first, _lines(session, first)) if first else 0)


def _look(session: Session, tenant_id: str, args: ReplacementArgs) -> Standing:
    """What the units stand for is what is given away; all that was sent again of the order counts."""
    order, lines, wanted = _read(session, tenant_id, args)
    before = replacements.replaced(session, tenant_id, order.id)
    paid = _paid(session, order, lines.values())
    worth = sum(_worth(paid[line_id], before[line_id], units) for line_id, units in wanted.items())
    counted = given(session, order, lines.values()) + worth
    version = f"{order.version}|{sum(before.values())}"
    return Standing(order.id, version, worth, order.currency, counted, order.thread_id)


def _paid(session: Session, order: Order, lines: Iterable[OrderLine]) -> dict[str, OrderLine]:
    """Line → the line that its units were paid with: of an order that makes up for another, that one's of the item."""
    first = _makes_up_for(session, order)
    if first is None:
        return {line.id: line for line in lines}
    theirs = _lines(session, first)
    paid = _paid(session, first, theirs)
    by_variant = {line.variant_id: paid[line.id] for line in theirs}
    return {line.id: by_variant.get(line.variant_id, line) for line in lines}


def _makes_up_for(session: Session, order: Order) -> Order | None:
    first = (order.origin or {}).get("order_id")
    return session.get_one(Order, (order.tenant_id, first)) if first else None


def _lines(session: Session, order: Order) -> list[OrderLine]:
    query = select(OrderLine).where(OrderLine.tenant_id == order.tenant_id, OrderLine.order_id == order.id)
    return list(session.scalars(query))


def _read(
    session: Session, tenant_id: str, args: ReplacementArgs
) -> tuple[Order, Mapping[str, OrderLine], Counter[str]]:
    """Raises ``NotFound``, ``InvalidInput`` for a line that is not the order's, ``NothingToReplace``."""
    order = orders.lock(session, tenant_id, args.order_id)
    if order.placed_at is None:
        raise NotFound("There is no such order.")
    lines = {line.id: line for line in orders.lines_of(session, order)}
    left, wanted = replaceable(session, order, list(lines.values())), Counter[str]()
    for one in args.lines:
        wanted[one.line_id] += one.quantity
    for line_id, units in wanted.items():
        if line_id not in lines:
            raise InvalidInput("That is not a line of this order.", param="lines")
        if units > left[line_id]:
            title = lines[line_id].title
            raise NothingToReplace(f"{left[line_id]} of {title} can be sent again; {units} were asked for.")
    return order, lines, wanted


def _worth(line: OrderLine, first: int, units: int) -> int:
    last = min(line.ordered, first + units)
    return shares.worth(line, min(first, last), last).total


def _send(session: Session, doing: Doing, args: ReplacementArgs) -> Outcome:
    order, lines, wanted = _read(session, doing.tenant_id, args)
    by_variant: Counter[str] = Counter()
    for line_id, units in wanted.items():
        by_variant[lines[line_id].variant_id] += units
    origin: dict[str, Any] = {"kind": replacements.REPLACEMENT, "order_id": order.id, "lines": dict(wanted)}
    made = replacements.create(
        session,
        doing.tenant_id,
        origin=origin | ({"approval_id": doing.approved} if doing.approved else {}),
        lines=[replacements.ReplacementLine(variant, units) for variant, units in sorted(by_variant.items())],
        actor=doing.actor,
    )
    orders.touch(order)
    session.flush()
    return {"order_id": order.id, "replacement_order_id": made.id, "number": made.number}


def _over(policy: ApprovalsPolicy, _args: ReplacementArgs, standing: Standing) -> OverLimit | None:
    words = "That is more than one person may send again of an order."
    return over(policy.replacement_limit, standing, rule="replacement_limit", words=words)


REPLACEMENT: Final = Act(ReplacementArgs, _look, _over, run=_send)
