"""A handoff brings what a person needs to know, and what they did comes back with the conversation."""

from __future__ import annotations

from engine.checkout.complete import complete
from engine.conversations import events, handoff, log
from engine.conversations.models import Thread
from engine.orders.changes.propose import propose
from engine.orders.changes.wanted import read
from engine.payments import refunds
from engine.support import desk as work
from engine.support import queries
from tests.engine.orders.desk import staff as refunder
from tests.engine.support.conftest import Desk, Waiting
from tests.shop import Shop


def _bought(shop: Shop, desk: Desk) -> tuple[Waiting, str, str]:
    """A conversation whose shopper bought one A, with a card that asks about canceling it."""
    shop.add("A", price=5000)
    shopper, thread_id = desk.conversation()
    done = complete(shop.runtime, shopper, shop.approved(shopper, "A"))
    assert done.order is not None
    asked = propose(shop.runtime, shopper, done.order.id, read({"kind": "cancel", "reason": "other"}))
    assert asked.consent_id
    card = propose(
        shop.runtime, shopper, done.order.id, read({"kind": "cancel", "reason": "other"}), thread_id=thread_id
    )
    return Waiting(desk, shopper, thread_id), done.order.id, str(card.refund)


def test_the_package_is_made_of_the_log_and_the_engine(shop: Shop, desk: Desk) -> None:
    waiting, order_id, worth = _bought(shop, desk)
    refusal = '{"ok":false,"error":{"code":"wrong_status","message":"It has left the warehouse."}}'
    waiting.writes("My card is 4242 4242 4242 4242")
    waiting.writes("Cancel it now!")
    with shop.uow() as session:
        told = [events.tool_started("c1", "quote_cancel"), events.tool_result("c1", refusal)]
        log.append(session, shop.tenant.id, waiting.thread_id, None, told)
        handoff.request(
            session, waiting.shopper, waiting.thread_id, reason="complaint", summary="Wants it canceled.\nIs angry."
        )
    with shop.uow() as session:
        view = queries.case(session, desk.ann, waiting.case.id)
        listed = queries.cases(session, desk.ann, wanted=queries.CaseFilter(), limit=5, cursor=None).items[0]
    package = view.package
    assert package is not None
    assert listed.package is None
    [order] = package["facts"]["orders"]
    assert (order["id"], order["payment"], order["lines"]) == (order_id, "paid", ["1 x Thing A"])
    card = f"Cancel 1 x Thing A of order {order['number']}? {worth} goes back to you."
    assert package["facts"]["open_cards"] == [card]
    assert package["summary"] == [
        "The shopper complains.",
        "Last words: My card is •••• 4242 / Cancel it now!",
        "The assistant says: Wants it canceled. Is angry.",
        f"Newest order {order['number']}: open, paid, unfulfilled, {order['total']}.",
        f"Asked on a card: {card}. The cart is empty.",
    ]
    assert package["last_tool_errors"] == [{"tool": "quote_cancel", "message": "It has left the warehouse."}]
    assert f"about order {order['number']}" in package["suggested_reply"]


def test_what_people_did_comes_back_with_the_conversation(shop: Shop, desk: Desk) -> None:
    waiting, order_id, _ = _bought(shop, desk)
    with shop.uow() as session:
        handoff.request(session, waiting.shopper, waiting.thread_id, reason="complaint", summary="x")
    case_id = waiting.case.id
    with shop.uow() as session:
        work.reply(session, desk.ann, case_id, "I am giving you ten back.")
    with shop.uow() as session:
        refunds.request(
            session, shop.tenant.id, order_id=order_id, amount=1000, tax=0, unearned=0, reason="goodwill",
            requested_by=refunder(shop).id,
        )  # fmt: skip
    with shop.uow() as session:
        work.resolve(session, desk.ann, case_id, then="agents")
    with shop.uow() as session:
        thread = session.get_one(Thread, (shop.tenant.id, waiting.thread_id))
        assert thread.mode == "agent"
        assert thread.handoff is not None
        done = thread.handoff["returned"]["done"]
    assert done[0] == "wrote 1 messages here"
    assert done[1].startswith("refunded $10.00 of order")
