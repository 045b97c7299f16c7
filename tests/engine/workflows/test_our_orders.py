"""An order of our own goes to the ERP and the warehouse and comes back as parcels, whoever dies on the way."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select

from engine import jobs
from engine.fulfillment.policies import FulfillmentPolicy
from engine.kit import clock
from engine.kit.outbox import OutboxRow
from engine.orders import replacements
from engine.orders.replacements import ReplacementLine
from engine.runtime import Runtime
from engine.sync.alerts import ASK_WAREHOUSE, WAREHOUSE_CANCELED
from engine.sync.sandbox import emitting
from engine.workflows import pipeline
from engine.workflows.access import Wiring
from engine.workflows.dcl_tracking_update import WORKFLOW as TRACK
from engine.workflows.models import RunMode, RunRow, RunStatus
from engine.workflows.netsuite_to_dcl import WORKFLOW as SEND
from engine.workflows.netsuite_to_dcl import number_of
from engine.workflows.partner_answer import WORKFLOW as ANSWER
from engine.workflows.rehearsal import Death, Rehearsal, When
from engine.workflows.shadow import replay
from engine.workflows.shopify_to_netsuite import WORKFLOW as TAKE
from engine.workflows.warehouse_canceled import WORKFLOW as LOST
from tests.engine.fulfillment.conftest import Warehouse
from tests.engine.orders.desk import Desk, buy
from tests.engine.workflows.systems import Systems
from tests.shop import Shop

SKU = "TH-FELL1-ORG"
STEPS: dict[str, tuple[str, ...]] = {
    TAKE.name: ("look", "items", "customer", "sales order", "link", "tag", "look again"),
    SEND.name: ("look", "submit", "link", "accept", "flag"),
    TRACK.name: ("find", "fulfil", "tell", "tag"),
}


@dataclass
class Story:
    """One order from the shopper's yes to the parcel."""

    systems: Systems
    house: Warehouse
    deadly: bool = False

    @property
    def runtime(self) -> Runtime:
        return self.systems.runtime

    def place(self, units: int = 2) -> Desk:
        """Paid in our shop, and begun."""
        desk = buy(self.house.shop, SKU, units)
        self.systems.later(minutes=5)
        jobs.begin_runs(self.runtime, self.house.tenant_id)
        return desk

    def begun(self) -> list[RunRow]:
        with self.house.shop.uow() as session:
            query = select(RunRow).where(RunRow.status == RunStatus.QUEUED, RunRow.mode == RunMode.LIVE)
            return list(session.scalars(query.order_by(RunRow.created_at, RunRow.id)))

    def play(self, workflow: Any, payload: Any, **more: Any) -> Rehearsal:
        every = [Death(when, step) for step in STEPS.get(workflow.name, ()) for when in When] if self.deadly else []
        deaths = list(every)
        run = self.systems.rehearse(workflow, payload, deaths=deaths, **more)
        assert (run.row().status, deaths) == (RunStatus.DONE, [])
        return run

    def take(self) -> Rehearsal:
        (row,) = self.begun()
        return self.play(TAKE, row.payload)

    def release(self, desk: Desk) -> str:
        (work_id,) = self.house.release(desk.order_id)
        return work_id

    def send(self, **more: Any) -> Rehearsal:
        (payload,) = self.systems.polled(SEND)
        return self.play(SEND, payload, **more)

    def track(self) -> Rehearsal:
        (payload,) = self.systems.polled(TRACK)
        return self.play(TRACK, payload)

    def answer(self) -> dict[str, Any]:
        (payload,) = self.systems.polled(ANSWER)
        return self.play(ANSWER, payload).result

    def told(self, topic: str, order_id: str) -> int:
        """How often the conversation hears of something."""
        mine = (OutboxRow.topic == topic) & (OutboxRow.subject_id == order_id) & (OutboxRow.consumer == "conversation")
        with self.house.shop.uow() as session:
            return session.scalar(select(func.count()).select_from(OutboxRow).where(mine)) or 0


@pytest.fixture
def story(systems: Systems, shop: Shop) -> Story:
    made = Warehouse(shop)
    made.policy(FulfillmentPolicy, partners={"EAST": "dcl"})
    shop.add(SKU, price=24_900, stock={"EAST": 10})
    with shop.uow() as session:
        pipeline.switch(session, shop.tenant.id, actor="test", workflow=TAKE.name, on=True)
    return Story(systems, made)


@pytest.mark.parametrize("workflow", [TAKE, SEND, TRACK])
def test_a_replay_of_an_order_that_has_arrived_since_differs_in_nothing(story: Story, workflow: Any) -> None:
    said = {"workflow": pipeline.SHARED, "is_on": False, "activate_it": True, "actor": "test"}
    with story.house.shop.uow() as session:
        pipeline.save(session, story.house.tenant_id, settings=story.systems.settings.model_dump(mode="json"), **said)
    desk = story.place()
    story.take()
    work_id = story.release(desk)
    story.send()
    story.systems.later(hours=3)
    story.track()
    assert story.house.work(work_id).status == "shipped"

    name, tenant_id, since = workflow.name, story.house.tenant_id, clock.now() - timedelta(hours=6)
    (one,) = replay(story.runtime, tenant_id, name, workflow.version, since=since, wiring=Wiring())
    assert (one.same, one.status, one.missing, one.extra) == (True, "done", [], [])
    assert (story.house.work(work_id).status, story.house.broken()) == ("shipped", [])


