"""The exception queue: once per run, put right, done again, one or all of one cause."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from engine.kit import clock
from engine.kit.audit import AuditRow
from engine.kit.errors import Conflict, NotFound
from engine.kit.state_machine import IllegalTransition
from engine.sync import exceptions
from engine.sync.errors import FieldFault, Rejected, SyncError, UnknownOutcome
from engine.sync.states import EXCEPTION
from engine.sync.work_models import ExceptionRow, ExceptionStatus


def unknown_sku(sku: str, line: int = 0) -> Rejected:
    return Rejected(f"There is no item '{sku}'.", fields=[FieldFault(f"item.items.{line}.item", f"{sku} is unknown")])


def put(runtime, tenant, number: int = 1, error: SyncError | None = None, **more) -> ExceptionRow:
    usual = {
        "workflow": "shopifyToNetsuite",
        "workflow_id": f"t:w1:{number}",
        "step": "map",
        "subject": f"order #{number}",
        "payload": {"sku": f"SKU-{number}"},
    }
    with runtime.unit_of_work(tenant.id) as session:
        return exceptions.put(session, tenant.id, error=error or unknown_sku(f"SKU-{number}"), **(usual | more))


def read(runtime, tenant, row: ExceptionRow) -> ExceptionRow:
    with runtime.unit_of_work(tenant.id) as session:
        return exceptions.get(session, tenant.id, row.id)


def test_a_run_is_in_the_queue_once(runtime, tenant) -> None:
    first = put(runtime, tenant)
    again = put(runtime, tenant, error=UnknownOutcome("Nobody knows."), payload={"sku": "X\0Y"})

    assert (again.id, again.times, again.code, again.fields) == (first.id, 2, "unknown_outcome", [])
    assert (again.payload, again.status) == ({"sku": "XY"}, ExceptionStatus.OPEN)
    assert first.fields == [{"path": "item.items.0.item", "message": "SKU-1 is unknown"}]


def test_eight_at_once_are_one(runtime, tenant) -> None:
    with ThreadPoolExecutor(8) as pool:
        ids = {row.id for row in pool.map(lambda _: put(runtime, tenant), range(8))}

    assert len(ids) == 1
    with runtime.unit_of_work(tenant.id) as session:
        assert session.query(ExceptionRow).one().times == 8


def test_what_has_the_same_cause_has_the_same_fingerprint() -> None:
    def told(error: SyncError, step: str = "map") -> str:
        return exceptions.fingerprint("w", step, error)

    assert told(unknown_sku("TENT-1", 0)) == told(unknown_sku("MUG-22", 7))
    assert told(Rejected("Order #1071 is 12.50 over.")) == told(Rejected("Order #9 is 1.00 over."))
    different = {
        told(unknown_sku("A")),
        told(unknown_sku("A"), "send"),
        told(UnknownOutcome("There is no item 'A'.")),
        told(Rejected("There is no item 'A'.")),
        told(Rejected("There is no customer 'A'.")),
    }
    assert len(different) == 5


def test_causes_are_counted(runtime, tenant) -> None:
    for number in range(3):
        put(runtime, tenant, number)
    put(runtime, tenant, 9, UnknownOutcome("Nobody knows."))
    with runtime.unit_of_work(tenant.id) as session:
        found = exceptions.causes(session, tenant.id)

    assert [(one.code, one.count, one.reason) for one in found] == [
        ("vendor_rejected", 3, "There is no item 'SKU-0'."),
        ("unknown_outcome", 1, "Nobody knows."),
    ]


def test_it_is_put_right_and_done_again(runtime, tenant) -> None:
    row = put(runtime, tenant)
    with runtime.unit_of_work(tenant.id) as session:
        exceptions.fix(session, tenant.id, row.id, actor="stf_1", payload={"sku": "TENT"})
    with runtime.unit_of_work(tenant.id) as session:
        (taken,) = exceptions.take_wanted(session, tenant.id)
        assert (taken.id, taken.fixed, taken.retries, taken.decided_by) == (row.id, {"sku": "TENT"}, 1, "stf_1")
    with runtime.unit_of_work(tenant.id) as session:
        assert exceptions.take_wanted(session, tenant.id) == []
        exceptions.resolved(session, tenant.id, row.workflow_id)
        exceptions.resolved(session, tenant.id, row.workflow_id)
        told = [(one.action, one.actor) for one in session.query(AuditRow).order_by(AuditRow.id)]

    assert read(runtime, tenant, row).status == ExceptionStatus.RESOLVED
    assert told == [("exception.fixed", "stf_1"), ("exception.resolved", "system")]


def test_what_fails_again_is_open_again(runtime, tenant) -> None:
    row = put(runtime, tenant)
    with runtime.unit_of_work(tenant.id) as session:
        exceptions.retry(session, tenant.id, row.id, actor="stf_1")
        exceptions.take_wanted(session, tenant.id)
    put(runtime, tenant)

    found = read(runtime, tenant, row)
    assert (found.status, found.times, found.taken_until) == (ExceptionStatus.OPEN, 2, None)


def test_a_fix_is_of_what_stopped_then_and_not_of_what_stops_later(runtime, tenant) -> None:
    row = put(runtime, tenant, payload={"sku": "A", "quantity": 1})
    with runtime.unit_of_work(tenant.id) as session:
        exceptions.fix(session, tenant.id, row.id, actor="stf_1", payload={"sku": "B", "quantity": 1})
    put(runtime, tenant, payload={"sku": "B", "quantity": 5})
    with runtime.unit_of_work(tenant.id) as session:
        exceptions.retry(session, tenant.id, row.id, actor="stf_1")
        (taken,) = exceptions.take_wanted(session, tenant.id)

    assert (taken.id, taken.payload, taken.fixed) == (row.id, {"sku": "B", "quantity": 5}, None)


@pytest.mark.usefixtures("still_clock")
def test_who_dies_over_one_leaves_it_to_the_next(runtime, tenant) -> None:
    row = put(runtime, tenant)
    with runtime.unit_of_work(tenant.id) as session:
        exceptions.retry(session, tenant.id, row.id, actor="stf_1")
        exceptions.take_wanted(session, tenant.id)
    with clock.shifted(exceptions.LEASE), runtime.unit_of_work(tenant.id) as session:
        assert [one.id for one in exceptions.take_wanted(session, tenant.id)] == [row.id]


def test_all_of_one_cause_after_a_dry_run(runtime, tenant) -> None:
    rows = [put(runtime, tenant, number) for number in range(3)]
    other = put(runtime, tenant, 9, UnknownOutcome("Nobody knows."))
    cause = rows[0].fingerprint
    with runtime.unit_of_work(tenant.id) as session:
        would = exceptions.retry_cause(session, tenant.id, cause, actor="stf_1")
        assert exceptions.take_wanted(session, tenant.id) == []
        done = exceptions.retry_cause(session, tenant.id, cause, actor="stf_1", dry_run=False)
        again = exceptions.retry_cause(session, tenant.id, cause, actor="stf_1", dry_run=False)
        wanted = exceptions.take_wanted(session, tenant.id)

    assert would == done == [row.id for row in rows]
    assert (again, [row.id for row in wanted]) == ([], done)
    assert read(runtime, tenant, other).status == ExceptionStatus.OPEN


def test_dismissed_and_opened_again(runtime, tenant) -> None:
    row = put(runtime, tenant)
    with runtime.unit_of_work(tenant.id) as session:
        exceptions.dismiss(session, tenant.id, row.id, actor="stf_1")
        with pytest.raises(IllegalTransition):
            exceptions.retry(session, tenant.id, row.id, actor="stf_1")
        exceptions.reopen(session, tenant.id, row.id, actor="stf_1")
        exceptions.dismiss(session, tenant.id, row.id, actor="stf_1")
    newer = put(runtime, tenant)
    assert newer.id != row.id
    with runtime.unit_of_work(tenant.id) as session, pytest.raises(Conflict):
        exceptions.reopen(session, tenant.id, row.id, actor="stf_1")


def test_the_queue_is_read_in_pages(runtime, tenant) -> None:
    ids = [put(runtime, tenant, number).id for number in range(5)]
    with runtime.unit_of_work(tenant.id) as session:
        first = exceptions.listed(session, tenant.id, limit=3)
        second = exceptions.listed(session, tenant.id, limit=3, cursor=first.next_cursor)
        none = exceptions.listed(session, tenant.id, workflow="other")
        cause = exceptions.listed(session, tenant.id, cause=first.items[0].fingerprint, status=None)

    assert [row.id for row in [*first.items, *second.items]] == ids[::-1]
    assert (second.next_cursor, none.items, len(cause.items)) == (None, [], 5)


def test_another_shops_is_not_found(runtime, tenant, make_tenant) -> None:
    row, other = put(runtime, tenant), make_tenant()
    with runtime.unit_of_work(other.id) as session:
        for act in (exceptions.get, exceptions.dismiss, exceptions.retry):
            more = {} if act is exceptions.get else {"actor": "stf_1"}
            with pytest.raises(NotFound):
                act(session, other.id, row.id, **more)
        assert exceptions.retry_cause(session, other.id, row.fingerprint, actor="stf_1", dry_run=False) == []
    assert read(runtime, tenant, row).status == ExceptionStatus.OPEN


@pytest.mark.usefixtures("still_clock")
def test_what_was_closed_goes_in_time(runtime, tenant) -> None:
    row = put(runtime, tenant)
    put(runtime, tenant, 2)
    with runtime.unit_of_work(tenant.id) as session:
        exceptions.dismiss(session, tenant.id, row.id, actor="stf_1")
    with clock.shifted(timedelta(days=181)), runtime.unit_of_work(tenant.id) as session:
        exceptions.forget_old(session, tenant.id, keep=timedelta(days=180))
        assert [one.subject for one in session.query(ExceptionRow)] == ["order #2"]


def test_the_table_of_states_says_everything() -> None:
    allowed = {(old, new) for old in ExceptionStatus for new in ExceptionStatus if EXCEPTION.allows(old, new)}

    assert allowed == {
        ("open", "retrying"),
        ("open", "resolved"),
        ("open", "dismissed"),
        ("retrying", "open"),
        ("retrying", "resolved"),
        ("dismissed", "open"),
    }
