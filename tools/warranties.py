"""What is promised for units that arrived, and telling the shop that one broke. People decide; nothing moves by it."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field

from engine.conversations import asking
from engine.kit.errors import Forbidden
from engine.orders import queries as orders
from engine.warranties import choosing, claiming, queries
from engine.warranties.queries import ClaimFilter, WarrantyFilter
from engine.warranties.schemas import ClaimView
from tools import brief_after as brief
from tools.asking import asked_card
from tools.naming import SERVICE
from tools.spec import Access, Card, Outcome, Ref, Risk, ToolContext, tool

_SHOWN: Final = 10


def _require_shopper(context: ToolContext) -> None:
    """A claim says what a shopper says: nobody of the shop files one by a model's word."""
    if context.identity.is_staff:
        raise Forbidden("Only the shopper can say this here; the shop's staff do it on the claim's own page.")


def _shown(view: ClaimView) -> Outcome:
    return Outcome(brief.claim(view), cards=(Card("claim", view.model_dump(mode="json"), key=view.id),))


@tool(access=Access.READ, agents=SERVICE)
def list_warranties(
    context: ToolContext,
    order: Annotated[
        str | None, Ref, Field(description="Only of this order: number or ord_ id.", max_length=60)
    ] = None,
) -> Outcome:
    """The shopper's own warranties: term, whether a fault can be told now, why not; and the codes of faults."""
    with context.unit_of_work() as session:
        order_id = orders.find_own(session, context.identity, order).id if order else None
        page = queries.warranties(session, context.identity, WarrantyFilter(order_id=order_id), limit=_SHOWN)
    result = brief.warranties(page)
    return Outcome(result, cards=(Card("warranties", page.model_dump(mode="json")),) if page.items else ())


@tool(access=Access.WRITE, agents=SERVICE, risk=Risk.ASK, caps={"thread": 5, "day": 10})
def file_claim(
    context: ToolContext,
    warranty_id: Annotated[str, Ref, Field(description="wty_ id of list_warranties.", max_length=60)],
    symptom: Annotated[str, Field(description="A fault code of list_warranties.", max_length=60)],
    description: Annotated[
        str, Field(description="What is wrong, in the shopper's words.", min_length=1, max_length=2000)
    ],
    serial: Annotated[
        str | None, Field(description="Serial number, if said.", pattern=r"^[A-Za-z0-9 ./_-]{1,60}$")
    ] = None,
) -> Outcome:
    """Tell the shop that a unit under warranty broke. A person decides; promise nothing."""
    _require_shopper(context)
    with context.unit_of_work() as session:
        found = queries.find_warranty(session, context.identity, warranty_id)
        made = claiming.submit(
            session, context.identity, found.id, symptom=symptom, description=description, serial=serial
        )
        return _shown(queries.one_claim(session, context.identity, made.id))


@tool(access=Access.READ, agents=SERVICE)
def get_claim(
    context: ToolContext,
    claim: Annotated[
        str | None, Field(description="Claim number or clm_ id; without it the newest.", max_length=60)
    ] = None,
) -> Outcome:
    """Warranty claims: where each stands, what the shop asked or offers, what is to be sent in."""
    with context.unit_of_work() as session:
        if claim:
            return _shown(queries.one_claim(session, context.identity, claim))
        page = queries.claims(session, context.identity, ClaimFilter(), limit=_SHOWN)
    if len(page.items) == 1:
        return _shown(page.items[0])
    return Outcome({"items": [brief.claim(view) for view in page.items]})


@tool(access=Access.WRITE, agents=SERVICE, risk=Risk.ASK, caps={"thread": 10, "day": 20})
def answer_claim(
    context: ToolContext,
    claim_id: Annotated[str, Ref, Field(description="clm_ id or number.", max_length=60)],
    text: Annotated[str, Field(description="The shopper's answer.", min_length=1, max_length=2000)],
) -> Outcome:
    """Pass on the shopper's answer to what the shop asked about a claim (status need_info)."""
    _require_shopper(context)
    with context.unit_of_work() as session:
        found = queries.find_claim(session, context.identity, claim_id)
        claiming.answer(session, context.identity, found.id, text=text)
        return _shown(queries.one_claim(session, context.identity, found.id))


@tool(access=Access.WRITE, agents=SERVICE, risk=Risk.ASK)
def offer_claim_choice(
    context: ToolContext,
    claim_id: Annotated[str, Ref, Field(description="clm_ id or number.", max_length=60)],
) -> Outcome:
    """Show the card on which the shopper chooses among what the shop offers for an approved claim."""
    with context.unit_of_work() as session:
        row = choosing.show(session, context.identity, claim_id, thread_id=context.thread_id)
        card = asking.view(session, row)
    return Outcome(brief.asked(card), cards=(asked_card(card),))
