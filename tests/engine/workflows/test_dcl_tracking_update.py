"""What left the warehouse is booked and told, once for each shipment, whatever happens on the way."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import delete, select, update

from engine.sync import xref
from engine.sync.models import Xref
from engine.sync.sandbox import emitting
from engine.workflows import lineage
from engine.workflows.access import Poll, Wiring
from engine.workflows.dcl_tracking_update import WORKFLOW, Shipped, external_id
from engine.workflows.models import RunRow, RunStatus
from engine.workflows.netsuite_to_dcl import WORKFLOW as SEND
from engine.workflows.rehearsal import Death, When
from engine.workflows.settings import Billing
from tests.contracts.connectors import bench
from tests.engine.workflows.systems import Systems


def sent(systems: Systems, number: int = 0) -> tuple[Any, str]:
    """An order of the platform that is at the warehouse."""
    order, erp_id = systems.sold_on_platform(number)
    for payload in systems.polled(SEND):
        assert systems.rehearse(SEND, payload).row().status == RunStatus.DONE
    return order, erp_id


def left(systems: Systems, number: int = 0) -> tuple[Any, str, Shipped]:
    order, erp_id = sent(systems, number)
    systems.later(hours=3)
    (payload,) = systems.polled(WORKFLOW)
    return order, erp_id, payload


def told(systems: Systems, order: Any) -> list[tuple[list[str], int]]:
    """Tracking numbers and units of each fulfillment that the platform has."""
    shop = systems.merchant.shop.state
    found = shop.orders[int(order.source_id)].fulfillments
    return [([one["number"] for one in each.tracking], sum(line.quantity for line in each.lines)) for each in found]


def test_a_shipment_is_booked_told_and_tagged(systems: Systems) -> None:
    order, erp_id, payload = left(systems)
    run = systems.rehearse(WORKFLOW, payload)

    assert run.row().status == RunStatus.DONE
    (booked,) = systems.records("itemFulfillment")
    assert booked.external_id == external_id(payload.shipment)
    assert systems.erp.sales_order(id=erp_id).status == "F"
    numbers = [one.tracking_number for one in payload.shipment.parcels]
    assert [number for found, _ in told(systems, order) for number in found] == numbers
    assert "SHIPPED" in systems.front.order(order.source_id).tags
    assert (run.row().subject_kind, run.row().subject_ref) == ("order", order.source_ref)
    assert systems.records("cashSale") == []


def test_an_order_that_cannot_be_read_holds_up_no_other(systems: Systems) -> None:
    sent(systems, 0)
    sent(systems, 1)
    systems.later(hours=3)
    bad, good = sorted(systems.at_house())

    def spoil(said: Any) -> None:
        for one in said.get("orders", ()):
            if one["order_number"] == bad:
                one["shipments"] = [{"ship_date": "never"}]

    wiring = Wiring(transport=bench.bent(systems.line, spoil), patience=600.0, sleep=systems.wait)
    poll = Poll(systems.runtime, systems.tenant.id, systems.settings, wiring=wiring, cursor={})
    assert WORKFLOW.poll is not None
    assert {one.shipment.order_ref for one in WORKFLOW.poll(poll)} == {good}
    assert [one.source_id for one in poll.unread] == [bad]


def test_it_may_die_anywhere(systems: Systems) -> None:
    systems.settings = systems.settings.model_copy(update={"billing": Billing.CASH_SALE})
    order, _, payload = left(systems)
    deaths = [Death(when, step) for step in ("find", "fulfil", "sell", "link", "tell", "tag") for when in When]
    run = systems.rehearse(WORKFLOW, payload, deaths=deaths)
    assert (run.row().status, run.lives, deaths) == (RunStatus.DONE, 19, [])
    assert (len(systems.records("itemFulfillment")), len(systems.records("cashSale"))) == (1, 1)
    assert len(told(systems, order)) == len(payload.shipment.parcels)
    with systems.runtime.unit_of_work(systems.tenant.id) as session:
        linked = xref.lineage(
            session, tenant_id=systems.tenant.id, internal_kind=lineage.SOURCE_ORDER, internal_id=order.key
        )
        assert [one.kind for one in linked] == ["salesOrder", "order", "cashSale"]


@pytest.mark.parametrize("kind", ["timeout_after_commit", "timeout_before_commit", "http_503", "connection_reset"])
@pytest.mark.parametrize("system", ["netsuite", "shopify"])
def test_accidents_double_nothing(systems: Systems, system: str, kind: str) -> None:
    order, _, payload = left(systems)
    systems.put(system, kind, match={"method": "POST"}, times=2)
    run = systems.rehearse(WORKFLOW, payload)
    assert run.row().status == RunStatus.DONE
    assert len(systems.records("itemFulfillment")) == 1
    assert len(told(systems, order)) == len(payload.shipment.parcels)


@pytest.mark.parametrize("kind", ["timeout_after_commit", "timeout_before_commit", "connection_reset"])
def test_a_parcel_of_which_nobody_knows_whether_it_was_told_is_looked_for(systems: Systems, kind: str) -> None:
    order, _, payload = left(systems)
    systems.put("shopify", kind, match={"operation": "fulfillmentCreate"}, times=1)
    run = systems.rehearse(WORKFLOW, payload)
    assert run.row().status == RunStatus.DONE
    parcels = payload.shipment.parcels
    assert [numbers for numbers, _ in told(systems, order)] == [[one.tracking_number] for one in parcels]


def test_an_order_that_leaves_in_parts_has_a_run_for_each(systems: Systems) -> None:
    systems.settings = systems.settings.model_copy(update={"billing": Billing.CASH_SALE})
    for item in systems.merchant.house.items.values():
        item.on_hand = 50
    order, erp_id = sent(systems, 1)
    (number,) = systems.at_house()
    emitting.ship(systems.world, systems.merchant, number, short=True)
    (first,) = systems.polled(WORKFLOW)
    systems.rehearse(WORKFLOW, first)
    assert systems.erp.sales_order(id=erp_id).status in {"D", "E"}
    systems.later(hours=3)
    again, second = systems.polled(WORKFLOW)
    assert again.shipment.source_id == first.shipment.source_id
    for payload in (again, second):
        assert systems.rehearse(WORKFLOW, payload).row().status == RunStatus.DONE

    assert len(systems.records("itemFulfillment")) == 2
    assert len(systems.records("cashSale")) == 2
    assert systems.erp.sales_order(id=erp_id).status == "G"
    units = sum(line.quantity for line in order.lines)
    assert sum(count for _, count in told(systems, order)) == units
    numbers = {number for found, _ in told(systems, order) for number in found}
    assert numbers == {one.tracking_number for each in (first, second) for one in each.shipment.parcels}


def test_cartons_under_one_number_are_one_parcel_to_the_shop(systems: Systems) -> None:
    systems.merchant.house.pace.carton_units = 1
    for item in systems.merchant.house.items.values():
        item.on_hand = 50
    order, _, payload = left(systems, 1)
    units = sum(line.quantity for line in order.lines)
    assert len(payload.shipment.parcels) == units > 1
    cartons = [one.model_copy(update={"tracking_number": "1Z-ALL"}) for one in payload.shipment.parcels]
    one_number = payload.model_copy(
        update={"shipment": payload.shipment.model_copy(update={"parcels": tuple(cartons)})}
    )
    run = systems.rehearse(WORKFLOW, one_number, deaths=[Death(When.INSIDE, "tell")])

    assert run.row().status == RunStatus.DONE
    assert {number for numbers, _ in told(systems, order) for number in numbers} == {"1Z-ALL"}
    assert sum(count for _, count in told(systems, order)) == units
    (booked,) = systems.records("itemFulfillment")
    assert sum(int(line.quantity) for line in booked.lines) == units


def test_what_was_handed_over_before_it_was_linked_is_told_where_it_began(systems: Systems) -> None:
    order, erp_id = systems.sold_on_platform()
    with systems.runtime.unit_of_work(systems.tenant.id) as session:
        session.execute(delete(Xref))
    for payload in systems.polled(SEND):
        assert systems.rehearse(SEND, payload).row().status == RunStatus.DONE
    with systems.runtime.unit_of_work(systems.tenant.id) as session:
        lineage.keep_sales_order(session, systems.tenant.id, order, systems.erp.account, erp_id)
    systems.later(hours=3)
    (payload,) = systems.polled(WORKFLOW)

    assert systems.rehearse(WORKFLOW, payload).row().status == RunStatus.DONE
    assert len(told(systems, order)) == len(payload.shipment.parcels)


def test_the_cursor_goes_on_and_looks_a_little_back(systems: Systems) -> None:
    left(systems)
    kept = systems.cursor["modified_at"]
    assert [one.shipment.order_ref for one in systems.polled(WORKFLOW)] != []
    assert systems.cursor["modified_at"] == kept
    systems.settings = systems.settings.model_copy(update={"overlap_seconds": 0})
    systems.cursor["modified_at"] = "2026-11-26T12:00:00+00:00"
    assert systems.polled(WORKFLOW) == []


def test_what_the_warehouse_had_from_somebody_else_is_left_alone(systems: Systems) -> None:
    _, _, payload = left(systems)
    foreign = payload.model_copy(update={"shipment": payload.shipment.model_copy(update={"order_ref": "PHONE-1"})})
    run = systems.rehearse(WORKFLOW, foreign)
    assert run.result == {"skipped": "the warehouse had it from somebody else"}
    assert systems.records("itemFulfillment") == []


def test_who_is_quicker_than_the_answer_to_the_handing_over_is_waited_for(systems: Systems) -> None:
    """The warehouse has the order and ships it; whoever handed it over has not heard that yet, so there is no link."""
    order, _, payload = left(systems)
    with systems.runtime.unit_of_work(systems.tenant.id) as session:
        at_house = session.scalars(select(Xref).where(Xref.external_id == payload.shipment.order_ref)).all()
        kept = [{column.name: getattr(one, column.name) for column in Xref.__table__.columns} for one in at_house]
        session.execute(delete(Xref).where(Xref.external_id == payload.shipment.order_ref))
        begun = update(RunRow).where(RunRow.workflow == SEND.name)
        session.execute(begun.values(status=RunStatus.RUNNING, ended_at=None))
    waiting = systems.rehearse(WORKFLOW, payload)
    assert (waiting.row().status, waiting.result) == (RunStatus.FAILED, {})
    assert told(systems, order) == []

    with systems.runtime.unit_of_work(systems.tenant.id) as session:
        session.add_all(Xref(**one) for one in kept)
    again = systems.rehearse(WORKFLOW, payload)
    assert again.row().status == RunStatus.DONE
    assert len(systems.records("itemFulfillment")) == 1
    assert told(systems, order) != []


def test_a_carrier_is_spelled_as_the_shop_spells_it(systems: Systems) -> None:
    systems.settings = systems.settings.model_copy(update={"carrier_names": {"UPS": "UPS®"}})
    order, _, payload = left(systems)
    systems.rehearse(WORKFLOW, payload)
    found = systems.merchant.shop.state.orders[int(order.source_id)].fulfillments
    assert {one["company"] for each in found for one in each.tracking} == {"UPS®"}
