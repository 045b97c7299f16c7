"""Goods of an order sent once more for nothing: what did not come right is made up for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from engine.approvals.acts import Act, Args, Doing, Outcome, Standing, over
from engine.approvals.policy import ApprovalsPolicy
from engine.kit.errors import Conflict, InvalidInput, NotFound, OverLimit
from engine.orders import replacements, shares
from engine.orders import service as orders
from engine.orders.models import Order, OrderLine
from engine.returns.taken import unanswered

LineId = Annotated[str, Field(max_length=40)]
Units = Annotated[int, Field(strict=True, ge=1, le=1_000)]
_FAMILY: Final = text("""
WITH RECURSIVE up AS (
  SELECT id, origin ->> 'order_id' AS first, 0 AS steps FROM app.orders
  WHERE tenant_id = :tenant_id AND id = :order_id
  UNION ALL SELECT o.id, o.origin ->> 'order_id', up.steps + 1 FROM app.orders o JOIN up ON o.id = up.first
  WHERE o.tenant_id = :tenant_id
), down AS (
  (SELECT id, CAST(NULL AS text) AS first, 0 AS steps FROM up ORDER BY up.steps DESC LIMIT 1)
  UNION ALL SELECT o.id, o.origin ->> 'order_id', down.steps + 1
  FROM app.orders o JOIN down ON o.origin ->> 'order_id' = down.id
  WHERE o.tenant_id = :tenant_id AND o.owner_id = :owner_id
) SELECT id, first FROM down ORDER BY steps, id
""")
_ONE_FAMILY: Final = text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))")
"""Taken after the order's lock, and by nobody who then locks another order: what one may send again counts on all."""


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
    left = unanswered(session, order, lines)
    return {line.id: 0 if line.digital or line.components else max(0, left[line.id]) for line in lines}


def given(session: Session, order: Order) -> int:
    """What the goods stand for that were sent again of an order and of all that make up for it, or it for them."""
    paid, total = _paid(session, order), 0
    for member in _family(session, order):
        before = replacements.replaced(session, order.tenant_id, member)
        total += sum(_worth(paid[line_id], 0, units) for line_id, units in before.items())
    return total


def _look(session: Session, tenant_id: str, args: ReplacementArgs) -> Standing:
    """What the units stand for is what is given away; all that was sent again of the order, and of the others that make
    up for one another with it, counts. These are looked at one after the other.
    """
    order, _, wanted = _read(session, tenant_id, args)
    before, paid = replacements.replaced(session, tenant_id, order.id), _paid(session, order)
    worth = sum(_worth(paid[line_id], before[line_id], units) for line_id, units in wanted.items())
    counted = given(session, order) + worth
    version = f"{order.version}|{sum(before.values())}"
    return Standing(order.id, version, worth, order.currency, counted, order.thread_id)


def _paid(session: Session, order: Order) -> dict[str, OrderLine]:
    """Line → the line that its units were paid with, of all that make up for one another: where an order makes up for
    another, that one's of the item.
    """
    query = select(OrderLine).where(OrderLine.tenant_id == order.tenant_id)
    family = _family(session, order)
    lines = session.scalars(query.where(OrderLine.order_id.in_(family)).order_by(OrderLine.position)).all()
    paid: dict[str, OrderLine] = {}
    for member, first in family.items():
        theirs = {line.variant_id: paid[line.id] for line in lines if line.order_id == first}
        paid |= {line.id: theirs.get(line.variant_id, line) for line in lines if line.order_id == member}
    return paid


def _family(session: Session, order: Order) -> dict[str, str | None]:
    """Each order that makes up for another, or is made up for, down from the one that was paid → what it makes up
    for.
    """
    rows = session.execute(_FAMILY, {"tenant_id": order.tenant_id, "owner_id": order.owner_id, "order_id": order.id})
    return {row.id: row.first for row in rows}


def _read(
    session: Session, tenant_id: str, args: ReplacementArgs
) -> tuple[Order, Mapping[str, OrderLine], Counter[str]]:
    """Raises ``NotFound``, ``InvalidInput`` for a line that is not the order's, ``NothingToReplace``."""
    order = orders.lock(session, tenant_id, args.order_id)
    if order.placed_at is None:
        raise NotFound("There is no such order.")
    session.execute(_ONE_FAMILY, {"key": f"replacements:{tenant_id}:{next(iter(_family(session, order)))}"})
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