def sales_orders(story: Story) -> list[Any]:
    return [one for one in story.systems.records("salesOrder") if (one.external_id or "").startswith("IC-")]


def test_a_paid_order_travels_and_comes_back_though_it_dies_at_every_step(story: Story) -> None:
    story.deadly = True
    desk = story.place()
    number = story.house.order(desk.order_id).number
    story.take()
    (made,) = sales_orders(story)
    assert made.external_id == f"IC-{number}"

    work_id = story.release(desk)
    story.send()
    assert list(story.systems.at_house()) == [number_of(number, work_id)]
    assert story.house.work(work_id).status == "accepted"

    story.systems.later(hours=3)
    story.track()
    parcels = story.systems.at_house()[number_of(number, work_id)].shipments[0]["packages"]
    shipments = story.house.shipments(desk.order_id)
    assert [one.tracking_number for one in shipments] == [one["tracking_number"] for one in parcels]
    assert [one.carrier for one in shipments] == ["UPS" for _ in parcels]
    assert (story.house.work(work_id).status, desk.look().fulfillment_status) == ("shipped", "shipped")
    assert story.told("order.shipped", desk.order_id) == len(parcels)
    assert (len(sales_orders(story)), len(story.systems.records("itemFulfillment"))) == (1, 1)
    assert story.systems.erp.sales_order(id=str(made.id)).status == "F"
    assert story.systems.polled(SEND) == []
    assert story.house.broken() == []


def test_an_order_is_begun_once_and_only_where_the_pipeline_is_on(story: Story) -> None:
    story.place()
    jobs.begin_runs(story.runtime, story.house.tenant_id)
    (row,) = story.begun()
    assert (row.workflow, row.trigger, row.subject_kind) == (TAKE.name, "outbox:order.paid", "order")
    with story.house.shop.uow() as session:
        pipeline.switch(session, story.house.tenant_id, actor="test", workflow=TAKE.name, on=False)
    story.place()
    assert [one.id for one in story.begun()] == [row.id]


def test_a_replacement_travels_as_an_order_that_costs_nothing(story: Story) -> None:
    desk = story.place()
    story.take()
    with story.house.shop.uow() as session:
        made = replacements.create(
            session,
            story.house.tenant_id,
            origin={"kind": "replacement", "order_id": desk.order_id},
            lines=[ReplacementLine(story.house.shop.variants[SKU], 1)],
            actor="test",
        ).id
    story.systems.later(minutes=5)
    jobs.begin_runs(story.runtime, story.house.tenant_id)
    story.take()
    story.systems.polled(SEND)
    numbers = {f"IC-{story.house.order(one).number}" for one in (desk.order_id, made)}
    assert {one.external_id for one in sales_orders(story)} == numbers


def test_work_is_not_sent_before_the_erp_has_the_order(story: Story) -> None:
    desk = story.place()
    story.release(desk)
    assert story.systems.polled(SEND) == []
    story.take()
    assert len(story.systems.polled(SEND)) == 1


def test_a_cancel_of_what_the_warehouse_never_had_is_granted_and_nothing_is_sent(story: Story) -> None:
    desk = story.place()
    story.take()
    work_id = story.release(desk)
    (late,) = story.systems.polled(SEND)
    desk.do("cancel", reason="other")

    assert story.answer() == {"answered": True}
    assert (story.house.work(work_id).status, desk.look().status) == ("canceled", "canceled")
    assert story.systems.polled(SEND) == []
    assert story.play(SEND, late).result == {"skipped": "it is canceled"}
    assert story.systems.at_house() == {}


def test_a_canceled_order_is_closed_in_the_erp(story: Story) -> None:
    desk = story.place()
    story.take()
    desk.do("cancel", reason="other")
    assert desk.look().status == "canceled"
    story.systems.later(minutes=5)
    jobs.begin_runs(story.runtime, story.house.tenant_id)
    rows = [row for row in story.begun() if row.payload["change"]]
    for row in rows:
        story.play(TAKE, row.payload)
    (made,) = sales_orders(story)
    assert story.systems.erp.sales_order(id=str(made.id)).status == "H"


def test_a_cancel_of_what_the_warehouse_has_is_a_persons_task_until_it_is_called_off_there(story: Story) -> None:
    desk = story.place()
    story.take()
    work_id = story.release(desk)
    story.send()
    desk.do("cancel", reason="other")
    assert story.answer() == {"asked": True}
    assert story.house.alerts() == [ASK_WAREHOUSE]
    (number,) = story.systems.at_house()

    emitting.cancel_at_warehouse(story.systems.world, story.systems.merchant, number)
    assert story.answer() == {"answered": True}
    assert (story.house.work(work_id).status, desk.look().status) == ("canceled", "canceled")
    assert (story.house.alerts(), story.systems.polled(ANSWER)) == ([], [])


