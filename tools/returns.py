"""Sending back and exchanging what has arrived. A return begins with the shopper's press on its card."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field

from engine.conversations import asking
from engine.orders import queries as orders
from engine.orders.changes.wanted import read
from engine.returns import giving_up, parcel, queries
from engine.returns.models import Condition
from engine.returns.queries import ReturnFilter
from engine.returns.schemas import ReturnView
from tools import brief_after as brief
from tools.asking import asked_card
from tools.changes import RefundTo, quoted
from tools.naming import SERVICE, MethodRef, OfOrder, OrderName
from tools.spec import Access, Card, Outcome, Ref, Risk, ToolContext, tool

_SHOWN: Final = 10


class BackUnits(OfOrder):
    quantity: Annotated[int, Field(ge=1, le=99)] = 1
    reason: Annotated[str, Field(description="A code of its reasons.", max_length=60)]
    condition: Condition = Condition.UNOPENED
    exchange_variant_id: Annotated[str | None, Field(description="Exchange: another variant of the same product.")] = (
        None
    )
    component_variant_id: Annotated[str | None, Field(description="Only this part of a bundle.")] = None


def _shown(view: ReturnView) -> Outcome:
    return Outcome(brief.returning(view), cards=(Card("return", view.model_dump(mode="json"), key=view.id),))


@tool(access=Access.READ, agents=SERVICE)
def get_return_options(context: ToolContext, order: OrderName) -> Outcome:
    """What of an order can be sent back or exchanged now, until when, for which reasons, and what it counts for; why
    not where it cannot. Ask it before quote_return.
    """
    with context.unit_of_work() as session:
        view = queries.returnable(session, context.identity, order)
    return Outcome(brief.returnable(view), cards=(Card("returnable", view.model_dump(mode="json"), key=view.order_id),))


@tool(access=Access.WRITE, agents=SERVICE, risk=Risk.ASK)
def quote_return(
    context: ToolContext,
    order: OrderName,
    lines: Annotated[list[BackUnits], Ref, Field(description="Of get_return_options.", min_length=1, max_length=20)],
    payment_method_ref: MethodRef = None,
    refund_to: RefundTo = "original",
) -> Outcome:
    """Work out sending units back for money, or for another variant: fee, what goes back or is charged, when, and who
    pays the label. Shows the card for it.
    """
    units = [one.said() for one in lines]
    given = {"kind": "return", "lines": units, "payment_method_ref": payment_method_ref, "refund_to": refund_to}
    return quoted(context, order, read(given))


@tool(access=Access.READ, agents=SERVICE)
def list_returns(
    context: ToolContext,
    order: Annotated[str | None, Ref, Field(description="Only of this order.", max_length=60)] = None,
) -> Outcome:
    """The shopper's own returns and exchanges, newest first, with where each stands and what goes back."""
    with context.unit_of_work() as session:
        order_id = orders.find_own(session, context.identity, order).id if order else None
        page = queries.many(session, context.identity, ReturnFilter(order_id=order_id), limit=_SHOWN)
    result = {"items": [brief.returning(view) for view in page.items]}
    if not page.items:
        return Outcome(result)
    return Outcome(result, cards=(Card("returns", {"items": [v.model_dump(mode="json") for v in page.items]}),))


@tool(access=Access.READ, agents=SERVICE)
def get_return(
    context: ToolContext, number: Annotated[str, Field(description="Return number or ret_ id.", max_length=60)]
) -> Outcome:
    """One return: its goods, label, parcel, what went back and what will, and until when to send it."""
    with context.unit_of_work() as session:
        return _shown(queries.one(session, context.identity, number))


@tool(access=Access.WRITE, agents=SERVICE, risk=Risk.ASK)
def mark_return_sent(
    context: ToolContext,
    return_id: Annotated[str, Ref, Field(description="ret_ id or number.", max_length=60)],
) -> Outcome:
    """Note that the shopper handed the parcel of a return to the carrier. No money rests on it."""
    with context.unit_of_work() as session:
        found = queries.find(session, context.identity, return_id)
        parcel.handed_in(session, found.tenant_id, found.id, actor=context.identity.id)
        session.flush()
        return _shown(queries.one(session, context.identity, found.id))


@tool(access=Access.WRITE, agents=SERVICE, risk=Risk.ASK)
def quote_return_cancel(
    context: ToolContext,
    return_id: Annotated[str, Ref, Field(description="ret_ id or number.", max_length=60)],
) -> Outcome:
    """Work out giving up a return or exchange that was not sent yet; shows the card for it."""
    with context.unit_of_work() as session:
        row = giving_up.ask(session, context.identity, return_id, thread_id=context.thread_id)
        card = asking.view(session, row)
    return Outcome(brief.asked(card), cards=(asked_card(card),))
