"""shopifyToNetsuite: one sales order for an order, equal to it, however it comes about."""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, select

from engine.sync.connectors.netsuite.wire import SalesOrderBody
from engine.sync.models import System, Xref
from engine.sync.recording import Recording
from engine.sync.sandbox import emitting
from engine.sync.sandbox.netsuite.state import Record
from engine.sync.sandbox.shopify import changing
from engine.sync.sandbox.shopify.bodies import order_body
from engine.sync.sandbox.shopify.state import Order
from engine.sync.work_models import Delivery
from engine.workflows import lineage, sales_order
from engine.workflows import shopify_to_netsuite as w1
from engine.workflows.models import RunMode, RunRow
from engine.workflows.rehearsal import Death, Rehearsal, When
from engine.workflows.shopify_to_netsuite import TakeOrder
from tests.contracts.connectors import bench
from tests.contracts.connectors.calls_shopify import TENT, basket, money, variant
from tests.engine.workflows.pipeline_scene import Pipeline

W1 = w1.WORKFLOW
STEPS = ["look", "items", "customer", "sales order", "link", "tag", "look again"]


def goods(pipeline: Pipeline, **more: Any) -> dict[str, Any]:
    """A basket of things that the ERP knows, paid in full."""
    tent = variant(pipeline.merchant, TENT)
    tax = [{"title": "CO", "rate": "0.029"}]
    lines = [{"variantId": tent.gid, "quantity": 2, "taxLines": tax, "requiresShipping": True}]
    return basket(pipeline.merchant, lineItems=lines) | more


def place(pipeline: Pipeline, **more: Any) -> Order:
    return emitting.place_order(pipeline.world, pipeline.merchant, goods(pipeline, **more))


def payload(pipeline: Pipeline, order: Order, change: str = "") -> TakeOrder:
    return TakeOrder(
        connection_id=next(iter(pipeline.connections.values())),
        account=pipeline.merchant.credentials.shop_domain,
        source_id=str(order.id),
        source_ref=order.name,
        change=change,
    )


def take(pipeline: Pipeline, order: Order, **how: Any) -> Rehearsal:
    change = how.pop("change", "")
    return pipeline.play(W1, payload(pipeline, order, change), **how)


def the_order(pipeline: Pipeline) -> Record:
    [found] = pipeline.records("salesOrder")
    return found


def pieces(pipeline: Pipeline, record: Record) -> Counter[str]:
    """Goods of a sales order by SKU."""
    found = pipeline.access().erp().sales_order(id=str(record.id))
    assert found is not None
    charges = {"SALES-TAX", "SHOP-DISCOUNT"}
    return Counter({line.sku: line.quantity for line in found.lines if line.sku and line.sku not in charges})


def status(pipeline: Pipeline) -> str:
    found = pipeline.access().erp().sales_order(id=str(the_order(pipeline).id))
    assert found is not None
    return found.status


def again(pipeline: Pipeline, order: Order) -> TakeOrder | None:
    """What a poll would make of it now."""
    access = pipeline.access()
    store = access.storefront(payload(pipeline, order).connection_id)
    return w1.payload_of(access, payload(pipeline, order).connection_id, store.order(str(order.id)))


def test_an_order_is_a_sales_order_that_comes_to_the_same(pipeline: Pipeline) -> None:
    order = place(pipeline, note="Leave at the door")

    run = take(pipeline, order)

    assert (run.row().status, pipeline.exceptions()) == ("done", [])
    made = the_order(pipeline)
    assert made.external_id == f"SHOP-summit-outdoor-{order.id}"
    assert made.fields["otherRefNum"] == order.name
    assert made.fields["custbody_shopify_order_id"] == str(order.id)
    assert made.fields["memo"] == "Leave at the door"
    assert pieces(pipeline, made) == {TENT: 2}
    erp = pipeline.access().erp().sales_order(id=str(made.id))
    shop = pipeline.access().storefront().order(str(order.id))
    assert erp is not None
    assert (erp.total, erp.status, erp.email) == (shop.total, "B", "maya@example.com")
    assert erp.ship_to == shop.ship_to
    assert [line.source_line_id for line in erp.lines if line.sku == TENT] == [str(order.lines[0].id)]
    assert order.tags == ["SENT_TO_NS"]
    [customer] = pipeline.records("customer")
    assert (customer.external_id, customer.fields["lastName"]) == (
        f"SHOP-summit-outdoor-C{order.customer.id if order.customer else ''}",
        "Lindqvist",
    )


