"""A run from step to step, whatever fails and whenever it dies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from engine.kit.tenancy import Tenant
from engine.runtime import Runtime
from engine.sync import exceptions
from engine.sync.errors import AuthExpired, Conflict, RateLimited, Rejected, SyncError, Transient, UnknownOutcome
from engine.sync.work_models import ExceptionRow
from engine.workflows import starting
from engine.workflows.models import RunStatus, StepStatus
from engine.workflows.rehearsal import Death, Rehearsal, When, rehearse
from engine.workflows.run import Run
from tests.engine.workflows.toys import Toy, registered, toy


class Vendor:
    """A system that keeps what it is told, and fails as it is told to."""

    def __init__(self, *errors: SyncError, does_it: bool = False, blind: Sequence[Exception] = ()) -> None:
        self.done: list[str] = []
        self._errors, self._does_it, self._blind = list(errors), does_it, list(blind)

    def do(self, what: str) -> str:
        error = self._errors.pop(0) if self._errors else None
        if error is None or self._does_it:
            self.done.append(what)
        if error is not None:
            raise error
        return f"id of {what}"

    def find(self, what: str) -> str | None:
        if self._blind:
            raise self._blind.pop(0)
        return f"id of {what}" if what in self.done else None


def body(vendor: Vendor, *, probes: bool = True) -> Any:
    def run_body(run: Run, payload: Toy) -> dict[str, Any]:
        looks = (lambda what: lambda: vendor.find(what)) if probes else (lambda _: None)
        first = run.step("first", lambda: vendor.do("one"), probe=looks("one"))
        run.undo("first", lambda: vendor.do("un-one"))
        second = run.step("second", lambda: vendor.do("two"), probe=looks("two"))
        return {"ids": [first, second], "ref": payload.ref}

    return run_body


def play(runtime: Runtime, tenant: Tenant, vendor: Vendor, *deaths: Death, probes: bool = True) -> Rehearsal:
    return rehearse(runtime, tenant.id, toy(body(vendor, probes=probes)), Toy(ref="#1"), deaths=list(deaths))


def test_a_run_does_its_steps_and_says_what_came_of_them(runtime: Runtime, tenant: Tenant) -> None:
    vendor = Vendor()
    played = play(runtime, tenant, vendor)
    row = played.row()
    assert (row.id, row.status, row.version) == (f"{tenant.id}:toy:#1", RunStatus.DONE, "1.0.0")
    assert row.result == {"ids": ["id of one", "id of two"], "ref": "#1"}
    assert (row.subject_kind, row.subject_ref, row.step) == ("order", "#1", "second")
    assert [(step.place, step.name, step.status, step.attempts) for step in played.steps()] == [
        (1, "first", StepStatus.DONE, 1),
        (2, "second", StepStatus.DONE, 1),
    ]
    assert (vendor.done, played.lives, played.waited) == (["one", "two"], 1, [])


@pytest.mark.parametrize("when", When)
@pytest.mark.parametrize("step", ["first", "second"])
def test_whenever_it_dies_everything_is_done_once(runtime: Runtime, tenant: Tenant, when: When, step: str) -> None:
    vendor = Vendor()
    played = play(runtime, tenant, vendor, Death(when, step))
    assert (played.row().status, vendor.done, played.lives) == (RunStatus.DONE, ["one", "two"], 2)
    looked = [name for name in played.seen if name.startswith("?")]
    assert looked == ([f"? {step}"] if when == When.INSIDE else [])


def test_without_a_probe_a_step_over_which_it_died_is_done_twice(runtime: Runtime, tenant: Tenant) -> None:
    vendor = Vendor()
    play(runtime, tenant, vendor, Death(When.INSIDE, "first"), probes=False)
    assert vendor.done == ["one", "one", "two"]


def test_what_was_done_without_an_answer_is_found_and_not_done_again(runtime: Runtime, tenant: Tenant) -> None:
    vendor = Vendor(UnknownOutcome("no answer"), does_it=True)
    played = play(runtime, tenant, vendor)
    assert (played.row().status, vendor.done) == (RunStatus.DONE, ["one", "two"])
    assert played.seen == ["first", "? first", "second"]


def test_what_was_not_done_and_not_answered_is_done(runtime: Runtime, tenant: Tenant) -> None:
    vendor = Vendor(UnknownOutcome("no answer"))
    played = play(runtime, tenant, vendor)
    assert (played.row().status, vendor.done) == (RunStatus.DONE, ["one", "two"])
    assert played.seen == ["first", "? first", "first", "second"]


@pytest.mark.parametrize("blind", [Transient("trouble"), RateLimited("later", retry_after=30), AuthExpired("no")])
def test_what_may_have_been_done_is_not_sent_again_until_somebody_has_looked(
    runtime: Runtime, tenant: Tenant, blind: SyncError
) -> None:
    vendor = Vendor(UnknownOutcome("no answer"), does_it=True, blind=[blind, blind])
    played = play(runtime, tenant, vendor)
    assert (played.row().status, vendor.done) == (RunStatus.DONE, ["one", "two"])
    assert played.seen == ["first", "? first", "? first", "? first", "second"]
    assert [(step.status, step.error_code) for step in played.steps()] == [("done", ""), ("done", "")]


@pytest.mark.parametrize("blind", [Transient("trouble"), RateLimited("later", retry_after=30), AuthExpired("no")])
def test_nor_where_a_process_died_over_it_and_the_next_could_not_look(
    runtime: Runtime, tenant: Tenant, blind: SyncError
) -> None:
    vendor = Vendor(blind=[blind, blind])
    played = play(runtime, tenant, vendor, Death(When.INSIDE, "first"))
    assert (played.row().status, vendor.done) == (RunStatus.DONE, ["one", "two"])
    assert played.seen == ["first", "? first", "? first", "? first", "second"]


def test_nor_when_a_person_retries_it(runtime: Runtime, tenant: Tenant) -> None:
    vendor = Vendor(UnknownOutcome("no answer"), does_it=True, blind=[Transient("trouble")] * 7)
    workflow = toy(body(vendor))
    played = rehearse(runtime, tenant.id, workflow, Toy(ref="#1"))
    assert (played.row().status, played.row().error_code) == (RunStatus.FAILED, "vendor_unavailable")
    assert [(step.status, step.error_code) for step in played.steps()] == [("failed", "unknown_outcome")]
    with registered(workflow), runtime.unit_of_work(tenant.id) as session:
        starting.retry(session, tenant.id, played.ticket.run_id, actor="ops")
    again = rehearse(runtime, tenant.id, workflow, Toy(ref="#1"), deaths=[Death(When.BEFORE, "first")])
    assert (again.row().status, again.row().turn, vendor.done) == (RunStatus.DONE, 2, ["one", "two"])
    assert again.seen == ["? first", "second"]


def test_what_was_looked_for_in_an_earlier_turn_is_sure(runtime: Runtime, tenant: Tenant) -> None:
    vendor = Vendor(UnknownOutcome("no answer"), Rejected("no such sku"))
    workflow = toy(body(vendor))
    for _ in range(2):
        played = rehearse(runtime, tenant.id, workflow, Toy(ref="#1"))
    assert (played.row().status, played.row().turn, vendor.done) == (RunStatus.DONE, 2, ["one", "two"])
    assert played.seen == ["first", "second"]


def test_what_our_own_database_cut_off_may_have_been_done(runtime: Runtime, tenant: Tenant) -> None:
    vendor = Vendor(OperationalError("gone", None, Exception()), does_it=True)  # type: ignore[arg-type]  # (none of a vendor's)
    played = play(runtime, tenant, vendor)
    assert (played.row().status, vendor.done) == (RunStatus.DONE, ["one", "two"])
    assert played.seen == ["first", "? first", "second"]


def test_a_limit_is_waited_for_and_counts_as_no_attempt_against_it(runtime: Runtime, tenant: Tenant) -> None:
    vendor = Vendor(*[RateLimited("later", retry_after=30) for _ in range(12)])
    played = play(runtime, tenant, vendor)
    assert (played.row().status, vendor.done) == (RunStatus.DONE, ["one", "two"])
    assert [round(one) for one in played.waited] == [30] * 12


def test_trouble_that_passes_is_tried_again_ever_later(runtime: Runtime, tenant: Tenant) -> None:
    vendor = Vendor(*[Transient("trouble") for _ in range(7)])
    played = play(runtime, tenant, vendor)
    assert (played.row().status, vendor.done) == (RunStatus.DONE, ["one", "two"])
    for waited, most in zip(played.waited, (2, 4, 8, 16, 32, 64, 128), strict=True):
        assert most * 0.74 < waited <= most


def test_trouble_that_stays_ends_in_the_exception_queue(runtime: Runtime, tenant: Tenant) -> None:
    vendor = Vendor(*[Transient("trouble") for _ in range(8)])
    played = play(runtime, tenant, vendor)
    row = played.row()
    assert (row.status, row.error_code, row.error, vendor.done) == ("failed", "vendor_unavailable", "trouble", [])
    (queued,) = in_queue(runtime, tenant)
    assert (queued.workflow_id, queued.step, queued.code) == (row.id, "first", "vendor_unavailable")
    assert (queued.subject, queued.payload) == ("order #1", {"ref": "#1", "note": ""})


def test_a_conflict_is_decided_anew_once(runtime: Runtime, tenant: Tenant) -> None:
    assert play(runtime, tenant, Vendor(Conflict("changed"))).row().status == RunStatus.DONE
    with runtime.unit_of_work(tenant.id) as session:
        assert exceptions.listed(session, tenant.id).items == []


def test_an_expired_secret_is_waited_for(runtime: Runtime, tenant: Tenant) -> None:
    played = play(runtime, tenant, Vendor(AuthExpired("no"), AuthExpired("no")))
    assert (played.row().status, [round(one) for one in played.waited]) == (RunStatus.DONE, [300, 300])


def test_what_is_refused_is_taken_back_in_reverse_and_queued(runtime: Runtime, tenant: Tenant) -> None:
    vendor = Vendor()
    taken: list[str] = []

    def refused(run: Run, payload: Toy) -> dict[str, Any]:
        for name in ("one", "two"):
            run.step(name, lambda name=name: vendor.do(name))
            run.undo(name, lambda name=name: taken.append(name))
        run.step("three", lambda: Vendor(Rejected("no such sku")).do("three"))
        return {}

    played = rehearse(runtime, tenant.id, toy(refused), Toy(ref="#1"), deaths=[Death(When.AFTER, "undo two")])
    assert (played.row().status, taken) == (RunStatus.FAILED, ["two", "one"])
    assert [step.name for step in played.steps()] == ["one", "two", "three", "undo two", "undo one"]
    assert [one.reason for one in in_queue(runtime, tenant)] == ["no such sku"]


def test_a_failed_run_begins_anew_and_its_good_end_closes_the_exception(runtime: Runtime, tenant: Tenant) -> None:
    vendor = Vendor(Rejected("no such sku"))
    workflow = toy(body(vendor))
    played = rehearse(runtime, tenant.id, workflow, Toy(ref="#1"))
    assert played.row().status == RunStatus.FAILED
    with registered(workflow), runtime.unit_of_work(tenant.id) as session:
        starting.retry(session, tenant.id, played.ticket.run_id, actor="ops", payload={"ref": "#1", "note": "fixed"})
    again = rehearse(runtime, tenant.id, workflow, Toy(ref="#1", note="fixed"))
    assert (again.row().status, again.row().turn) == (RunStatus.DONE, 2)
    assert [one.status for one in in_queue(runtime, tenant)] == ["resolved"]


def test_what_a_run_reports_stays_open_when_it_ends_well(runtime: Runtime, tenant: Tenant) -> None:
    def over(run: Run, payload: Toy) -> dict[str, Any]:
        run.report(Rejected("two more than were ordered"), step="receipt", payload={"sku": "A"})
        return {}

    played = rehearse(runtime, tenant.id, toy(over), Toy(ref="#1"), deaths=[Death(When.INSIDE, 1)])
    (queued,) = in_queue(runtime, tenant)
    assert (queued.workflow_id, queued.status) == (f"{played.ticket.run_id}#receipt", "open")
    assert (queued.payload, played.row().status) == ({"sku": "A"}, RunStatus.DONE)


def test_a_wait_is_not_begun_anew_by_a_crash(runtime: Runtime, tenant: Tenant) -> None:
    def waits(run: Run, payload: Toy) -> dict[str, Any]:
        run.wait(3_600)
        run.step("then", lambda: "done")
        return {}

    played = rehearse(runtime, tenant.id, toy(waits), Toy(ref="#1"), deaths=[Death(When.BEFORE, "then")])
    assert ([round(one) for one in played.waited], played.row().status) == ([3_600], RunStatus.DONE)


def test_a_fault_of_ours_stops_the_run_for_a_person_and_tells_nothing(runtime: Runtime, tenant: Tenant) -> None:
    def wrong(run: Run, payload: Toy) -> dict[str, Any]:
        return {"never": {"a": "secret"}["b"]}

    played = rehearse(runtime, tenant.id, toy(wrong), Toy(ref="#1"))
    assert (played.row().status, played.row().error_code) == (RunStatus.FAILED, "workflow_broke")
    assert [one.reason for one in in_queue(runtime, tenant)] == ["KeyError in the workflow."]


def test_the_same_key_is_one_run_and_a_canceled_one_stops(runtime: Runtime, tenant: Tenant) -> None:
    with registered(toy(body(Vendor()))):
        first = starting.start(runtime, tenant.id, "toy", {"ref": "#1"}, trigger="test")
        assert starting.start(runtime, tenant.id, "toy", {"ref": "#1", "note": "n"}, trigger="test") == (
            first[0],
            False,
        )
    assert first == (f"{tenant.id}:toy:#1", True)

    def canceled(run: Run, payload: Toy) -> dict[str, Any]:
        run.step("one", lambda: vendor.do("one"))
        with runtime.unit_of_work(tenant.id) as session:
            starting.cancel(session, tenant.id, run.id, actor="ops", reason="not wanted")
        run.step("two", lambda: vendor.do("two"))
        return {}

    vendor = Vendor()
    played = rehearse(runtime, tenant.id, toy(canceled), Toy(ref="#1"))
    assert (played.row().status, played.row().error, vendor.done) == (RunStatus.CANCELED, "not wanted", ["one"])


def test_in_a_shadow_nothing_is_queued_and_the_live_run_is_untouched(runtime: Runtime, tenant: Tenant) -> None:
    live = play(runtime, tenant, Vendor())
    shadow = rehearse(
        runtime, tenant.id, toy(body(Vendor(Rejected("no"))), version="1.1.0"), Toy(ref="#1"), mode="shadow"
    )
    assert (shadow.row().id, shadow.row().status) == (f"{tenant.id}:shadow:1.1.0:toy:#1", RunStatus.FAILED)
    assert (live.row().status, in_queue(runtime, tenant)) == (RunStatus.DONE, [])


def in_queue(runtime: Runtime, tenant: Tenant) -> list[ExceptionRow]:
    with runtime.unit_of_work(tenant.id) as session:
        return list(session.scalars(select(ExceptionRow).where(ExceptionRow.tenant_id == tenant.id)))
