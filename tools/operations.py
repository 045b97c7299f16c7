"""What does not move, and acts for the shop's people: each is put into words on a card that they press themselves."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import Field

from engine.fulfillment import release
from engine.kit.pagination import Page
from engine.operations import asking, work
from engine.operations.stuck import Why, stuck
from engine.orders import queries as orders
from engine.payments import queries as payments
from engine.payments.schemas import AlertView
from tools import brief
from tools.naming import OPERATIONS, Few, Given, OrderName
from tools.spec import Access, Card, Outcome, Ref, Risk, ToolContext, tool
from tools.timeline import order_card

Sku = Annotated[str, Field(description="The item's SKU.", max_length=40)]
Code = Annotated[str, Field(description="The location's code, such as EAST.", max_length=12)]


class Units(Given):
    """Units of one item."""

    sku: Sku
    quantity: Annotated[int, Field(ge=1, le=100_000)]


Lines = Annotated[list[Units], Field(description="Items and how many of each.", min_length=1, max_length=50)]


@tool(access=Access.READ, agents=OPERATIONS, staff=True)
def list_stuck_orders(
    context: ToolContext,
    why: Annotated[Why | None, Field(description="Only those that wait for this.")] = None,
    limit: Few = 10,
) -> Outcome:
    """Orders that do not move and what holds each up: unanswered payments, holds, not released, not shipped in time,
    short picks, late stock, lost, late or troubled parcels. What waits longest comes first.
    """
    with context.unit_of_work() as session:
        found = stuck(session, context.identity.tenant_id, why=why, limit=limit)
    return Outcome(found.model_dump(mode="json"))


@tool(access=Access.READ, agents=OPERATIONS, staff=True)
def find_order(context: ToolContext, order: OrderName) -> Outcome:
    """Any order of the shop with lines, shipments and money, and the work it is in at the warehouses."""
    with context.unit_of_work() as session:
        view = orders.own_order(session, context.identity, order)
        card = order_card(session, context.identity, view)
    return Outcome(brief.order(view), cards=(card,))


@tool(access=Access.READ, agents=OPERATIONS, staff=True)
def explain_routing(context: ToolContext, order: OrderName) -> Outcome:
    """Why an order's units were reserved where they are, why each piece of work is where it is, and what routing would
    do now with the rest.
    """
    with context.unit_of_work() as session:
        row = orders.find_own(session, context.identity, order)
        told = release.explain(session, row.tenant_id, row.id)
        steps = [{"stage": one["stage"], "because": list(one["routing"].get("words", ()))} for one in told]
        return Outcome({"order": row.number, "steps": steps})


@tool(access=Access.READ, agents=OPERATIONS, staff=True)
def list_exceptions(
    context: ToolContext,
    kind: Annotated[str | None, Field(description="Only of this kind.", max_length=60)] = None,
    limit: Few = 20,
) -> Outcome:
    """What a person has to look at: money that does not add up, parcels, late answers, given-up messages. `action` is
    the one safe thing that settle_exception can do; `none` and `decide_order` are settled elsewhere.
    """
    with context.unit_of_work() as session:
        page: Page[AlertView] = payments.alerts(
            session, context.identity, filters={"kind": kind}, open_only=True, limit=limit
        )
    rows = [row.model_dump(mode="json", exclude={"facts"}) for row in page.items]
    return Outcome({"exceptions": rows, "more": page.next_cursor is not None})


@tool(access=Access.READ, agents=OPERATIONS, staff=True)
def background_work(context: ToolContext) -> Outcome:
    """Messages, webhooks, letters and imports that wait or were given up. Empty when everything is done."""
    with context.unit_of_work() as session:
        rows = work.background_work(session, context.identity.tenant_id)
    return Outcome({"work": [row.model_dump(mode="json") for row in rows]})


def asked(context: ToolContext, **given: Any) -> Outcome:
    """The card that its person presses; nothing is done before."""
    act = {name: value for name, value in given.items() if value is not None}
    with context.unit_of_work() as session:
        view = asking.propose(session, context.identity, act, thread_id=context.thread_id)
    data = view.model_dump(mode="json")
    told = {
        "card": "shown",
        "title": view.title,
        "words": view.words,
        "note": "Nothing is done before the press on the card.",
    }
    return Outcome(told, cards=(Card("staff_act", data, key=view.id),))


def _lines(lines: list[Units]) -> list[dict[str, Any]]:
    return [line.model_dump() for line in lines]


@tool(access=Access.WRITE, agents=OPERATIONS, staff=True, risk=Risk.ASK)
def propose_transfer(
    context: ToolContext,
    source: Code,
    destination: Code,
    lines: Lines,
    expected_on: Annotated[date | None, Field(description="When it should arrive, YYYY-MM-DD.")] = None,
) -> Outcome:
    """Show a card that moves units from one location to another."""
    expected = expected_on.isoformat() if expected_on else None
    return asked(
        context,
        kind="transfer",
        source=source,
        destination=destination,
        lines=_lines(lines),
        expected_on=expected,
    )


@tool(access=Access.WRITE, agents=OPERATIONS, staff=True, risk=Risk.ASK)
def propose_receipt(
    context: ToolContext,
    inbound_id: Annotated[str, Field(description="Its id from list_incoming.", max_length=60), Ref],
    lines: Lines,
) -> Outcome:
    """Show a card that puts units of a purchase or transfer that have arrived on the shelf."""
    return asked(context, kind="receipt", inbound_id=inbound_id, lines=_lines(lines))


@tool(access=Access.WRITE, agents=OPERATIONS, staff=True, risk=Risk.ASK)
def propose_stock_correction(
    context: ToolContext,
    sku: Sku,
    location: Code,
    delta: Annotated[int, Field(description="Units written on, negative for off.", ge=-100_000, le=100_000)],
    reason: Annotated[str, Field(description="Why, in a few words.", min_length=1, max_length=200)],
) -> Outcome:
    """Show a card that corrects an item's stock by a number of units, with a reason."""
    return asked(context, kind="adjustment", sku=sku, location=location, delta=delta, reason=reason)