def test_it_is_linked_and_not_done_again(pipeline: Pipeline) -> None:
    order = place(pipeline)
    take(pipeline, order)
    made = the_order(pipeline)

    with pipeline.uow() as session:
        account = pipeline.merchant.credentials.netsuite_account
        origin = lineage.origin_of(session, pipeline.tenant.id, account, str(made.id))
    assert origin is not None
    assert (origin.system, origin.source_id) == ("shopify", str(order.id))
    assert again(pipeline, order) is None  # our own tag changed it: that is nothing to the ERP
    second = take(pipeline, order, change="whatever")
    assert second.result == {"skipped": "the ERP has it as it is"}
    assert len(pipeline.records("salesOrder")) == 1


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"test": True}, "it is a test"),
        (
            {"lineItems": [{"title": "Card", "quantity": 1, "giftCard": True, "priceSet": money("50.00")}]},
            "it is gift cards alone",
        ),
    ],
)
def test_what_is_no_sale_of_goods_is_passed_over(pipeline: Pipeline, more: dict[str, Any], why: str) -> None:
    order = place(pipeline, **more)
    assert take(pipeline, order).result == {"skipped": why}
    assert (pipeline.records("salesOrder"), order.tags, again(pipeline, order)) == ([], [], None)


def test_a_canceled_one_is_passed_over(pipeline: Pipeline) -> None:
    order = place(pipeline)
    emitting.cancel_order(pipeline.world, pipeline.merchant, order.name)
    assert take(pipeline, order).result == {"skipped": "it is canceled"}
    assert pipeline.records("salesOrder") == []


def test_a_sku_that_the_erp_has_not_is_for_a_person_by_its_line(pipeline: Pipeline) -> None:
    wrap = {"title": "Gift wrap", "quantity": 1, "priceSet": money("3.00")}
    lines = [*goods(pipeline)["lineItems"], wrap, wrap | {"sku": "NOPE-1"}]
    order = place(pipeline, lineItems=lines)

    run = take(pipeline, order)

    assert run.row().status == "failed"
    [row] = pipeline.exceptions()
    assert {(one["path"], one["message"]) for one in row.fields} == {
        ("lines.1.sku", "the line has no SKU"),
        ("lines.2.sku", "NOPE-1 is no item of the ERP"),
    }
    assert (pipeline.records("salesOrder"), pipeline.records("customer"), order.tags) == ([], [], [])


def test_canceled_meanwhile_closes_the_sales_order(pipeline: Pipeline) -> None:
    order = place(pipeline)
    line = bench.line_to(pipeline.world)
    inner = line.handle_request

    def call_off(request: Any) -> Any:
        if b"tagsAdd" in request.content and order.cancelled_at is None:
            emitting.cancel_order(pipeline.world, pipeline.merchant, order.name)
        return inner(request)

    line.handle_request = call_off  # type: ignore[method-assign]
    run = take(pipeline, order, transport=line)

    assert (run.row().status, run.result["closed"], status(pipeline)) == ("done", True, "H")
    assert again(pipeline, order) is None


def test_canceled_later_is_a_run_of_its_own(pipeline: Pipeline) -> None:
    order = place(pipeline)
    take(pipeline, order)
    emitting.cancel_order(pipeline.world, pipeline.merchant, order.name)

    found = again(pipeline, order)

    assert found is not None
    assert found.change.startswith("canceled-")
    assert W1.key(found) != W1.key(payload(pipeline, order))
    run = pipeline.play(W1, found)
    assert (run.row().status, status(pipeline), again(pipeline, order)) == ("done", "H", None)


def test_what_was_taken_off_an_order_is_taken_off_the_sales_order(pipeline: Pipeline) -> None:
    order = place(pipeline)
    take(pipeline, order)
    pipeline.merchant.shop.begin_act()
    rows = [{"lineItemId": order.lines[0].gid, "quantity": 1, "restockType": "CANCEL"}]
    changing.refund_create(pipeline.merchant.shop, {"input": {"orderId": order.gid, "refundLineItems": rows}})

    found = again(pipeline, order)
    assert found is not None
    run = pipeline.play(W1, found)

    assert (run.row().status, run.result["changed"]) == ("done", True)
    assert (pieces(pipeline, the_order(pipeline)), again(pipeline, order)) == ({TENT: 1}, None)


