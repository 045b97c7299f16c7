"""Short picks, parcels that fare badly, and cancels that a partner is asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from engine.fulfillment import exceptions, requests
from engine.fulfillment.errors import AlreadyRemedied, CancelPending, NothingToShip
from engine.fulfillment.exceptions import Remedy, ShortPick, remedy_lost
from engine.fulfillment.policies import FulfillmentPolicy
from engine.fulfillment.shipments import accept, ship_now
from engine.inventory.models import Backorder
from engine.kit.errors import Conflict, InvalidInput
from engine.orders.models import Order, OrderStatus, ShipmentStatus
from tests.engine.fulfillment.conftest import Warehouse
from tests.engine.fulfillment.test_tracking import sent, sign, tell
from tests.engine.inventory.stocked import set_variant

Placed = Callable[[], tuple[str, list[str]]]
S = ShipmentStatus


def work_of(warehouse: Warehouse, works: list[str], units: int) -> str:
    return next(one for one in works if warehouse.work_lines(one)[0].quantity == units)


def short(warehouse: Warehouse, work_id: str, **units: int) -> ShortPick:
    with warehouse.shop.uow() as session:
        return exceptions.short_pick(session, warehouse.tenant_id, work_id, short=units)


def test_units_that_were_not_there_go_from_another_place(warehouse: Warehouse, placed: Placed) -> None:
    order_id, works = placed()
    work_id, line = work_of(warehouse, works, 3), warehouse.lines(order_id)["A"]
    done = short(warehouse, work_id, **{line.id: 2})
    [other] = done.rerouted
    assert done.backordered == {}
    assert warehouse.work(other).location_id == warehouse.shop.locations["WEST"]
    assert warehouse.work(other).routing["short_pick_of"] == work_id
    assert [(row.quantity, row.canceled, row.open) for row in warehouse.work_lines(work_id)] == [(3, 2, 1)]
    assert [(row.quantity, row.open) for row in warehouse.work_lines(other)] == [(2, 2)]
    assert warehouse.lines(order_id)["A"].released == 3
    assert warehouse.alerts() == ["short_pick"]
    assert warehouse.books()["inventory_adjustments"] == 5_000
    assert warehouse.broken() == []
    sent(warehouse, [work_id, other])
    assert warehouse.lines(order_id)["A"].shipped == 3
    assert warehouse.broken() == []


def test_units_that_nobody_has_wait_for_stock(warehouse: Warehouse, placed: Placed) -> None:
    order_id, works = placed()
    work_id, line = work_of(warehouse, works, 1), warehouse.lines(order_id)["B"]
    done = short(warehouse, work_id, **{line.id: 1})
    assert (done.rerouted, done.backordered) == ((), {line.id: 1})
    assert warehouse.work(work_id).status == "canceled"
    after = warehouse.lines(order_id)["B"]
    assert (after.allocated, after.released, after.canceled) == (0, 0, 0)
    with warehouse.shop.uow() as session:
        rows = [(b.quantity, b.status) for b in session.query(Backorder)]
    assert rows == [(1, "waiting")]
    assert warehouse.broken() == []


def test_a_short_pick_of_a_line_that_also_waits_frees_what_was_on_the_shelf(warehouse: Warehouse) -> None:
    warehouse.shop.add("A", stock={"EAST": 2})
    set_variant(warehouse.shop, "A", stock_policy="backorder")
    order_id = warehouse.buy(A=3)
    [work_id] = warehouse.release(order_id)
    line = warehouse.lines(order_id)["A"]
    short(warehouse, work_id, **{line.id: 1})
    after = warehouse.lines(order_id)["A"]
    assert (after.allocated, after.released, after.canceled) == (1, 1, 0)
    with warehouse.shop.uow() as session:
        assert sum(row.waiting for row in session.query(Backorder)) == 2
    assert warehouse.broken() == []


def test_some_may_ship_while_the_rest_waits(warehouse: Warehouse) -> None:
    warehouse.shop.add("A", stock={"EAST": 4})
    order_id = warehouse.buy(A=4)
    [work_id] = warehouse.release(order_id)
    line = warehouse.lines(order_id)["A"]
    done = short(warehouse, work_id, **{line.id: 1})
    assert done.backordered == {line.id: 1}
    assert warehouse.work(work_id).status == "exception"
    sent(warehouse, [work_id])
    assert warehouse.work(work_id).status == "shipped"
    assert warehouse.lines(order_id)["A"].shipped == 3
    assert warehouse.broken() == []


def test_a_short_pick_names_units_that_are_there_to_be_short(warehouse: Warehouse, placed: Placed) -> None:
    order_id, works = placed()
    work_id, line = work_of(warehouse, works, 3), warehouse.lines(order_id)["A"]
    tries: list[tuple[type[Exception], dict[str, int]]] = [
        (InvalidInput, {}),
        (InvalidInput, {line.id: 0}),
        (NothingToShip, {line.id: 4}),
        (NothingToShip, {"oli_nobody": 1}),
    ]
    for error, units in tries:
        with pytest.raises(error):
            short(warehouse, work_id, **units)
    assert warehouse.lines(order_id)["A"].released == 3
    assert warehouse.alerts() == []


def test_a_delivery_exception_is_told_and_settled_when_the_parcel_moves_on(
    warehouse: Warehouse, placed: Placed
) -> None:
    _, works = placed()
    [shipment_id] = sent(warehouse, works[:1])
    tell(warehouse, shipment_id, sign(S.EXCEPTION, 2))
    assert warehouse.alerts() == ["delivery_exception"]
    tell(warehouse, shipment_id, sign(S.OUT_FOR_DELIVERY, 3))
    assert (warehouse.alerts(), warehouse.alerts(resolved=True)) == ([], ["delivery_exception"])


def test_a_parcel_back_with_the_sender_is_the_orders_again(warehouse: Warehouse, placed: Placed) -> None:
    order_id, works = placed()
    work_id = work_of(warehouse, works, 3)
    before = warehouse.books()
    [shipment_id] = sent(warehouse, [work_id])
    tell(warehouse, shipment_id, sign(S.EXCEPTION, 2), sign(S.RETURNED, 3))
    assert warehouse.books() == before
    line = warehouse.lines(order_id)["A"]
    assert (line.allocated, line.released, line.shipped) == (3, 0, 0)
    order = warehouse.order(order_id)
    assert (order.status, order.hold_reason) == ("on_hold", "A parcel came back to the sender.")
    assert warehouse.work(work_id).status == "canceled"
    assert warehouse.alerts() == ["parcel_returned"]
    assert warehouse.broken() == []
    with warehouse.shop.uow() as session:
        session.get_one(Order, (warehouse.tenant_id, order_id)).status = OrderStatus.OPEN
    again = warehouse.release(order_id)
    sent(warehouse, again)
    assert warehouse.lines(order_id)["A"].shipped == 3
    assert warehouse.broken() == []


def test_a_lost_parcel_is_sent_again_and_its_goods_written_off(warehouse: Warehouse, placed: Placed) -> None:
    order_id, works = placed()
    sent(warehouse, works)
    shipment_id = next(one.id for one in warehouse.shipments(order_id) if one.lines[0]["quantity"] == 3)
    earned = warehouse.books()
    tell(warehouse, shipment_id, sign(S.LOST))
    assert warehouse.alerts() == ["parcel_lost"]
    with warehouse.shop.uow() as session:
        units = remedy_lost(session, warehouse.tenant_id, shipment_id, remedy=Remedy.RESHIP, actor="key_1")
    line = warehouse.lines(order_id)["A"]
    assert units == {line.id: 3}
    assert (line.allocated, line.released, line.shipped) == (3, 0, 0)
    assert warehouse.books()["inventory_adjustments"] == 7_500
    assert warehouse.alerts() == []
    assert warehouse.broken() == []
    with pytest.raises(AlreadyRemedied), warehouse.shop.uow() as session:
        remedy_lost(session, warehouse.tenant_id, shipment_id, remedy=Remedy.RESHIP, actor="key_1")
    sent(warehouse, warehouse.release(order_id))
    after = warehouse.books()
    assert {k: v - earned.get(k, 0) for k, v in after.items() if v != earned.get(k, 0)} == {
        "inventory": -7_500,
        "inventory_adjustments": 7_500,
    }
    tell(warehouse, shipment_id, sign(S.DELIVERED, 9))
    assert warehouse.alerts() == ["parcel_found"]
    assert warehouse.lines(order_id)["A"].delivered == 0
    assert warehouse.broken() == []


def test_a_lost_parcel_can_be_paid_back_instead(warehouse: Warehouse, placed: Placed) -> None:
    order_id, works = placed()
    [shipment_id] = sent(warehouse, [work_of(warehouse, works, 3)])
    with pytest.raises(Conflict), warehouse.shop.uow() as session:
        remedy_lost(session, warehouse.tenant_id, shipment_id, remedy=Remedy.REFUND, actor="key_1")
    tell(warehouse, shipment_id, sign(S.LOST))
    with warehouse.shop.uow() as session:
        remedy_lost(session, warehouse.tenant_id, shipment_id, remedy=Remedy.REFUND, actor="key_1")
    line = warehouse.lines(order_id)["A"]
    assert (line.allocated, line.released, line.shipped, line.canceled) == (0, 0, 0, 0)
    assert warehouse.books()["customer_deposits"] == -17_594


def test_a_parcel_found_before_anybody_acted_is_only_late(warehouse: Warehouse, placed: Placed) -> None:
    order_id, works = placed()
    [shipment_id] = sent(warehouse, [work_of(warehouse, works, 3)])
    tell(warehouse, shipment_id, sign(S.LOST, 1))
    tell(warehouse, shipment_id, sign(S.DELIVERED, 2))
    assert warehouse.alerts() == []
    assert warehouse.lines(order_id)["A"].delivered == 3
    assert warehouse.broken() == []


class Answers:
    """Stands in for the orders room, which hears how a request ended."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.heard: list[tuple[str, bool]] = []
        monkeypatch.setattr(requests, "_tell", self.tell)

    def tell(self, _session: Any, _tenant_id: str, change_id: str, *, accepted: bool) -> None:
        self.heard.append((change_id, accepted))


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Answers:
    return Answers(monkeypatch)