@tool(access=Access.WRITE, agents=OPERATIONS, staff=True, risk=Risk.ASK)
def propose_count(
    context: ToolContext,
    location: Code,
    skus: Annotated[list[Sku], Field(description="The items to count.", min_length=1, max_length=100)],
    note: Annotated[str, Field(description="For who counts.", max_length=200)] = "",
) -> Outcome:
    """Show a card that asks a location to count items."""
    return asked(context, kind="count", location=location, skus=skus, note=note)


@tool(access=Access.WRITE, agents=OPERATIONS, staff=True, risk=Risk.ASK)
def propose_release(context: ToolContext, order: OrderName) -> Outcome:
    """Show a card that hands everything of an order that has stock to the places that ship it."""
    return asked(context, kind="release", order=order)


@tool(access=Access.WRITE, agents=OPERATIONS, staff=True, risk=Risk.ASK)
def propose_remedy(
    context: ToolContext,
    shipment_id: Annotated[str, Field(description="The lost parcel's shi_ id.", max_length=60), Ref],
    remedy: Annotated[Literal["reship", "refund"], Field(description="Send the goods again, or give them up.")],
) -> Outcome:
    """Show a card that decides what follows from a lost parcel."""
    return asked(context, kind="lost_parcel", shipment_id=shipment_id, remedy=remedy)


@tool(access=Access.WRITE, agents=OPERATIONS, staff=True, risk=Risk.ASK)
def settle_exception(
    context: ToolContext,
    alert_id: Annotated[str, Field(description="Its id from list_exceptions.", max_length=60), Ref],
) -> Outcome:
    """Show a card that does the one safe thing about an exception."""
    return asked(context, kind="exception", alert_id=alert_id)


@tool(access=Access.WRITE, agents=OPERATIONS, staff=True, risk=Risk.ASK)
def resend_webhooks(
    context: ToolContext,
    platform_id: Annotated[str, Field(description="The agp_ id that background_work told.", max_length=60), Ref],
) -> Outcome:
    """Show a card that sends a platform everything that was given up, once more."""
    return asked(context, kind="webhooks", platform_id=platform_id)