def test_what_is_changed_back_and_once_more_is_a_change_each_time(pipeline: Pipeline) -> None:
    order, keys, there = place(pipeline), [], []
    take(pipeline, order)
    streets = ["12 Pine", "8 Oak", "12 Pine", "8 Oak"]
    for street in streets:
        pipeline.hands.move(timedelta(minutes=1))
        assert order.shipping_address is not None
        order.shipping_address = order.shipping_address | {"address1": street}
        found = again(pipeline, order)
        assert found is not None
        keys.append(W1.key(found))
        assert pipeline.play(W1, found).row().status == "done"
        erp = pipeline.access().erp().sales_order(id=str(the_order(pipeline).id))
        assert erp is not None
        assert erp.ship_to is not None
        there.append(erp.ship_to.line_one)
        assert again(pipeline, order) is None
    assert there == streets
    assert len(set(keys)) == len(keys)  # a key that was used begins nothing


@pytest.mark.parametrize("linked", [False, True])
def test_what_changed_while_another_run_wrote_it_is_written_last(pipeline: Pipeline, linked: bool) -> None:
    """The word of a change begins nothing before the order is linked, and a run that is over before an older one writes
    helps nobody.
    """
    order = place(pipeline)
    line = bench.line_to(pipeline.world)
    inner, told = line.handle_request, list[TakeOrder | None]()

    def change_meanwhile(request: Any) -> Any:
        if request.method == "PUT" and "salesOrder" in str(request.url) and not told:
            assert order.shipping_address is not None
            order.shipping_address = order.shipping_address | {"address1": "8 Oak"}
            told.append(again(pipeline, order))
            if linked:
                assert take(pipeline, order, change="v2").row().status == "done"
        return inner(request)

    line.handle_request = change_meanwhile  # type: ignore[method-assign]
    run = take(pipeline, order, transport=line)
    assert run.row().status == "done"
    assert linked or (told[0] and told[0].change == "")  # the key of the run that is under way
    with pipeline.uow() as session:
        row = session.scalars(select(RunRow).where(RunRow.trigger == f"run:{run.row().id}")).one()
    after = pipeline.play(W1, TakeOrder.model_validate(row.payload))
    assert (after.row().status, after.result["changed"]) == ("done", True)
    erp = pipeline.access().erp().sales_order(id=str(the_order(pipeline).id))
    assert erp is not None
    assert erp.ship_to is not None
    assert (erp.ship_to.line_one, again(pipeline, order)) == ("8 Oak", None)
    assert pipeline.exceptions() == []


@pytest.mark.parametrize("when", list(When))
@pytest.mark.parametrize("step", STEPS)
def test_wherever_it_dies_there_is_one_sales_order(pipeline: Pipeline, step: str, when: When) -> None:
    order = place(pipeline)
    run = take(pipeline, order, deaths=[Death(when, step)])
    assert (run.row().status, run.lives, pipeline.exceptions()) == ("done", 2, [])
    assert (pieces(pipeline, the_order(pipeline)), order.tags) == ({TENT: 2}, ["SENT_TO_NS"])
    assert len(pipeline.records("customer")) == 1


@pytest.mark.parametrize(
    ("system", "kind", "operation"),
    [
        ("netsuite", "timeout_after_commit", "salesOrder"),
        ("netsuite", "timeout_before_commit", "salesOrder"),
        ("netsuite", "timeout_after_commit", "customer"),
        ("netsuite", "concurrency_exceeded", "salesOrder"),
        ("shopify", "timeout_after_commit", "tagsAdd"),
        ("shopify", "throttled_points", "order"),
        ("shopify", "http_503", "order"),
    ],
)
def test_accidents_leave_one_sales_order(pipeline: Pipeline, system: str, kind: str, operation: str) -> None:
    order = place(pipeline)
    rule = pipeline.put(system, kind, match={"operation": operation})
    run = take(pipeline, order)
    assert (run.row().status, rule.struck > 0) == ("done", True)
    assert (pieces(pipeline, the_order(pipeline)), order.tags) == ({TENT: 2}, ["SENT_TO_NS"])


def test_a_poll_fills_gaps_and_goes_on_from_where_it_was(pipeline: Pipeline) -> None:
    pipeline.world.advance(timedelta(minutes=5))
    pipeline.hands.move(timedelta(minutes=5))
    first = place(pipeline)
    at = bench.START + timedelta(hours=1)
    assert W1.poll is not None
    poll = pipeline.poll(slot=at)

    found = list(W1.poll(poll))

    assert [(one.source_id, one.change) for one in found] == [(str(first.id), "")]
    take(pipeline, first)
    pipeline.world.advance(timedelta(hours=1))
    second = place(pipeline)
    later = pipeline.poll(slot=at + timedelta(hours=1), cursor=dict(poll.cursor))
    assert [one.source_id for one in W1.poll(later)] == [str(second.id)]
    assert later.cursor[payload(pipeline, first).connection_id] > poll.cursor[payload(pipeline, first).connection_id]