@pytest.mark.parametrize("deadly", [False, True])
def test_what_is_left_of_a_partial_cancel_is_sent_under_another_number(story: Story, deadly: bool) -> None:
    desk = story.place(3)
    story.take()
    work_id = story.release(desk)
    story.send()
    desk.do("cancel", reason="other", lines=[{"line_id": desk.line(SKU).id, "quantity": 1}])
    assert story.answer() == {"asked": True}
    (number,) = story.systems.at_house()
    emitting.cancel_at_warehouse(story.systems.world, story.systems.merchant, number)
    deaths = [Death(when, "answer") for when in When] if deadly else []
    (question,) = story.systems.polled(ANSWER)
    assert story.systems.rehearse(ANSWER, question, deaths=deaths).row().status == RunStatus.DONE

    line = story.house.lines(desk.order_id)[SKU]
    assert (story.house.work(work_id).status, line.ordered - line.canceled) == ("canceled", 2)
    story.send()
    (again,) = set(story.systems.at_house()) - {number}
    assert [(line.item, line.quantity) for line in story.systems.at_house()[again].lines] == [(SKU, 2)]
    (lost,) = story.systems.polled(LOST)
    assert story.play(LOST, lost).result == {"skipped": "nothing of it is wanted"}
    story.systems.later(hours=3)
    story.track()
    assert desk.look().fulfillment_status == "shipped"
    assert sum(sum(int(row["quantity"]) for row in one.lines) for one in story.house.shipments(desk.order_id)) == 2
    assert story.systems.polled(SEND) == []
    assert story.house.broken() == []


def test_what_is_left_of_a_partial_cancel_before_it_was_handed_over_is_sent(story: Story) -> None:
    desk = story.place(3)
    story.take()
    story.release(desk)
    (late,) = story.systems.polled(SEND)
    desk.do("cancel", reason="other", lines=[{"line_id": desk.line(SKU).id, "quantity": 1}])
    assert story.play(SEND, late).result == {"skipped": "it is cancel_requested"}
    assert story.answer() == {"answered": True}
    story.send()
    (there,) = story.systems.at_house().values()
    assert [(line.item, line.quantity) for line in there.lines] == [(SKU, 2)]
    assert story.house.broken() == []


def test_a_cancel_that_comes_as_it_is_handed_over_ends_with_what_the_warehouse_does(story: Story) -> None:
    desk = story.place()
    story.take()
    work_id = story.release(desk)
    line, asked = story.systems.line, []

    def meanwhile(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/batches") and not asked:
            asked.append(desk.do("cancel", reason="other"))
        return line.handle_request(request)

    story.send(transport=httpx.MockTransport(meanwhile))
    assert (len(asked), story.house.work(work_id).status) == (1, "cancel_requested")
    assert story.answer() == {"asked": True}

    story.systems.later(hours=3)
    story.track()
    assert (story.house.work(work_id).status, desk.look().status) == ("shipped", "open")
    assert desk.look().changes[0].status == "refused"
    assert story.systems.polled(ANSWER) == []
    assert story.house.alerts() == []
    assert story.house.broken() == []


def test_what_staff_answered_by_hand_is_nobodys_task(story: Story) -> None:
    from engine.fulfillment.requests import answer_cancel

    desk = story.place()
    story.take()
    work_id = story.release(desk)
    story.send()
    desk.do("cancel", reason="other")
    story.answer()
    with story.house.shop.uow() as session:
        answer_cancel(session, story.house.tenant_id, work_id, accepted=False, actor="staff")
    assert (story.systems.polled(ANSWER), story.house.alerts()) == ([], [])


def test_what_the_warehouse_calls_off_by_itself_is_told_to_a_person_once(story: Story) -> None:
    desk = story.place()
    story.take()
    story.release(desk)
    story.send()
    (number,) = story.systems.at_house()
    emitting.cancel_at_warehouse(story.systems.world, story.systems.merchant, number)

    (payload,) = story.systems.polled(LOST)
    assert story.play(LOST, payload).result == {"wanted": 2}
    story.play(LOST, payload)
    assert story.house.alerts() == [WAREHOUSE_CANCELED]
    assert desk.look().status == "open"


def test_what_the_warehouse_calls_off_because_we_asked_is_no_news(story: Story) -> None:
    desk = story.place()
    story.take()
    story.release(desk)
    story.send()
    desk.do("cancel", reason="other")
    (number,) = story.systems.at_house()
    emitting.cancel_at_warehouse(story.systems.world, story.systems.merchant, number)
    (payload,) = story.systems.polled(LOST)

    def answered(_: float) -> None:
        for question in story.systems.polled(ANSWER):
            story.play(ANSWER, question)

    run = story.play(LOST, payload, waits=answered)
    assert (run.result, len(run.waited)) == ({"skipped": "nothing of it is wanted"}, 1)
    assert (desk.look().status, story.house.alerts()) == ("canceled", [])
