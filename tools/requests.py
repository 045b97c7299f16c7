"""What an agent may ask the shop's people for, which somebody else has to grant, and what its shopper asked for."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from engine.approvals.asking import Where, ask
from engine.approvals.models import ApprovalKind
from engine.conversations import complaining
from engine.conversations import requests as kept
from engine.conversations.requests import RequestStatus
from engine.kit.errors import InvalidInput
from engine.orders import queries
from tools.naming import SERVICE, Given
from tools.spec import Access, Card, Outcome, Ref, Risk, ToolContext, tool


@tool(access=Access.WRITE, agents=SERVICE, risk=Risk.ASK, caps={"thread": 3, "day": 5})
def request_refund(
    context: ToolContext,
    order_id: Annotated[str, Field(description="The ord_ id that get_order told.", max_length=60), Ref],
    amount: Annotated[int, Field(description="Minor units of the order's currency.", gt=0, le=100_000_000)],
    reason: Annotated[str, Field(description="What went wrong, in one plain sentence.", min_length=1, max_length=200)],
) -> Outcome:
    """Ask the shop's people to give money back on one of the shopper's own orders, when something was wrong with it and
    the shopper keeps the goods. Nothing is refunded by this: a person decides, and the shopper hears of it here.
    Promise nothing.
    """
    identity = context.identity
    with context.unit_of_work() as session:
        order = queries.find_own(session, identity, order_id)
        if amount > order.total:
            raise InvalidInput("That is more than the whole order cost.", param="amount")
        given = {"order_id": order.id, "amount": amount, "reason": reason}
        row = ask(
            session, identity, ApprovalKind.REFUND, given, reason=reason, where=Where(thread_id=context.thread_id)
        )
        return Outcome({"request": row.id, "status": str(row.status), "decided_by": "a person of the shop"})


@tool(access=Access.WRITE, agents=SERVICE, risk=Risk.ASK, caps={"thread": 2, "day": 4})
def complain(
    context: ToolContext,
    text: Annotated[str, Field(description="The complaint, in the shopper's words.", min_length=1, max_length=600)],
    order: Annotated[str | None, Ref, Field(description="Order number or ord_ id.", max_length=60)] = None,
) -> Outcome:
    """Write a complaint down as a case that the shop's people look into and answer here. You go on helping meanwhile;
    where the shopper wants a person now, request_human.
    """
    with context.unit_of_work() as session:
        view = complaining.complain(session, context.identity, context.thread_id, words=text, order=order)
    data = view.model_dump(mode="json")
    note = "The shop's people look into it and answer here. Say the reference; promise nothing."
    return Outcome(data | {"note": note}, cards=(Card("complaint", data, key=f"complaint-{view.reference}"),))


class Request(Given):
    text: Annotated[str, Field(description="What they want, in a few words, with order and item.", max_length=160)]
    status: Annotated[RequestStatus, Field(description="asked: it waits for their word or press.")] = RequestStatus.OPEN


@tool(access=Access.WRITE, agents=SERVICE)
def note_requests(
    context: ToolContext,
    requests: Annotated[list[Request], Field(description="All of them, finished ones too.", max_length=12)],
) -> Outcome:
    """Keep the checklist of all that the shopper asked for in this conversation, when they ask for more than one thing
    and whenever one of them moves on. What is open is told to you before each turn: end with nothing open.
    """
    wanted = [kept.Request(one.text, one.status) for one in requests]
    with context.unit_of_work() as session:
        rows = kept.keep(session, context.identity, context.thread_id, wanted)
    return Outcome({"requests": rows, "open": len(kept.unfinished(rows))})