def test_an_order_that_cannot_be_read_holds_up_no_other_and_is_told_once(pipeline: Pipeline) -> None:
    bad, good = place(pipeline), place(pipeline)
    pipeline.world.advance(timedelta(minutes=5))
    pipeline.hands.move(timedelta(minutes=5))
    line = bench.bent(bench.line_to(pipeline.world), lambda said: spoil(said, bad))

    def polled(cursor: dict[str, Any]) -> tuple[list[TakeOrder], dict[str, Any]]:
        poll = pipeline.poll(slot=bench.START + timedelta(hours=1), cursor=cursor)
        poll.wiring.transport = line
        assert W1.poll is not None
        return list(W1.poll(poll)), poll.cursor

    found, cursor = polled({})

    assert [(one.source_id, one.change.partition("-")[0]) for one in found] == [
        (str(good.id), ""),
        (str(bad.id), "unread"),
    ]
    assert datetime.fromisoformat(cursor[found[0].connection_id]) >= good.updated_at
    assert polled(dict(cursor))[0] == found  # the same runs: begun once
    run = pipeline.play(W1, found[1], transport=line)
    assert (run.row().status, run.row().error_code) == ("failed", "vendor_rejected")
    [told] = pipeline.exceptions()
    assert [one["path"] for one in told.fields] == ["name"]
    assert (pipeline.play(W1, found[1]).row().status, len(pipeline.records("salesOrder"))) == ("done", 1)


def spoil(said: Any, order: Order) -> None:
    """The order has no name any more."""
    data = said.get("data") or {}
    for one in [data.get("order"), *(data.get("orders") or {}).get("nodes", ())]:
        if one and one["id"] == order.gid:
            one["name"] = None


def test_a_letter_begins_it_and_a_stale_one_does_no_harm(pipeline: Pipeline) -> None:
    order = place(pipeline)
    connection_id = payload(pipeline, order).connection_id
    body = json.dumps(order_body(order)).encode()
    letter = Delivery(topic="orders/create", body=body, connection_id=connection_id)
    assert W1.from_delivery is not None

    found = list(W1.from_delivery(pipeline.access(), letter))
    assert found == [payload(pipeline, order)]
    take(pipeline, order)
    assert list(W1.from_delivery(pipeline.access(), letter)) == []

    emitting.cancel_order(pipeline.world, pipeline.merchant, order.name)
    canceled = again(pipeline, order)
    assert canceled is not None
    pipeline.play(W1, canceled)
    [stale] = W1.from_delivery(pipeline.access(), letter)  # as it was before: told late
    assert pipeline.play(W1, stale).result == {"skipped": "the ERP has it as it is"}
    assert status(pipeline) == "H"


def test_the_default_map_fits_its_target() -> None:
    assert sales_order.default().target is SalesOrderBody
    assert W1.undo.keys() == {"sales order"}


def test_in_the_shadow_all_is_written_down_and_nothing_is_done(pipeline: Pipeline) -> None:
    order = place(pipeline)
    shadow = Recording()
    run = take(pipeline, order, mode=RunMode.SHADOW, shadow=shadow)

    assert (run.row().status, run.row().error) == ("done", "")
    assert (pipeline.records("salesOrder"), pipeline.records("customer"), order.tags) == ([], [], [])
    written = [one for one in shadow.requests if not one.reads]
    assert [one.path.rpartition("/")[2].partition(":")[0] for one in written] == ["eid", "eid", "graphql.json"]
    again_ = take(pipeline, order)
    assert (again_.row().status, len(pipeline.records("salesOrder"))) == ("done", 1)


def lost_after_its_tag(pipeline: Pipeline, order: Order) -> Any:
    """A line by which the order is gone from the shop as soon as it is tagged: what follows is refused."""
    line = bench.line_to(pipeline.world)
    inner = line.handle_request

    def lose(request: Any) -> Any:
        answer = inner(request)
        if b"tagsAdd" in request.content:
            pipeline.merchant.shop.state.orders.pop(order.id, None)
        return answer

    line.handle_request = lose  # type: ignore[method-assign]
    return line


