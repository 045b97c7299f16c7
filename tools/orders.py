"""The shopper's own orders, and a person to talk to."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from engine.conversations import handoff
from engine.orders import lookups, queries
from engine.orders.changes.allowed import allowed
from tools import brief
from tools.naming import EVERYONE, SERVICE, OrderName
from tools.spec import Access, Card, Outcome, Risk, ToolContext, tool
from tools.timeline import order_card


@tool(access=Access.READ, agents=SERVICE)
def list_orders(context: ToolContext, limit: Annotated[int, Field(ge=1, le=20)] = 5) -> Outcome:
    """The shopper's own orders, newest first, with payment and delivery state. Empty when this session has none:
    then offer find_order_status with an order number and e-mail.
    """
    with context.unit_of_work() as session:
        page = queries.own_orders(session, context.identity, limit=limit)
    result = {"items": [brief.order(view) for view in page.items]}
    if not page.items:
        return Outcome(result)
    return Outcome(result, cards=(Card("orders", {"items": [v.model_dump(mode="json") for v in page.items]}),))


@tool(access=Access.READ, agents=SERVICE)
def get_order(context: ToolContext, order: OrderName) -> Outcome:
    """One of the shopper's own orders with lines, shipments, tracking and refunds; `can` says what may be asked for
    now, `cancel_reasons` the codes to cancel by.
    """
    with context.unit_of_work() as session:
        found, parts = queries.own_with_parts(session, context.identity, order)
        view = queries.view_of(found, parts, context.identity)
        may = allowed(session, found, parts)
        card = order_card(session, context.identity, view)
    return Outcome(brief.order_detail(view) | brief.may(may), cards=(card,))


@tool(access=Access.READ, agents=SERVICE)
def find_order_status(
    context: ToolContext,
    number: Annotated[str, Field(max_length=40)],
    email: Annotated[str, Field(max_length=200)],
) -> Outcome:
    """The bare state of an order made elsewhere, by its number and the buyer's e-mail: no names, items or
    addresses. More needs signing in.
    """
    identity = context.identity
    lookups.limit(context.runtime, identity.tenant_id, who=identity.id, number=number)
    with context.unit_of_work() as session:
        status = queries.masked_status(session, identity.tenant_id, number=number, email=email)
    return Outcome(status.model_dump(mode="json"))


@tool(access=Access.WRITE, agents=EVERYONE, risk=Risk.ASK)
def request_human(
    context: ToolContext,
    reason: Annotated[
        str,
        Field(description="asked_for_person, complaint, payment_problem, cannot_help or other.", max_length=40),
    ],
    summary: Annotated[
        str,
        Field(description="What the person taking over should know, up to five short lines.", max_length=600),
    ],
) -> Outcome:
    """Hand the conversation to the shop's staff: when the shopper asks for a person, is upset, or needs something
    no tool does. After it, say nothing more than that they are coming.
    """
    with context.unit_of_work() as session:
        note = handoff.request(session, context.identity, context.thread_id, reason=reason, summary=summary)
    data = note.model_dump(mode="json")
    return Outcome(data, cards=(Card("handoff", data, key=f"handoff-{note.reference}"),))
