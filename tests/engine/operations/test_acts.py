"""Acts of the shop's people: in words first, done once and only by their own press."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from engine.approvals.models import Approval
from engine.checkout.errors import ConsentDecided
from engine.checkout.models import Consent, ConsentStatus
from engine.conversations import service as conversations
from engine.fulfillment import release
from engine.kit import clock
from engine.kit.errors import Conflict, DomainError, Forbidden, InvalidInput, NotFound, Unavailable
from engine.kit.identity import Identity, Scope
from engine.operations import asking
from engine.operations.schemas import StaffActView
from tests.engine.fulfillment.conftest import Warehouse
from tests.engine.operations.conftest import person

THREAD = "thr_test"


def propose(warehouse: Warehouse, who: Identity, *, thread_id: str = THREAD, **given: Any) -> StaffActView:
    with warehouse.shop.uow() as session:
        return asking.propose(session, who, given, thread_id=thread_id)


def press(warehouse: Warehouse, who: Identity, card: StaffActView, *, approved: bool = True) -> StaffActView:
    agree(warehouse, who, card, approved=approved)
    return asking.carry_out(warehouse.shop.runtime, who, card.id)


def agree(warehouse: Warehouse, who: Identity, card: StaffActView, *, approved: bool = True) -> None:
    with warehouse.shop.uow() as session:
        asking.agree(session, who, card.id, approved=approved)


def units(warehouse: Warehouse, code: str) -> int:
    with warehouse.shop.uow() as session:
        query = text("SELECT on_hand FROM app.stock_levels WHERE location_id = :place")
        return int(session.execute(query, {"place": warehouse.shop.locations[code]}).scalar() or 0)


def status(warehouse: Warehouse, card: StaffActView) -> str:
    with warehouse.shop.uow() as session:
        return session.get_one(Consent, (warehouse.tenant_id, card.id)).status


MOVE: dict[str, Any] = {
    "kind": "transfer",
    "source": "EAST",
    "destination": "WEST",
    "lines": [{"sku": "A", "quantity": 4}],
}


def test_a_transfer_is_put_into_words_and_done_by_the_press(warehouse: Warehouse, ops: Identity) -> None:
    card = propose(warehouse, ops, **MOVE)
    assert card.words == ["4 x A (Thing A) leave EAST for WEST."]
    assert (card.status, units(warehouse, "EAST")) == ("open", 10)
    done = press(warehouse, ops, card)
    assert (done.status, done.outcome) == ("claimed", "The transfer to WEST is under way.")
    assert units(warehouse, "EAST") == 6
    assert press(warehouse, ops, card) == done
    assert units(warehouse, "EAST") == 6
    receipt = propose(
        warehouse, ops, kind="receipt", inbound_id=done.facts["inbound_id"], lines=[{"sku": "A", "quantity": 4}]
    )
    assert receipt.words == ["4 x A arrive at WEST."]
    press(warehouse, ops, receipt)
    assert units(warehouse, "WEST") == 9
    assert warehouse.broken() == []


def test_two_presses_at_once_do_it_once(warehouse: Warehouse, ops: Identity) -> None:
    card = propose(warehouse, ops, **MOVE)
    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(lambda _: press(warehouse, ops, card), range(8)))
    assert {one.status for one in done} == {"claimed"}
    assert units(warehouse, "EAST") == 6


def test_a_no_does_nothing_and_stays_a_no(warehouse: Warehouse, ops: Identity) -> None:
    card = propose(warehouse, ops, **MOVE)
    with pytest.raises(ConsentDecided):
        press(warehouse, ops, card, approved=False)
    with pytest.raises(Conflict):
        press(warehouse, ops, card)
    assert status(warehouse, card) == ConsentStatus.DECLINED
    assert units(warehouse, "EAST") == 10


def test_what_has_moved_meanwhile_is_not_done(warehouse: Warehouse, ops: Identity) -> None:
    given = {"kind": "adjustment", "sku": "A", "location": "EAST", "delta": -1, "reason": "broken"}
    card = propose(warehouse, ops, **given)
    assert card.words == ["1 x A (Thing A) written off at EAST: on hand 10, then 9.", "broken"]
    press(warehouse, ops, propose(warehouse, ops, **MOVE))
    with pytest.raises(asking.ActOutdated):
        press(warehouse, ops, card)
    assert (units(warehouse, "EAST"), status(warehouse, card)) == (6, ConsentStatus.OPEN)


def test_the_same_act_asked_for_again_has_one_card(warehouse: Warehouse, ops: Identity) -> None:
    first, second = propose(warehouse, ops, **MOVE), propose(warehouse, ops, **MOVE)
    assert status(warehouse, first) == ConsentStatus.SUPERSEDED
    with pytest.raises(Conflict):
        press(warehouse, ops, first)
    press(warehouse, ops, second)
    assert units(warehouse, "EAST") == 6


def test_the_same_act_asked_for_again_takes_the_place_of_one_that_was_cut_off(
    warehouse: Warehouse, ops: Identity
) -> None:
    first = propose(warehouse, ops, **MOVE)
    agree(warehouse, ops, first)
    press(warehouse, ops, propose(warehouse, ops, **MOVE))
    with pytest.raises(ConsentDecided):
        asking.carry_out(warehouse.shop.runtime, ops, first.id)
    assert (units(warehouse, "EAST"), status(warehouse, first)) == (6, ConsentStatus.SUPERSEDED)


def test_what_stands_in_the_way_after_the_yes_puts_the_card_aside(warehouse: Warehouse, ops: Identity) -> None:
    card = propose(warehouse, ops, **MOVE)
    agree(warehouse, ops, card)
    warehouse.buy(A=8)
    with pytest.raises(Conflict, match="nobody waits for"):
        asking.carry_out(warehouse.shop.runtime, ops, card.id)
    assert (units(warehouse, "EAST"), status(warehouse, card)) == (10, ConsentStatus.SUPERSEDED)


def test_a_refusal_after_it_was_done_does_not_undo_it(
    warehouse: Warehouse, ops: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The provider is away: the money is taken later, and nobody is told that nothing was done."""

    def away(*_args: Any) -> None:
        raise Unavailable("No answer.")

    monkeypatch.setattr(release, "take_money", away)
    order_id = warehouse.buy(A=2)
    card = propose(warehouse, ops, kind="release", order=warehouse.order(order_id).number)
    done = press(warehouse, ops, card)
    assert (done.status, len(done.facts["fulfillments"])) == ("claimed", 1)