@pytest.mark.parametrize("when", [None, When.BEFORE, When.INSIDE, When.AFTER])
def test_what_the_run_made_is_taken_back(pipeline: Pipeline, when: When | None) -> None:
    order = place(pipeline)
    deaths = [Death(when, "sales order")] if when else []
    run = take(pipeline, order, transport=lost_after_its_tag(pipeline, order), deaths=deaths)
    assert (run.row().status, run.row().error_code, status(pipeline)) == ("failed", "vendor_rejected", "H")


def test_what_was_taken_back_is_made_again_by_whoever_retries(pipeline: Pipeline) -> None:
    order = place(pipeline)
    take(pipeline, order, transport=lost_after_its_tag(pipeline, order))
    pipeline.merchant.shop.state.orders[order.id] = order
    polled = again(pipeline, order)
    run = take(pipeline, order)

    assert polled is not None
    assert (run.row().status, run.row().turn, run.row().error) == ("done", 2, "")
    assert (status(pipeline), pieces(pipeline, the_order(pipeline))) == ("B", {TENT: 2})
    assert again(pipeline, order) is None
    assert pipeline.play(W1, polled).result == {"skipped": "the ERP has it as it is"}


def test_a_shop_that_cannot_be_tagged_for_long_takes_nothing_back(pipeline: Pipeline) -> None:
    order = place(pipeline)
    rule = pipeline.put("shopify", "http_503", match={"operation": "tagsAdd"}, times=30)
    run = take(pipeline, order)
    assert (rule.struck >= 8, run.row().status, status(pipeline), order.tags) == (True, "done", "B", [])
    assert [(one.step, one.code) for one in pipeline.exceptions()] == [("tag", "vendor_unavailable")]


@pytest.mark.parametrize("as_it_is_closed", [False, True])
def test_what_a_warehouse_has_is_not_taken_back_unheard(pipeline: Pipeline, as_it_is_closed: bool) -> None:
    order = place(pipeline)
    line = lost_after_its_tag(pipeline, order)
    inner, account = line.handle_request, pipeline.merchant.credentials.netsuite_account

    def hand_over() -> None:
        with pipeline.uow() as session:
            origin = lineage.origin_of(session, pipeline.tenant.id, account, str(the_order(pipeline).id))
            assert origin is not None
            lineage.keep_warehouse_order(
                session,
                pipeline.tenant.id,
                system=System.DCL,
                account="20001",
                number="SO-7",
                internal_kind=origin.kind,
                internal_id=origin.id,
            )

    def meanwhile(request: Any) -> Any:
        when = request.method == "PATCH" if as_it_is_closed else b"tagsAdd" in request.content
        if when:
            hand_over()
        return inner(request)

    line.handle_request = meanwhile
    run = take(pipeline, order, transport=line)
    assert (run.row().status, status(pipeline)) == ("failed", "H" if as_it_is_closed else "B")
    told = {one.step: one.reason for one in pipeline.exceptions()}
    words = "The warehouse has it as SO-7: keep the sales order open, or have it called off there."
    assert told["undo sales order"] == words
    with pipeline.uow() as session:
        goods = lineage.goods_of(session, pipeline.tenant.id, account, str(the_order(pipeline).id))
    assert (goods == lineage.CANCELED) is as_it_is_closed  # whoever hands it over just now sees it


def test_what_was_there_before_is_not_taken_back(pipeline: Pipeline) -> None:
    order = place(pipeline)
    take(pipeline, order)
    made = the_order(pipeline)
    with pipeline.uow() as session:
        session.execute(delete(Xref).where(Xref.kind == lineage.IN_ERP))  # a link that was lost
    run = take(pipeline, order, transport=lost_after_its_tag(pipeline, order))
    assert (run.row().status, run.row().error_code) == ("failed", "vendor_rejected")
    assert (the_order(pipeline).id, status(pipeline), pieces(pipeline, made)) == (made.id, "B", {TENT: 2})


def test_what_was_closed_and_the_run_opened_is_closed_again(pipeline: Pipeline) -> None:
    order = place(pipeline)
    line = lost_after_its_tag(pipeline, order)
    take(pipeline, order, transport=line)
    with pipeline.uow() as session:
        session.execute(delete(Xref).where(Xref.kind == lineage.IN_ERP))
    pipeline.merchant.shop.state.orders[order.id] = order
    run = take(pipeline, order, transport=line)
    assert (run.row().status, run.row().turn, status(pipeline)) == ("failed", 2, "H")
