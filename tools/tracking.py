"""Where an order is, and where its money went back to."""

from __future__ import annotations

from typing import Final

from engine.inventory.backorders import promised_on
from engine.orders import given_back, queries
from engine.returns import queries as returns
from engine.returns.queries import ReturnFilter
from tools import brief, brief_after
from tools.naming import SERVICE, OrderName
from tools.spec import Access, Outcome, ToolContext, tool
from tools.timeline import order_card

_RETURNS: Final = 5


@tool(access=Access.READ, agents=SERVICE)
def track_order(context: ToolContext, order: OrderName) -> Outcome:
    """Where one of the shopper's own orders is: parcels with their last events, what has not shipped, and when it was
    promised.
    """
    with context.unit_of_work() as session:
        view = queries.own_order(session, context.identity, order)
        waiting = [line.id for line in view.lines if line.ordered - line.canceled > line.allocated]
        promised = promised_on(session, context.identity.tenant_id, waiting) if waiting else {}
        card = order_card(session, context.identity, view)
    return Outcome(brief.tracked(view, promised), cards=(card,))


@tool(access=Access.READ, agents=SERVICE)
def get_refunds(context: ToolContext, order: OrderName) -> Outcome:
    """Money of an order that went back or is on its way: how much, why, to where, since when."""
    with context.unit_of_work() as session:
        view = queries.own_order(session, context.identity, order)
        rows = given_back.of_order(session, context.identity, view.id)
        coming = returns.many(session, context.identity, ReturnFilter(order_id=view.id), limit=_RETURNS)
        card = order_card(session, context.identity, view)
    result = {
        "order": view.number,
        "payment": view.payment_status,
        "refunds": brief_after.given_back(rows),
        "returns": [brief_after.returning(one) for one in coming.items],
    }
    return Outcome(result, cards=(card,))
