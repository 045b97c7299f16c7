"""What begins runs: deliveries, polls, and people who want something done again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from engine.kit import clock
from engine.kit.errors import InvalidInput
from engine.kit.policies import change_policy
from engine.kit.tenancy import Tenant
from engine.payments.models import Alert
from engine.runtime import Runtime
from engine.sync import alerts, exceptions, inbox
from engine.sync.errors import RateLimited, Rejected, Transient
from engine.sync.models import System
from engine.sync.policy import AlertsPolicy
from engine.sync.port import Unread
from engine.sync.work_models import Delivery, ExceptionRow
from engine.workflows import orphans, pipeline, starting, triggers
from engine.workflows.access import Poll, Wiring
from engine.workflows.definition import Workflow
from engine.workflows.durable import Durable
from engine.workflows.models import CursorRow, RunMode, RunRow
from engine.workflows.rehearsal import rehearse
from engine.workflows.run import Run
from engine.workflows.ticket import Ticket
from tests.engine.workflows.toys import Toy, registered, toy


def body(run: Run, payload: Toy) -> dict[str, Any]:
    if payload.note == "bad":
        raise Rejected("It is bad.")
    if payload.note == "over":
        run.report(Rejected("Two more came."), step="receipt")
    return {}


def read(access: Any, delivery: Delivery) -> Iterator[Toy]:
    if delivery.body == b"nonsense":
        raise ValueError("no JSON")
    yield from (Toy(ref=one) for one in delivery.body.decode().split())


def asks(poll: Poll) -> Iterator[Toy]:
    last = poll.cursor.get("last", 0)
    yield from (Toy(ref=f"#{number}") for number in range(last + 1, last + 4))
    poll.cursor["last"] = last + 3


HEARS = replace(toy(body), hears=((System.SHOPIFY, "orders/create"),), from_delivery=read, poll=asks, every_seconds=900)


@pytest.fixture
def pipe(runtime: Runtime, tenant: Tenant) -> Iterator[Callable[..., None]]:
    with registered(HEARS):

        def on(on: bool = True) -> None:
            with runtime.unit_of_work(tenant.id) as session:
                pipeline.switch(session, tenant.id, actor="ops", workflow="toy", on=on)

        yield on


def receive(runtime: Runtime, tenant: Tenant, body: bytes, *, number: int = 1, topic: str = "orders/create") -> str:
    with runtime.unit_of_work(tenant.id) as session:
        row, _ = inbox.receive(
            session,
            tenant_id=tenant.id,
            source="shopify",
            delivery_id=f"d{number}",
            topic=topic,
            body=body,
            headers={},
        )
        return row.id


def rows(runtime: Runtime, tenant: Tenant, kind: Any) -> list[Any]:
    with runtime.unit_of_work(tenant.id) as session:
        return list(session.scalars(select(kind).where(kind.tenant_id == tenant.id)))


def runs(runtime: Runtime, tenant: Tenant) -> dict[str, str]:
    return {row.id.rpartition(":")[2]: row.trigger for row in rows(runtime, tenant, RunRow)}


def test_a_delivery_begins_the_run_of_whoever_hears_it_once(
    runtime: Runtime, tenant: Tenant, pipe: Callable[..., None]
) -> None:
    pipe()
    first = receive(runtime, tenant, b"#1", number=1)
    receive(runtime, tenant, b"#1", number=2)
    receive(runtime, tenant, b"", number=3)
    receive(runtime, tenant, b"#4", number=4, topic="orders/paid")
    assert triggers.hear(runtime, tenant.id) == 4
    assert runs(runtime, tenant) == {"#1": f"delivery:{first}"}
    assert {row.status for row in rows(runtime, tenant, Delivery)} == {"done"}
    assert triggers.hear(runtime, tenant.id) == 0


def test_a_delivery_that_says_several_things_begins_a_run_for_each(
    runtime: Runtime, tenant: Tenant, pipe: Callable[..., None]
) -> None:
    pipe()
    one = receive(runtime, tenant, b"#1 #2")
    triggers.hear(runtime, tenant.id)
    assert runs(runtime, tenant) == {"#1": f"delivery:{one}", "#2": f"delivery:{one}"}


def test_what_cannot_be_read_comes_again_and_stops_nothing(
    runtime: Runtime, tenant: Tenant, pipe: Callable[..., None]
) -> None:
    pipe()
    receive(runtime, tenant, b"nonsense", number=1)
    receive(runtime, tenant, b"#2", number=2)
    triggers.hear(runtime, tenant.id)
    assert list(runs(runtime, tenant)) == ["#2"]
    told = {row.delivery_id: (row.status, row.error) for row in rows(runtime, tenant, Delivery)}
    assert told == {"d1": ("waiting", "workflow_broke"), "d2": ("done", "")}


def test_what_is_off_begins_nothing(runtime: Runtime, tenant: Tenant, pipe: Callable[..., None]) -> None:
    receive(runtime, tenant, b"#1")
    triggers.hear(runtime, tenant.id)
    assert triggers.poll_due(runtime, tenant.id, wiring=Wiring()) == 0
    pipe()
    pipe(False)
    assert triggers.poll_due(runtime, tenant.id, wiring=Wiring()) == 0
    assert runs(runtime, tenant) == {}


def test_a_poll_is_asked_when_it_is_due_and_goes_on_where_it_was(
    runtime: Runtime, tenant: Tenant, pipe: Callable[..., None]
) -> None:
    pipe()
    with clock.own(datetime(2026, 11, 26, 10, 7, tzinfo=UTC)) as hands:
        assert triggers.poll_due(runtime, tenant.id, wiring=Wiring()) == 3
        assert triggers.poll_due(runtime, tenant.id, wiring=Wiring()) == 0
        hands.move(timedelta(minutes=7, seconds=59))
        assert triggers.poll_due(runtime, tenant.id, wiring=Wiring()) == 0
        hands.move(timedelta(seconds=1))
        assert triggers.poll_due(runtime, tenant.id, wiring=Wiring()) == 3
    assert sorted(runs(runtime, tenant)) == [f"#{number}" for number in range(1, 7)]
    (cursor,) = rows(runtime, tenant, CursorRow)
    assert (cursor.value, cursor.due_at) == ({"last": 6}, datetime(2026, 11, 26, 10, 30, tzinfo=UTC))


def test_of_a_list_that_is_read_again_what_is_new_begins_and_nothing_else(runtime: Runtime, tenant: Tenant) -> None:
    lists = [["#1", "#2", "#1"], ["#1", "#2"], ["#2", "#3"]]
    with registered(toy(lambda *_: {})), runtime.unit_of_work(tenant.id) as session:
        payloads = [[{"ref": ref} for ref in one] for one in lists]
        begun = [starting.begin_all(session, tenant.id, "toy", one, trigger="poll") for one in payloads]
        rows = session.scalars(select(RunRow).where(RunRow.tenant_id == tenant.id)).all()
    assert begun == [2, 0, 1]
    assert sorted((row.subject_ref, row.turn, row.trigger) for row in rows) == [
        ("#1", 1, "poll"), ("#2", 1, "poll"), ("#3", 1, "poll"),
    ]  # fmt: skip


def test_what_was_passed_over_is_looked_at_again_when_a_poll_finds_it_later(runtime: Runtime, tenant: Tenant) -> None:
    """The reason was of then: an order that was closed is open again, one that left from elsewhere leaves from here."""
    said = [{"skipped": "it is closed"}, {"skipped": "it is closed"}, {"sent": True}]
    flow = replace(toy(lambda *_: said[len(begun) - 1]), looks_again=True)
    begun: list[int] = []

    def poll() -> int:
        with runtime.unit_of_work(tenant.id) as session:
            return starting.begin_all(session, tenant.id, "toy", [{"ref": "#1"}], trigger="poll")

    with registered(flow), clock.own(datetime(2026, 11, 26, 10, 7, tzinfo=UTC)) as hands:
        for waited in (0, 300, 290, 20, 9_999):
            hands.move(timedelta(seconds=waited))
            if poll():
                begun.append(waited)
                rehearse(runtime, tenant.id, flow, {"ref": "#1"}, hands=hands)
    assert begun == [0, 300, 20]
    (row,) = rows(runtime, tenant, RunRow)
    assert (row.turn, row.result, row.trigger) == (3, {"sent": True}, "poll")


def test_a_poll_that_breaks_off_keeps_its_cursor_and_is_asked_again(
    runtime: Runtime, tenant: Tenant, pipe: Callable[..., None]
) -> None:
    errors: list[Exception] = [Transient("trouble"), Transient("trouble"), Transient("trouble")]

    def breaks(poll: Poll) -> Iterator[Toy]:
        yield from asks(poll)
        if errors:
            raise errors.pop()

    pipe()
    with registered(replace(HEARS, poll=breaks)), clock.own(clock.now()) as hands:
        for failures in (1, 2, 3):
            triggers.poll_due(runtime, tenant.id, wiring=Wiring())
            (cursor,) = rows(runtime, tenant, CursorRow)
            assert (cursor.failures, cursor.value, cursor.error) == (failures, {}, "vendor_unavailable: trouble")
            assert len(rows(runtime, tenant, ExceptionRow)) == (1 if failures == 3 else 0)
            hands.move(timedelta(minutes=1))
        triggers.poll_due(runtime, tenant.id, wiring=Wiring())
    assert sorted(runs(runtime, tenant)) == ["#1", "#2", "#3"]
    assert [row.value for row in rows(runtime, tenant, CursorRow)] == [{"last": 3}]
    assert [row.status for row in rows(runtime, tenant, ExceptionRow)] == ["resolved"]


def test_how_often_a_poll_fails_before_it_is_told_is_the_shops_one_threshold(
    runtime: Runtime, tenant: Tenant, pipe: Callable[..., None]
) -> None:
    def breaks(poll: Poll) -> Iterator[Toy]:
        raise Transient("trouble")
        yield

    pipe()
    with runtime.unit_of_work(tenant.id) as session:
        change_policy(session.get_one(Tenant, tenant.id), AlertsPolicy, {"failures": 2})
    heard = []
    with registered(replace(HEARS, poll=breaks)), clock.own(clock.now()) as hands:
        for _ in range(3):
            triggers.poll_due(runtime, tenant.id, wiring=Wiring())
            with runtime.unit_of_work(tenant.id) as session:
                alerts.watch(session, tenant.id)
            queued = [row.times for row in rows(runtime, tenant, ExceptionRow)]
            heard.append((queued, [row.facts["count"] for row in rows(runtime, tenant, Alert)]))
            hands.move(timedelta(minutes=1))
    assert heard == [([], []), ([2], [2]), ([3], [3])]


def test_settings_that_cannot_be_are_told_and_stop_nobody_else(
    runtime: Runtime, tenant: Tenant, pipe: Callable[..., None]
) -> None:
    pipe()
    other = replace(HEARS, name="other")
    with registered(HEARS, other), clock.own(clock.now()) as hands:
        with runtime.unit_of_work(tenant.id) as session:
            pipeline.switch(session, tenant.id, actor="ops", workflow="other", on=True)
        misset(runtime, tenant, {"safety_stock": -1})
        assert receive(runtime, tenant, b"#9")
        triggers.hear(runtime, tenant.id)
        for _ in range(3):
            triggers.poll_due(runtime, tenant.id, wiring=Wiring())
            hands.move(timedelta(minutes=1))
        (told,) = rows(runtime, tenant, ExceptionRow)
        assert (told.workflow, told.code, told.workflow_id) == ("toy", "settings_broken", f"{tenant.id}:toy:poll")
        assert told.reason.startswith("What toy goes by cannot be: settings.safety_stock: ")
        assert [row.error for row in rows(runtime, tenant, Delivery)] == ["settings_broken"]
        assert {row.workflow for row in rows(runtime, tenant, RunRow)} == {"other"}

        with runtime.unit_of_work(tenant.id) as session:
            said = {"actor": "ops", "workflow": "toy", "is_on": True, "settings": {"safety_stock": 1}}
            pipeline.save(session, tenant.id, **said, activate_it=True)
        triggers.poll_due(runtime, tenant.id, wiring=Wiring())
    assert [row.status for row in rows(runtime, tenant, ExceptionRow)] == ["resolved"]


def test_a_run_whose_settings_cannot_be_is_a_persons(
    runtime: Runtime, tenant: Tenant, pipe: Callable[..., None]
) -> None:
    pipe()
    misset(runtime, tenant, {"safety_stock": -1})
    run_id, _ = starting.start(runtime, tenant.id, "toy", {"ref": "#1"}, trigger="cli")
    assert Durable(runtime, "here")._live(Ticket(tenant.id, run_id)) == "failed"
    (run,), (told,) = rows(runtime, tenant, RunRow), rows(runtime, tenant, ExceptionRow)
    assert (run.status, run.error_code, told.workflow_id) == ("failed", "settings_broken", run_id)


def test_a_value_of_an_earlier_version_means_nothing_and_is_not_said_anew(
    runtime: Runtime, tenant: Tenant, pipe: Callable[..., None]
) -> None:
    pipe()
    misset(runtime, tenant, {"alert_after": 5, "safety_stock": 2})
    with runtime.unit_of_work(tenant.id) as session:
        assert pipeline.settings_of(session, tenant.id, "toy").safety_stock == 2
        assert pipeline.switch(session, tenant.id, actor="ops", workflow="toy", on=False).settings == {
            "safety_stock": 2
        }
        with pytest.raises(InvalidInput, match=r"settings\.alert_after"):
            pipeline.save(session, tenant.id, actor="ops", workflow="toy", is_on=True, settings={"alert_after": 5})


def misset(runtime: Runtime, tenant: Tenant, settings: dict[str, Any]) -> None:
    """As an earlier version of ours would have kept it."""
    with runtime.unit_of_work(tenant.id) as session:
        pipeline.active(session, tenant.id, "toy").settings = settings


def test_a_run_of_a_workflow_that_is_no_more_is_told_once_and_left_as_it_is(
    runtime: Runtime, tenant: Tenant, pipe: Callable[..., None]
) -> None:
    run_id, _ = starting.start(runtime, tenant.id, "toy", {"ref": "#1"}, trigger="cli")
    with registered(replace(HEARS, name="other")):
        assert orphans.tell(runtime, tenant.id) == 0
        with clock.shifted(timedelta(minutes=11)):
            assert [orphans.tell(runtime, tenant.id) for _ in range(2)] == [1, 0]
        (told,) = rows(runtime, tenant, ExceptionRow)
        assert (told.workflow_id, told.code, told.subject) == (run_id, "workflow_gone", "order #1")
        with runtime.unit_of_work(tenant.id) as session:
            exceptions.retry(session, tenant.id, told.id, actor="stf_1")
        triggers.hear(runtime, tenant.id)
        (told,) = rows(runtime, tenant, ExceptionRow)
        assert (told.status, told.reason[:24]) == ("open", "There is no workflow toy")
    assert [run.status for run in rows(runtime, tenant, RunRow)] == ["queued"]


def test_what_a_dead_replay_left_open_is_closed_and_nothing_else(
    runtime: Runtime, tenant: Tenant, pipe: Callable[..., None]
) -> None:
    for mode in (RunMode.LIVE, RunMode.SHADOW):
        starting.start(runtime, tenant.id, "toy", {"ref": f"#{mode}"}, trigger="cli")
    with runtime.unit_of_work(tenant.id) as session:
        starting.get(session, tenant.id, f"{tenant.id}:toy:#shadow").mode = RunMode.SHADOW
    assert orphans.close_replays(runtime, tenant.id) == 0
    with clock.shifted(timedelta(hours=2)):
        assert orphans.close_replays(runtime, tenant.id) == 1
    told = {run.id.rpartition(":")[2]: (run.status, run.error) for run in rows(runtime, tenant, RunRow)}
    assert told == {"#live": ("queued", ""), "#shadow": ("canceled", "Its replay ended before it did.")}
    assert rows(runtime, tenant, ExceptionRow) == []


class House:
    """A list of which some cannot be read."""

    def __init__(self) -> None:
        self.there, self.broken = ["1"], set[str]()

    def poll(self, poll: Poll) -> Iterator[Toy]:
        for name in self.there[poll.cursor.get("last", 0) :]:
            if name in self.broken:
                poll.unread.append(Unread(name, "", Rejected("It has no number.")))
            else:
                yield Toy(ref=name)
        poll.cursor["last"] = len(self.there)

    def asked(self, runtime: Runtime, tenant: Tenant) -> tuple[list[str], dict[str, Any], list[tuple[str, str]]]:
        """Runs, cursor and queue once it was polled."""
        triggers.poll(runtime, tenant.id, replace(HEARS, poll=self.poll), wiring=Wiring())
        (cursor,) = rows(runtime, tenant, CursorRow)
        queue = [(row.subject, row.status) for row in rows(runtime, tenant, ExceptionRow)]
        return sorted(runs(runtime, tenant)), cursor.value, queue


def test_what_a_poll_cannot_read_is_told_once_and_holds_its_cursor_until_it_can(
    runtime: Runtime, tenant: Tenant, pipe: Callable[..., None]
) -> None:
    house = House()
    pipe()
    assert house.asked(runtime, tenant) == (["1"], {"last": 1}, [])
    house.there += ["2", "3"]
    house.broken.add("2")
    for _ in range(2):
        assert house.asked(runtime, tenant) == (["1", "3"], {"last": 1}, [("2", "open")])
    (told,) = rows(runtime, tenant, ExceptionRow)
    assert (told.workflow_id, told.reason, told.times) == (f"{tenant.id}:toy:poll#2", "It has no number.", 1)
    house.broken.clear()
    assert house.asked(runtime, tenant) == (["1", "2", "3"], {"last": 3}, [("2", "resolved")])


def test_what_cannot_be_read_and_is_dismissed_holds_nothing_up(
    runtime: Runtime, tenant: Tenant, pipe: Callable[..., None]
) -> None:
    house = House()
    pipe()
    house.asked(runtime, tenant)
    house.there += ["2", "3"]
    house.broken.add("2")
    house.asked(runtime, tenant)
    (told,) = rows(runtime, tenant, ExceptionRow)
    with runtime.unit_of_work(tenant.id) as session:
        exceptions.dismiss(session, tenant.id, told.id, actor="stf_1")
    assert house.asked(runtime, tenant) == (["1", "3"], {"last": 3}, [("2", "dismissed")])


def test_what_cannot_be_read_is_looked_at_again_when_a_person_asks(
    runtime: Runtime, tenant: Tenant, pipe: Callable[..., None]
) -> None:
    house = House()
    pipe()
    house.asked(runtime, tenant)
    house.there.append("2")
    house.broken.add("2")
    house.asked(runtime, tenant)
    (told,) = rows(runtime, tenant, ExceptionRow)
    with runtime.unit_of_work(tenant.id) as session:
        exceptions.retry(session, tenant.id, told.id, actor="stf_1")
    with clock.stopped():
        assert triggers.hear(runtime, tenant.id) == 1
        assert [row.due_at for row in rows(runtime, tenant, CursorRow)] == [clock.now()]
    assert house.asked(runtime, tenant)[2] == [("2", "open")]
    assert runs(runtime, tenant).keys() == {"1"}


def test_a_poll_that_is_limited_waits_as_it_is_told_and_is_no_failure(
    runtime: Runtime, tenant: Tenant, pipe: Callable[..., None]
) -> None:
    def limited(poll: Poll) -> Iterator[Toy]:
        raise RateLimited("later", retry_after=77)
        yield

    pipe()
    with registered(replace(HEARS, poll=limited)), clock.own(clock.now()):
        before = clock.now()
        triggers.poll_due(runtime, tenant.id, wiring=Wiring())
    (cursor,) = rows(runtime, tenant, CursorRow)
    assert (cursor.failures, round((cursor.due_at - before).total_seconds())) == (0, 77)


@pytest.mark.parametrize(("minute", "second", "slot"), [(0, 9, "09:45:10"), (0, 10, "10:00:10"), (14, 59, "10:00:10")])
def test_a_slot_is_the_same_for_everybody(minute: int, second: int, slot: str) -> None:
    workflow = replace(HEARS, every_seconds=900, offset_seconds=10)
    asked = datetime(2026, 11, 26, 10, minute, second, 123, tzinfo=UTC)
    assert triggers.slot_of(workflow, asked).strftime("%H:%M:%S") == slot


def failed(runtime: Runtime, tenant: Tenant, workflow: Workflow[Any], note: str) -> ExceptionRow:
    rehearse(runtime, tenant.id, workflow, Toy(ref="#1071", note=note))
    (row,) = rows(runtime, tenant, ExceptionRow)
    return row


def test_what_a_person_put_right_is_begun_anew_with_that(
    runtime: Runtime, tenant: Tenant, pipe: Callable[..., None]
) -> None:
    queued = failed(runtime, tenant, HEARS, "bad")
    with runtime.unit_of_work(tenant.id) as session:
        exceptions.fix(session, tenant.id, queued.id, actor="stf_1", payload={"ref": "#1071", "note": "good"})
    assert triggers.hear(runtime, tenant.id) == 1
    (run,) = rows(runtime, tenant, RunRow)
    assert (run.status, run.turn, run.payload) == ("queued", 2, {"ref": "#1071", "note": "good"})
    rehearse(runtime, tenant.id, HEARS, run.payload)
    assert [row.status for row in rows(runtime, tenant, ExceptionRow)] == ["resolved"]


def test_a_fix_that_is_another_runs_is_refused_and_open_again(
    runtime: Runtime, tenant: Tenant, pipe: Callable[..., None]
) -> None:
    queued = failed(runtime, tenant, HEARS, "bad")
    with runtime.unit_of_work(tenant.id) as session:
        exceptions.fix(session, tenant.id, queued.id, actor="stf_1", payload={"ref": "#9", "note": "good"})
    triggers.hear(runtime, tenant.id)
    (run,), (row,) = rows(runtime, tenant, RunRow), rows(runtime, tenant, ExceptionRow)
    assert (run.status, run.turn) == ("failed", 1)
    assert (row.status, row.reason) == ("open", "The payload is another run's: it has another business key.")


def test_what_was_only_reported_is_looked_at_again(runtime: Runtime, tenant: Tenant, pipe: Callable[..., None]) -> None:
    queued = failed(runtime, tenant, HEARS, "over")
    assert queued.workflow_id == f"{tenant.id}:toy:#1071#receipt"
    with runtime.unit_of_work(tenant.id) as session:
        exceptions.retry(session, tenant.id, queued.id, actor="stf_1")
    triggers.hear(runtime, tenant.id)
    (run,) = rows(runtime, tenant, RunRow)
    assert (run.status, run.turn) == ("queued", 2)
    assert [row.status for row in rows(runtime, tenant, ExceptionRow)] == ["resolved"]
    rehearse(runtime, tenant.id, HEARS, run.payload)
    assert sorted(row.status for row in rows(runtime, tenant, ExceptionRow)) == ["open", "resolved"]


def test_settings_are_versions_that_are_tried_before_they_count(
    runtime: Runtime, tenant: Tenant, pipe: Callable[..., None]
) -> None:
    with runtime.unit_of_work(tenant.id) as session:
        pipeline.save(
            session,
            tenant.id,
            actor="ops",
            workflow="*",
            is_on=False,
            settings={"safety_stock": 2, "billing": "cash_sale"},
            activate_it=True,
        )
        own = pipeline.save(session, tenant.id, actor="ops", workflow="toy", is_on=True, settings={"safety_stock": 5})
        (one,) = pipeline.diff(session, tenant.id, "toy", version=own.version)
        assert (one.was_on, one.is_on, one.changes) == (False, True, {"safety_stock": [2, 5]})
        assert pipeline.settings_of(session, tenant.id, "toy").safety_stock == 2
        pipeline.activate(session, tenant.id, actor="ops", workflow="toy", version=own.version)
        now = pipeline.settings_of(session, tenant.id, "toy")
        assert (now.safety_stock, now.billing) == (5, "cash_sale")
        assert pipeline.switched_on(session, tenant.id) == ["toy"]
    with pytest.raises(Exception, match=r"settings\.safety_stock"), runtime.unit_of_work(tenant.id) as session:
        pipeline.save(session, tenant.id, actor="ops", workflow="toy", is_on=True, settings={"safety_stock": -1})
    with runtime.unit_of_work(tenant.id) as session:
        assert len(pipeline.versions(session, tenant.id, "toy")) == 1


def test_nothing_begins_of_a_payload_that_is_none(runtime: Runtime, tenant: Tenant, pipe: Callable[..., None]) -> None:
    with pytest.raises(starting.NotTaken, match=r"payload\.ref"):
        starting.start(runtime, tenant.id, "toy", {}, trigger="test")
    with pytest.raises(starting.NotTaken, match="business key"):
        starting.start(runtime, tenant.id, "toy", {"ref": ""}, trigger="test")
    assert runs(runtime, tenant) == {}
