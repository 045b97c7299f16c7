"""Goods that are to come are announced to the warehouse; what came is booked once, here and in the books."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from engine.catalog.models import Variant
from engine.inventory.models import Inbound, InboundLine, Location, StockLevel
from engine.sync.canonical import Receipt, ReceiptLine
from engine.sync.models import System
from engine.sync.sandbox import emitting
from engine.workflows import dcl_po_notification, dcl_po_receipt
from engine.workflows.dcl_po_notification import Announce
from engine.workflows.dcl_po_receipt import Received
from engine.workflows.models import RunMode, RunStatus
from engine.workflows.rehearsal import Death, Rehearsal, When
from tests.contracts.connectors import bench
from tests.engine.fulfillment.conftest import Warehouse
from tests.sync.workflows.pipes import Pipes

ANNOUNCE, RECEIVE = dcl_po_notification.WORKFLOW, dcl_po_receipt.WORKFLOW


def bought(pipes: Pipes, *lines: tuple[str, int], place: str = "RNO") -> Any:
    return emitting.purchase(pipes.world, pipes.merchant, lines=lines, location=place)


def expects(pipes: Pipes) -> dict[str, list[tuple[int, str, int]]]:
    """What the warehouse was told, by number."""
    return {
        number: [(int(row["line_number"]), row["item_number"], int(row["quantity"])) for row in one.lines]
        for number, one in pipes.merchant.house.expected.items()
    }


def announced(pipes: Pipes, *lines: tuple[str, int]) -> Any:
    """A purchase that the warehouse knows of."""
    order = bought(pipes, *lines)
    for payload in pipes.poll(ANNOUNCE):
        assert pipes.play(ANNOUNCE, payload).row().status == RunStatus.DONE
    return order


def test_what_is_to_come_is_announced_and_marked(pipes: Pipes) -> None:
    one, two = pipes.skus(2)
    order = bought(pipes, (one, 40), (two, 25))
    found = pipes.poll(ANNOUNCE)
    assert [(row.kind, row.order_id) for row in found] == [("purchase", str(order.id))]
    run = pipes.play(ANNOUNCE, found[0])

    number = order.fields["tranId"]
    assert (run.row().status, run.result["amended"]) == (RunStatus.DONE, False)
    assert expects(pipes) == {number: [(1, one, 40), (2, two, 25)]}
    assert order.fields["custbody_asn_sent"] is True
    assert pipes.poll(ANNOUNCE) == []
    link = pipes.link(System.DCL, "announcement", number, pipes.merchant.house.account_number)
    assert link.internal_id == f"netsuite:{pipes.erp.account}:{order.id}"


def test_a_transfer_that_left_is_announced_by_its_number(pipes: Pipes) -> None:
    sku = pipes.skus()[0]
    order = emitting.transfer(pipes.world, pipes.merchant, lines=[(sku, 1)], source="CMH", target="RNO")
    run = pipes.play(ANNOUNCE, pipes.poll(ANNOUNCE)[0])

    assert run.row().status == RunStatus.DONE
    assert expects(pipes) == {order.fields["tranId"]: [(1, sku, 1)]}


def test_goods_for_another_place_are_none_of_the_warehouses(pipes: Pipes) -> None:
    pipes.warehouse_at()
    sku = pipes.skus()[0]
    bought(pipes, (sku, 5), place="CMH")
    emitting.transfer(pipes.world, pipes.merchant, lines=[(sku, 1)], source="RNO", target="CMH")
    here = bought(pipes, (sku, 7))

    assert [one.order_id for one in pipes.poll(ANNOUNCE)] == [str(here.id)]


def test_what_changed_since_is_announced_anew_under_its_number(pipes: Pipes) -> None:
    one, two = pipes.skus(2)
    order = announced(pipes, (one, 40), (two, 25))
    pipes.world.advance(timedelta(hours=1))
    lines = [{"line": 1, "quantity": 60}]
    pipes.erp._account.records.change("purchaseOrder", str(order.id), {"item": {"items": lines}})
    found = pipes.poll(ANNOUNCE)
    run = pipes.play(ANNOUNCE, found[0])

    assert (len(found), run.result["amended"]) == (1, True)
    assert expects(pipes)[order.fields["tranId"]] == [(1, one, 60), (2, two, 25)]
    assert pipes.poll(ANNOUNCE) == []


def test_a_change_that_is_none_to_the_warehouse_is_not_announced(pipes: Pipes) -> None:
    order = announced(pipes, (pipes.skus()[0], 40))
    pipes.world.advance(timedelta(hours=1))
    pipes.erp.flag("purchaseOrder", str(order.id), {"custbody_source": "web"})
    run = pipes.play(ANNOUNCE, pipes.poll(ANNOUNCE)[0])

    assert "skipped" in run.result
    assert pipes.merchant.house.expected[order.fields["tranId"]].version == 1
    assert pipes.poll(ANNOUNCE) == []


def test_what_somebody_marked_by_hand_is_left_alone(pipes: Pipes) -> None:
    order = bought(pipes, (pipes.skus()[0], 40))
    pipes.erp.flag("purchaseOrder", str(order.id), {"custbody_asn_sent": True})
    assert pipes.poll(ANNOUNCE) == []


@pytest.mark.parametrize("when", When)
@pytest.mark.parametrize("step", ["announce", "mark", "link"])
def test_whenever_it_dies_it_is_announced_as_it_is(pipes: Pipes, when: When, step: str) -> None:
    sku = pipes.skus()[0]
    order = bought(pipes, (sku, 40))
    run = pipes.play(ANNOUNCE, pipes.poll(ANNOUNCE)[0], deaths=[Death(when, step)])

    assert (run.lives, run.row().status) == (2, RunStatus.DONE)
    assert expects(pipes) == {order.fields["tranId"]: [(1, sku, 40)]}
    assert pipes.poll(ANNOUNCE) == []


def test_what_came_before_anybody_heard_that_it_was_announced_is_not_announced(pipes: Pipes) -> None:
    """Whoever announced it was not answered, and is retried when the goods are there."""
    order = bought(pipes, (pipes.skus()[0], 40))
    payload = pipes.poll(ANNOUNCE)[0]
    pipes.put("dcl", "timeout_after_commit", times=1_000)
    assert pipes.play(ANNOUNCE, payload).row().status == RunStatus.FAILED
    pipes.world.ground.faults.clear()
    done(pipes.play(RECEIVE, came(pipes, order)))
    run = pipes.play(ANNOUNCE, payload)

    assert (run.row().status, run.row().error) == (RunStatus.DONE, "")
    assert run.result == {"skipped": "nothing of it is to come", "number": ""}
    assert expects(pipes)[order.fields["tranId"]] == [(1, pipes.skus()[0], 40)]


def test_an_order_that_is_gone_is_not_announced(pipes: Pipes) -> None:
    run = pipes.play(ANNOUNCE, Announce(kind="purchase", order_id="999", changed_at="x"))
    assert (run.row().status, expects(pipes)) == (RunStatus.DONE, {})


def came(pipes: Pipes, order: Any, quantities: dict[int, int] | None = None) -> Received:
    emitting.receive(pipes.world, pipes.merchant, order.fields["tranId"], quantities)
    return pipes.poll(RECEIVE)[-1]


def received(order: Any) -> list[int]:
    return [int(line.done) for line in order.lines]


def ours(pipes: Pipes, sku: str) -> int:
    with pipes.shop.uow() as session:
        query = (
            select(StockLevel.on_hand)
            .join(Variant, (Variant.tenant_id == StockLevel.tenant_id) & (Variant.id == StockLevel.variant_id))
            .where(StockLevel.tenant_id == pipes.tenant_id, Variant.sku == sku, StockLevel.on_hand != 0)
        )
        return sum(session.scalars(query))


def done(run: Rehearsal) -> dict[str, Any]:
    assert run.row().status == RunStatus.DONE, run.row().error
    return run.result


def test_what_came_is_booked_as_counted(pipes: Pipes) -> None:
    one, two = pipes.skus(2)
    order = announced(pipes, (one, 40), (two, 25))
    there = pipes.on_hand(one)
    payload = came(pipes, order)
    told = done(pipes.play(RECEIVE, payload))

    booked = pipes.kind("itemReceipt")
    assert [made.external_id for made in booked] == [f"DCL-{payload.receipt.account}-{payload.receipt.ref}"]
    assert (told["receipt"], told["closed"], told["refused"]) == (str(booked[0].id), [], {})
    assert (received(order), order.status, pipes.on_hand(one)) == ([40, 25], "F", there + 40)
    assert pipes.queue() == []


def test_two_receipts_of_one_purchase_are_two_bookings(pipes: Pipes) -> None:
    order = announced(pipes, (pipes.skus()[0], 40))
    pipes.rule(receipt_tolerance_percent=0)
    first = came(pipes, order, {1: 30})
    done(pipes.play(RECEIVE, first))
    assert pipes.faults() == [("lines.1", f"10 of {pipes.skus()[0]} did not come")]
    done(pipes.play(RECEIVE, came(pipes, order, {1: 10})))

    assert (received(order), order.status, len(pipes.kind("itemReceipt"))) == ([40], "F", 2)


def test_what_comes_short_within_tolerance_closes_its_line(pipes: Pipes) -> None:
    order = announced(pipes, (pipes.skus()[0], 40))
    pipes.rule(receipt_tolerance_percent=5)
    told = done(pipes.play(RECEIVE, came(pipes, order, {1: 38})))

    assert (told["closed"], order.lines[0].closed, pipes.queue()) == ([1], True, [])


@pytest.mark.parametrize("closes", [True, False])
def test_what_comes_short_beyond_it_is_for_a_person(pipes: Pipes, closes: bool) -> None:
    sku = pipes.skus()[0]
    order = announced(pipes, (sku, 40))
    pipes.rule(receipt_tolerance_percent=5, close_short=closes)
    told = done(pipes.play(RECEIVE, came(pipes, order, {1: 30})))

    assert pipes.faults() == [("lines.1", f"10 of {sku} did not come")]
    assert (told["closed"], order.lines[0].closed, received(order)) == ([1] if closes else [], closes, [30])


def over(pipes: Pipes, order: Any, sku: str, quantity: int) -> Received:
    """More than was announced: the emulated warehouse itself counts no more than that."""
    line = ReceiptLine(line=1, sku=sku, quantity=quantity)
    account = pipes.merchant.house.account_number
    head = {"source": "dcl", "account": account, "source_id": "R-9", "ref": "R-9", "at": bench.START}
    return Received(receipt=Receipt(**head, purchase_ref=order.fields["tranId"], lines=(line,)))


def test_more_than_the_erp_takes_is_booked_as_far_as_it_was_ordered(pipes: Pipes) -> None:
    sku = pipes.skus()[0]
    order = announced(pipes, (sku, 40))
    told = done(pipes.play(RECEIVE, over(pipes, order, sku, 43)))

    assert (received(order), told["refused"]) == ([40], {"1": 3})
    assert pipes.faults() == [("lines.1", "3 more came than the ERP takes")]


def test_more_within_tolerance_is_taken_where_the_erp_does(pipes: Pipes) -> None:
    sku = pipes.skus()[0]
    pipes.merchant.account.allow_overage = True
    pipes.rule(receipt_tolerance_percent=10)
    order = announced(pipes, (sku, 40))
    done(pipes.play(RECEIVE, over(pipes, order, sku, 43)))
    assert (received(order), pipes.queue()) == ([43], [])
    other = announced(pipes, (sku, 10))
    payload = over(pipes, other, sku, 12)
    again = payload.receipt.model_copy(update={"ref": "R-10", "source_id": "R-10"})
    done(pipes.play(RECEIVE, payload.model_copy(update={"receipt": again})))
    assert pipes.faults() == [("lines.1", f"2 more of {sku} than ordered")]


def test_goods_that_nobody_ordered_are_for_a_person(pipes: Pipes) -> None:
    one, two = pipes.skus(2)
    order = announced(pipes, (one, 40))
    strange = over(pipes, order, two, 1)
    unknown = strange.receipt.model_copy(update={"purchase_ref": "PO-none", "ref": "R-8"})

    assert pipes.play(RECEIVE, strange).row().status == RunStatus.FAILED
    assert pipes.play(RECEIVE, Received(receipt=unknown)).row().status == RunStatus.FAILED
    assert sorted(pipes.faults()) == [
        (f"lines.{two}", "1 came, and none were ordered"),
        ("purchase_ref", "PO-none is no purchase of the ERP"),
    ]
    assert pipes.kind("itemReceipt") == []


@pytest.mark.parametrize("when", When)
@pytest.mark.parametrize("step", ["resolve", "receive", "shelf", "compare"])
def test_whenever_it_dies_goods_come_once(pipes: Pipes, when: When, step: str) -> None:
    sku = pipes.skus()[0]
    pipes.shop.add(sku, stock={"EAST": 1})
    pipes.warehouse_at("EAST")
    order = announced(pipes, (sku, 40))
    there = pipes.on_hand(sku)
    run = pipes.play(RECEIVE, came(pipes, order), deaths=[Death(when, step)])

    assert (run.lives, run.row().status) == (2, RunStatus.DONE)
    assert (received(order), pipes.on_hand(sku), ours(pipes, sku)) == ([40], there + 40, 41)


def test_a_booking_in_doubt_is_looked_for(pipes: Pipes) -> None:
    order = announced(pipes, (pipes.skus()[0], 40))
    rule = pipes.put("netsuite", "timeout_after_commit", match={"operation": "purchaseOrder!itemReceipt"})
    run = pipes.play(RECEIVE, came(pipes, order))

    assert (rule.struck, run.row().status, received(order)) == (1, RunStatus.DONE, [40])
    assert len(pipes.kind("itemReceipt")) == 1


def test_an_answer_of_before_does_not_make_a_shortage(pipes: Pipes) -> None:
    order = announced(pipes, (pipes.skus()[0], 40))
    payload = came(pipes, order)
    rule = pipes.put("netsuite", "stale_read", match={"operation": "purchaseOrder", "method": "GET"}, nth=3)
    done(pipes.play(RECEIVE, payload))

    assert (rule.struck, received(order), pipes.queue()) == (1, [40], [])


def test_our_own_shelf_is_raised_at_what_the_goods_cost(pipes: Pipes) -> None:
    one, two = pipes.skus(2)
    pipes.shop.add(one, stock={"EAST": 1})
    pipes.warehouse_at("EAST")
    order = announced(pipes, (one, 4), (two, 2))
    told = done(pipes.play(RECEIVE, came(pipes, order)))

    assert (told["shelf"]["units"], told["shelf"]["unknown"]) == ({one: 4}, [two])
    assert ours(pipes, one) == 5
    rate = int(order.lines[0].fields["rate"] * 100)
    with pipes.shop.uow() as session:
        query = select(InboundLine.unit_cost).where(InboundLine.tenant_id == pipes.tenant_id)
        assert list(session.scalars(query)) == [rate]


def test_a_shelf_that_is_not_there_leaves_no_half_booking(pipes: Pipes) -> None:
    sku = pipes.skus()[0]
    pipes.shop.add(sku, stock={"EAST": 1})
    pipes.warehouse_at("NOWHERE")
    order = announced(pipes, (sku, 40))
    payload = came(pipes, order)
    run = pipes.play(RECEIVE, payload)

    assert (run.row().status, received(order), pipes.kind("itemReceipt")) == (RunStatus.FAILED, [0], [])
    assert pipes.faults() == [("location", "NOWHERE is no location")]
    pipes.warehouse_at("EAST")
    assert done(pipes.play(RECEIVE, payload))["receipt"]
    assert (received(order), ours(pipes, sku)) == ([40], 41)


def test_a_receipt_that_was_none_is_taken_back_everywhere(pipes: Pipes) -> None:
    sku = pipes.skus()[0]
    pipes.shop.add(sku, stock={"EAST": 1})
    pipes.warehouse_at("EAST")
    order = announced(pipes, (sku, 4))
    payload = came(pipes, order)
    done(pipes.play(RECEIVE, payload))
    assert ours(pipes, sku) == 5
    back = payload.model_copy(update={"reverse": True})
    told = done(pipes.play(RECEIVE, back, deaths=[Death(When.INSIDE, "take off the shelf")]))

    assert (told["reversed"], received(order), ours(pipes, sku)) == (True, [0], 1)
    assert pipes.kind("itemReceipt") == []


def test_a_receipt_is_taken_back_where_it_was_put_and_as_it_was_posted(pipes: Pipes) -> None:
    sku = pipes.skus()[0]
    pipes.shop.add(sku, stock={"EAST": 1, "WEST": 9})
    pipes.warehouse_at("EAST")
    order = announced(pipes, (sku, 4))
    house, before = Warehouse(pipes.shop), Warehouse(pipes.shop).books()
    payload = came(pipes, order)
    done(pipes.play(RECEIVE, payload))
    assert house.books() != before
    pipes.warehouse_at("WEST")  # the settings say otherwise since, and what the goods cost now as well
    with pipes.shop.uow() as session:
        session.get_one(Variant, (pipes.tenant_id, pipes.shop.variants[sku])).cost = 1
    told = done(pipes.play(RECEIVE, payload.model_copy(update={"reverse": True})))

    assert (told["shelf"], at_places(pipes, sku)) == ({sku: -4}, {"EAST": 1, "WEST": 9})
    assert (house.books(), house.broken()) == (before, [])
    with pipes.shop.uow() as session:
        (row,) = session.scalars(select(Inbound)).all()
        assert row.status == "canceled"
    pipes.warehouse_at("")
    assert done(pipes.play(RECEIVE, payload.model_copy(update={"reverse": True})))["reversed"] is False
    assert at_places(pipes, sku) == {"EAST": 1, "WEST": 9}


def test_what_is_promised_of_a_receipt_is_not_taken_back(pipes: Pipes) -> None:
    sku = pipes.skus()[0]
    pipes.shop.add(sku, stock={"EAST": 1})
    pipes.warehouse_at("EAST")
    order = announced(pipes, (sku, 4))
    payload = came(pipes, order)
    done(pipes.play(RECEIVE, payload))
    house = Warehouse(pipes.shop)
    house.buy(**{sku: 3})
    before = house.books()
    run = pipes.play(RECEIVE, payload.model_copy(update={"reverse": True}))

    assert (run.row().status, at_places(pipes, sku), received(order)) == (RunStatus.FAILED, {"EAST": 5}, [4])
    assert (house.books(), house.broken()) == (before, [])


def at_places(pipes: Pipes, sku: str) -> dict[str, int]:
    """On hand, by place."""
    with pipes.shop.uow() as session:
        query = (
            select(Location.code, StockLevel.on_hand)
            .join(Variant, (Variant.tenant_id == StockLevel.tenant_id) & (Variant.id == StockLevel.variant_id))
            .join(Location, (Location.tenant_id == StockLevel.tenant_id) & (Location.id == StockLevel.location_id))
            .where(StockLevel.tenant_id == pipes.tenant_id, Variant.sku == sku, StockLevel.on_hand != 0)
        )
        return dict(session.execute(query.order_by(Location.code)).all())


def test_in_the_shadow_nothing_comes(pipes: Pipes) -> None:
    sku = pipes.skus()[0]
    pipes.shop.add(sku, stock={"EAST": 1})
    pipes.warehouse_at("EAST")
    order = announced(pipes, (sku, 4))
    run = pipes.play(RECEIVE, came(pipes, order), mode=RunMode.SHADOW)

    assert run.row().status == RunStatus.DONE
    assert (received(order), ours(pipes, sku), pipes.queue()) == ([0], 1, [])


def test_a_poll_goes_on_where_the_last_one_got_to(pipes: Pipes) -> None:
    order = announced(pipes, (pipes.skus()[0], 40))
    cursor: dict[str, Any] = {}
    emitting.receive(pipes.world, pipes.merchant, order.fields["tranId"], {1: 10})
    first = pipes.poll(RECEIVE, cursor)
    pipes.world.advance(timedelta(hours=3))
    emitting.receive(pipes.world, pipes.merchant, order.fields["tranId"], {1: 10})
    second = pipes.poll(RECEIVE, cursor)

    assert [one.receipt.ref for one in second] == [first[0].receipt.ref, second[1].receipt.ref]  # a little before
    assert cursor == {"received_at": second[1].receipt.at.isoformat()}
    pipes.world.advance(timedelta(hours=3))
    assert [one.receipt.ref for one in pipes.poll(RECEIVE, cursor)] == [second[1].receipt.ref]
