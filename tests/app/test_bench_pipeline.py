"""The load run ends by itself: it says what failed, what is stuck and why, and which limit was run into."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import httpx
import pytest

from app import bench_pipeline_watch
from app.bench_pipeline_watch import WORKFLOWS, Watch
from engine.kit import clock
from engine.kit.tenancy import Tenant
from engine.runtime import Runtime
from engine.sync.sandbox import World, WorldTransport
from engine.sync.sandbox.faults import Rule
from engine.workflows.models import CursorRow, RunRow, RunStatus


@pytest.fixture
def world() -> Iterator[World]:
    made = World.preset("summit")
    yield made
    made.close()


@pytest.fixture
def watch(runtime: Runtime, tenant: Tenant, world: World, monkeypatch: pytest.MonkeyPatch) -> Watch:
    monkeypatch.setattr(bench_pipeline_watch, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(bench_pipeline_watch, "STILL", timedelta())
    return Watch(runtime, world, [tenant.id], 2, lambda _: None)


def put(watch: Watch, workflow: str, status: RunStatus, **more: object) -> None:
    (tenant_id,) = watch.shops
    ended = clock.now() if status in {RunStatus.DONE, RunStatus.FAILED} else None
    row = RunRow(
        tenant_id=tenant_id, id=f"{tenant_id}:{workflow}:{more.get('subject_ref')}", workflow=workflow,
        version="1.0.0", status=status, subject_kind="order", payload={}, trigger="poll", ended_at=ended, **more,
    )  # fmt: skip
    with watch.runtime.unit_of_work(tenant_id) as session:
        session.add(row)


def test_it_is_over_when_all_are_back(watch: Watch) -> None:
    for number in ("#1", "#2"):
        put(watch, WORKFLOWS[-1], RunStatus.DONE, subject_ref=number, result={})
    watch.until_done()


def test_a_run_that_failed_ends_it_with_its_reason(watch: Watch) -> None:
    put(watch, WORKFLOWS[-1], RunStatus.DONE, subject_ref="#1", result={})
    put(
        watch, WORKFLOWS[0], RunStatus.FAILED,
        subject_ref="#2", step="items", attempts=8, error_code="vendor_rejected", error="no such item",
    )  # fmt: skip
    with pytest.raises(AssertionError) as ended:
        watch.until_done()
    assert str(ended.value) == (
        "1 of 2 orders are back; failed: shopifyToNetsuite of #2 is failed at items, attempt 8: no such item"
    )


def test_what_does_not_move_is_told(watch: Watch) -> None:
    put(watch, WORKFLOWS[0], RunStatus.QUEUED, subject_ref="#1")
    put(watch, WORKFLOWS[1], RunStatus.DONE, subject_ref="#2", step="look", result={"skipped": "nothing leaves"})
    with watch.runtime.unit_of_work(watch.shops[0]) as session:
        session.add(CursorRow(tenant_id=watch.shops[0], workflow=WORKFLOWS[2], failures=3, error="vendor_unavailable"))
    with pytest.raises(AssertionError) as ended:
        watch.until_done()
    assert str(ended.value) == (
        "0 of 2 orders are back; stuck: shopifyToNetsuite of #1 is queued not begun: it says nothing; "
        "netsuiteToDCL of #2 is done at look, attempt 0: nothing leaves; "
        "the poll of dclTrackingUpdate failed 3 times: vendor_unavailable"
    )


def test_limits_are_judged_by_the_vendors_own_journal(watch: Watch) -> None:
    who = watch.world.merchants[0].credentials
    line = httpx.Client(transport=WorldTransport(watch.world), auth=(who.dcl_username, who.dcl_password))
    dcl = f"http://sandbox/dcl/api/v1/orders?account_number={who.dcl_account_number}"
    fault = {"id": "crowded", "system": "dcl", "kind": "http_429"}
    watch.world.ground.faults.put(Rule.model_validate(fault))
    assert line.get(dcl).status_code == 429
    watch.journal.read()
    assert (watch.journal.calls, watch.journal.struck, watch.journal.over) == (1, 1, [])

    answers = [line.get(dcl).status_code for _ in range(40)]
    watch.journal.read()
    assert (watch.journal.calls, watch.journal.struck) == (41, 1)
    assert len(watch.journal.over) == answers.count(429) > 0
    assert watch.journal.over[0].startswith("dcl ")
    with pytest.raises(AssertionError, match="a limit was run into"):
        watch.prove()


def test_requests_that_were_forgotten_unread_are_not_passed_over(watch: Watch) -> None:
    line = httpx.Client(transport=WorldTransport(watch.world))
    line.get("http://sandbox/dcl/api/v1/orders")
    watch.world.ground.journal._entries.clear()
    line.get("http://sandbox/dcl/api/v1/orders")
    with pytest.raises(AssertionError, match="the vendors' journal has forgotten requests that nobody looked at"):
        watch.journal.read()