def test_a_card_runs_out(warehouse: Warehouse, ops: Identity) -> None:
    card = propose(warehouse, ops, **MOVE)
    with clock.shifted(asking.STANDS_FOR + timedelta(seconds=1)), pytest.raises(Conflict):
        press(warehouse, ops, card)
    assert units(warehouse, "EAST") == 10


def test_nobody_else_presses_it(warehouse: Warehouse, ops: Identity) -> None:
    card = propose(warehouse, ops, **MOVE)
    others = [
        (person(warehouse.shop.tenant, "ben"), NotFound),
        (person(warehouse.shop.tenant, None), Forbidden),
        (person(warehouse.shop.tenant, "noor", Scope.STAFF), Forbidden),
        (warehouse.shop.shopper(), Forbidden),
    ]
    for other, refusal in others:
        with pytest.raises(refusal):
            press(warehouse, other, card)
        if refusal is Forbidden:
            with pytest.raises(Forbidden):
                propose(warehouse, other, **MOVE)
    assert (units(warehouse, "EAST"), status(warehouse, card)) == (10, ConsentStatus.OPEN)


def test_above_what_one_person_may_somebody_else_says_yes(warehouse: Warehouse, ops: Identity) -> None:
    warehouse.shop.add("B", price=90_000, stock={"EAST": 500})
    given = {"kind": "adjustment", "sku": "B", "location": "EAST", "delta": -400, "reason": "water"}
    with warehouse.shop.uow() as session:
        thread = conversations.create_thread(session, ops)
    done = press(warehouse, ops, propose(warehouse, ops, thread_id=thread.id, **given))
    assert done.outcome.startswith("That is more than one person may")
    with warehouse.shop.uow() as session:
        waiting = session.get_one(Approval, (warehouse.tenant_id, done.facts["approval_id"]))
        assert (waiting.status, waiting.requested_who, waiting.thread_id) == ("pending", "noor", thread.id)
        on_hand = session.execute(
            text("SELECT on_hand FROM app.stock_levels WHERE variant_id = :item"),
            {"item": warehouse.shop.variants["B"]},
        ).scalar_one()
    assert on_hand == 500


def test_an_order_is_released(warehouse: Warehouse, ops: Identity) -> None:
    order_id = warehouse.buy(A=2)
    number = warehouse.order(order_id).number
    card = propose(warehouse, ops, kind="release", order=number)
    assert card.words[0] == f"Order {number} is released and the money it waits for is taken."
    done = press(warehouse, ops, card)
    assert done.outcome == f"Order {number} is released."
    assert [warehouse.work(one).order_id for one in done.facts["fulfillments"]] == [order_id]
    with pytest.raises(Conflict):
        propose(warehouse, ops, kind="release", order=number)


def test_a_count_is_opened(warehouse: Warehouse, ops: Identity) -> None:
    card = propose(warehouse, ops, kind="count", location="EAST", skus=["A"], note="shelf 4")
    assert card.words == ["At EAST are counted: A.", "shelf 4"]
    done = press(warehouse, ops, card)
    with warehouse.shop.uow() as session:
        found = session.execute(text("SELECT id, status FROM app.stock_counts")).one()
    assert tuple(found) == (done.facts["count_id"], "open")


@pytest.mark.parametrize(
    ("given", "refusal"),
    [
        (MOVE | {"lines": [{"sku": "A", "quantity": 11}]}, Conflict),
        (MOVE | {"lines": [{"sku": "NO", "quantity": 1}]}, NotFound),
        (MOVE | {"destination": "EAST"}, InvalidInput),
        (MOVE | {"destination": "MOON"}, NotFound),
        (MOVE | {"lines": [{"sku": "A", "quantity": 1}, {"sku": "A", "quantity": 2}]}, InvalidInput),
        (MOVE | {"lines": []}, InvalidInput),
        (MOVE | {"price": 1}, InvalidInput),
        ({"kind": "confirm"}, InvalidInput),
        ({"kind": "adjustment", "sku": "A", "location": "EAST", "delta": 0, "reason": "x"}, InvalidInput),
        ({"kind": "release", "order": "SP-0"}, NotFound),
        ({"kind": "lost_parcel", "shipment_id": "shi_0", "remedy": "refund"}, NotFound),
        ({"kind": "exception", "alert_id": "alr_0"}, NotFound),
        ({"kind": "webhooks", "platform_id": "agp_0"}, Conflict),
        ({"kind": "receipt", "inbound_id": "inb_0", "lines": [{"sku": "A", "quantity": 1}]}, NotFound),
    ],
)
def test_what_cannot_be_makes_no_card(
    warehouse: Warehouse, ops: Identity, given: dict[str, Any], refusal: type[DomainError]
) -> None:
    with pytest.raises(refusal):
        propose(warehouse, ops, **given)
    with warehouse.shop.uow() as session:
        assert session.execute(text("SELECT count(*) FROM app.consents")).scalar() == 0
