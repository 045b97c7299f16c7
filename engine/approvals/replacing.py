"""Goods of an order sent once more for nothing: what did not come right is made up for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.approvals.acts import Act, Args, Doing, Outcome, Standing, over
from engine.approvals.policy import ApprovalsPolicy
from engine.kit.errors import Conflict, InvalidInput, NotFound, OverLimit
from engine.orders import replacements, shares
from engine.orders import service as orders
from engine.orders.models import Order, OrderLine, OrderStatus

LineId = Annotated[str, Field(max_length=40)]
Units = Annotated[int, Field(strict=True, ge=1, le=1_000)]
_KIND: Final = "replacement"


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
    """Line → how many of its units can be sent once more: those that left, less what came back and what was sent again
    before. What has no parcel has its codes, and a bundle is replaced part by part where its parts are sold.
    """
    before = replaced(session, order)
    return {
        line.id: 0 if line.digital or line.components else max(0, line.shipped - line.returned - before[line.id])
        for line in lines
    }


def replaced(session: Session, order: Order) -> Counter[str]:
    """Line → how many of its units were sent once more before."""
    found: Counter[str] = Counter()
    query = select(Order.origin).where(
        Order.tenant_id == order.tenant_id,
        Order.owner_id == order.owner_id,
        Order.status != OrderStatus.CANCELED,
        Order.origin["order_id"].astext == order.id,
        Order.origin["kind"].astext == _KIND,
    )
    for origin in session.scalars(query):
        found.update({str(line): int(units) for line, units in ((origin or {}).get("lines") or {}).items()})
    return found


def _look(session: Session, tenant_id: str, args: ReplacementArgs) -> Standing:
    """What the units stand for is what is given away; all that was sent again of the order counts."""
    order, lines, wanted = _read(session, tenant_id, args)
    before = replaced(session, order)
    worth = sum(_worth(lines[line_id], before[line_id], units) for line_id, units in wanted.items())
    earlier = sum(_worth(lines[line_id], 0, units) for line_id, units in before.items() if line_id in lines)
    version = f"{order.version}|{sum(before.values())}"
    return Standing(order.id, version, worth, order.currency, earlier + worth, order.thread_id)


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
    origin: dict[str, Any] = {"kind": _KIND, "order_id": order.id, "lines": dict(wanted)}
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