def ask(warehouse: Warehouse, order_id: str, **units: int) -> requests.Asked:
    with warehouse.shop.uow() as session:
        return requests.request_cancel(session, warehouse.tenant_id, order_id=order_id, change_id="chg_1", lines=units)


def answer(warehouse: Warehouse, work_id: str, *, accepted: bool) -> None:
    with warehouse.shop.uow() as session:
        requests.answer_cancel(session, warehouse.tenant_id, work_id, accepted=accepted)


def test_an_own_place_that_has_not_begun_agrees_at_once(warehouse: Warehouse, placed: Placed, answers: Answers) -> None:
    order_id, works = placed()
    line = warehouse.lines(order_id)["A"]
    asked = ask(warehouse, order_id, **{line.id: 2})
    assert (asked.agreed, asked.waiting) == ({line.id: 2}, {})
    assert warehouse.lines(order_id)["A"].released == 1
    assert [row.open for row in warehouse.work_lines(work_of(warehouse, works, 3))] == [1]
    assert answers.heard == []
    assert warehouse.broken() == []


@pytest.mark.parametrize("accepted", [True, False])
def test_a_partner_is_asked_and_its_answer_decides(
    warehouse: Warehouse, placed: Placed, answers: Answers, accepted: bool
) -> None:
    warehouse.policy(FulfillmentPolicy, partners={"EAST": "Acme", "WEST": "Acme"})
    order_id, works = placed()
    lines = warehouse.lines(order_id)
    with warehouse.shop.uow() as session:
        accept(session, warehouse.tenant_id, work_of(warehouse, works, 3))
    asked = ask(warehouse, order_id, **{lines["A"].id: 3, lines["B"].id: 1})
    assert (asked.agreed, asked.waiting) == ({}, {lines["A"].id: 3, lines["B"].id: 1})
    for one in works:
        assert warehouse.work(one).status == "cancel_requested"
        with pytest.raises(CancelPending):
            ship_now(warehouse.shop.runtime, warehouse.tenant_id, one)
    first, second = work_of(warehouse, works, 1), work_of(warehouse, works, 3)
    answer(warehouse, first, accepted=True)
    assert answers.heard == []
    answer(warehouse, second, accepted=accepted)
    assert answers.heard == [("chg_1", accepted)]
    assert warehouse.work(first).status == "canceled"
    assert warehouse.work(second).status == ("canceled" if accepted else "accepted")
    assert warehouse.lines(order_id)["A"].released == (0 if accepted else 3)
    with pytest.raises(Conflict):
        answer(warehouse, second, accepted=True)
    assert warehouse.broken() == []


def test_one_refusal_withdraws_what_the_others_were_asked(
    warehouse: Warehouse, placed: Placed, answers: Answers
) -> None:
    warehouse.policy(FulfillmentPolicy, partners={"EAST": "Acme", "WEST": "Acme"})
    order_id, works = placed()
    lines = warehouse.lines(order_id)
    ask(warehouse, order_id, **{lines["A"].id: 1, lines["B"].id: 1})
    answer(warehouse, work_of(warehouse, works, 1), accepted=False)
    assert answers.heard == [("chg_1", False)]
    assert [warehouse.work(one).status for one in works] == ["released", "released"]
    assert [line.released for line in warehouse.lines(order_id).values()] == [3, 1]
    sent(warehouse, works)


def test_more_than_is_released_cannot_be_asked_back(warehouse: Warehouse, placed: Placed, answers: Answers) -> None:
    order_id, works = placed()
    line = warehouse.lines(order_id)["A"]
    sent(warehouse, [work_of(warehouse, works, 3)])
    with pytest.raises(NothingToShip):
        ask(warehouse, order_id, **{line.id: 1})
    assert warehouse.lines(order_id)["A"].released == 3
