"""Runs by the durable engine, in processes that are killed: everything is done once, and by somebody."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, select, text

from engine.db import Addresses
from engine.kit.tenancy import Tenant
from engine.runtime import Runtime
from engine.sync.work_models import ExceptionRow
from engine.workflows import durable, starting
from engine.workflows.models import RunRow, RunStatus
from engine.workflows.run import Run
from tests.engine.workflows.toys import Toy, registered, toy
from tests.engine.workflows.worker import NAME

ROOT = Path(__file__).parents[3]
PATIENCE = 60.0
BACKLOG = 400


@pytest.fixture(scope="module")
def migrated(addresses: Addresses) -> Addresses:
    durable.migrate(addresses)
    durable.migrate(addresses)  # twice is once
    return addresses


class Crew:
    """Processes that execute, one file of effects."""

    def __init__(self, addresses: Addresses, folder: Path) -> None:
        self._addresses, self.effects = addresses, folder / "effects"
        self.effects.touch()
        self.people: list[subprocess.Popen[str]] = []

    def hire(self, executor: str, **told: Any) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.engine.workflows.worker"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'agents'}"},
        )
        facts = {"runtime": self._addresses.runtime, "key": self._addresses.secret_key.hex()}
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(facts | {"effects": str(self.effects), "executor": executor} | told) + "\n")
        process.stdin.flush()
        self.people.append(process)
        return process

    def go(self) -> None:
        self.effects.with_suffix(".go").touch()

    def done(self) -> list[str]:
        return [line.rpartition(" ")[2] for line in self.effects.read_text().splitlines()]

    def dismiss(self) -> None:
        for process in self.people:
            if process.poll() is None:
                process.kill()
            process.communicate()


@pytest.fixture
def crew(migrated: Addresses, tmp_path: Path) -> Iterator[Crew]:
    made = Crew(migrated, tmp_path)
    yield made
    made.dismiss()


def unused(run: Run, payload: Toy) -> dict[str, Any]:
    raise AssertionError("this process executes nothing")


@pytest.fixture
def begin(runtime: Runtime, tenant: Tenant) -> Callable[..., str]:
    def started(ref: str, note: str = "") -> str:
        with registered(toy(unused, name=NAME)):
            return starting.start(runtime, tenant.id, NAME, {"ref": ref, "note": note}, trigger="test")[0]

    return started


@pytest.fixture
def until(runtime: Runtime, tenant: Tenant) -> Callable[..., RunRow]:
    """The run, once it is so; an error when that takes too long."""

    def waited(run_id: str, so: Callable[[RunRow], bool]) -> RunRow:
        ends = time.monotonic() + PATIENCE
        while time.monotonic() < ends:
            with runtime.unit_of_work(tenant.id) as session:
                row = starting.get(session, tenant.id, run_id)
            if so(row):
                return row
            time.sleep(0.05)
        raise AssertionError(f"{row.status} at {row.step!r}: {row.error}")

    return waited


def is_done(row: RunRow) -> bool:
    return row.status == RunStatus.DONE


@pytest.mark.parametrize("where", ["inside", "between"])
def test_a_killed_processs_run_is_adopted_and_everything_is_done_once(
    crew: Crew, begin: Callable[..., str], until: Callable[..., RunRow], where: str
) -> None:
    run_id = begin("#1")
    first = crew.hire(f"first-{where}", kill={"two": where})
    assert first.wait(PATIENCE) == -signal.SIGKILL
    assert crew.done() == (["one", "two"] if where == "inside" else ["one"])
    crew.hire(f"second-{where}", beat=0.2, dead_after=1.0)
    row = until(run_id, is_done)
    assert crew.done() == ["one", "two", "three"]
    assert (row.result, row.executor_id, row.turn) == ({"ref": "#1"}, f"second-{where}", 1)


def test_what_waits_long_leaves_its_thread_and_goes_on_when_it_is_woken(
    crew: Crew, begin: Callable[..., str], until: Callable[..., RunRow], runtime: Runtime, tenant: Tenant
) -> None:
    ids = [begin(f"#{number}", "waits") for number in range(6)]  # more than a shop may have at once
    crew.hire("waiter", beat=0.2)
    for run_id in ids:
        row = until(run_id, lambda row: row.status == RunStatus.WAITING)
        assert (row.step, row.error_code, row.next_try_at is not None) == ("waits", "vendor_rate_limited", True)
    after = begin("#after")
    until(after, is_done)
    crew.go()
    with runtime.unit_of_work(tenant.id) as session:
        for run_id in ids:
            starting.hasten(session, tenant.id, run_id, actor="ops")
    for run_id in ids:
        until(run_id, is_done)
    assert crew.done().count("late") == 6
    assert crew.done().count("one") == 7


def test_a_run_that_fails_is_queued_for_a_person_and_retried_from_the_top(
    crew: Crew, begin: Callable[..., str], until: Callable[..., RunRow], runtime: Runtime, tenant: Tenant
) -> None:
    run_id = begin("#1", "refused")
    crew.hire("failer")
    row = until(run_id, lambda row: row.status == RunStatus.FAILED)
    assert (row.step, row.error_code) == ("refused", "vendor_rejected")
    with registered(toy(unused, name=NAME)), runtime.unit_of_work(tenant.id) as session:
        starting.retry(session, tenant.id, run_id, actor="ops", payload={"ref": "#1", "note": "fixed"})
    row = until(run_id, is_done)
    assert (row.turn, row.error) == (2, "")
    with runtime.unit_of_work(tenant.id) as session:
        its = select(ExceptionRow).where(ExceptionRow.tenant_id == tenant.id)
        assert [one.status for one in session.scalars(its)] == ["resolved"]


def test_a_process_that_is_asked_to_stop_leaves_its_runs_to_others(
    crew: Crew, begin: Callable[..., str], until: Callable[..., RunRow]
) -> None:
    run_id = begin("#1", "slow")
    first = crew.hire("stopper")
    until(run_id, lambda row: row.step == "three" and row.status == RunStatus.RUNNING)
    first.send_signal(signal.SIGTERM)
    out, _ = first.communicate(timeout=PATIENCE)
    assert out.splitlines()[-1] == "stopped"  # before that it may say whose runs it adopted
    crew.go()
    crew.hire("other")
    assert until(run_id, is_done).result == {"ref": "#1"}
    assert crew.done() == ["one", "two", "three"]


def kept_of(runtime: Runtime, run_id: str) -> dict[str, int]:
    """How many rows the engine's tables have of a run."""
    tables = ("workflow_status", "workflow_input", "workflow_output", "operation_outputs")
    with runtime.store.without_tenant() as session:
        return {
            table: session.scalar(
                text(f"SELECT count(*) FROM dbos.{table} WHERE workflow_uuid LIKE :its"),  # noqa: S608 (names of theirs)
                {"its": f"{run_id}~%"},
            )
            or 0
            for table in tables
        }


def test_what_the_engine_kept_goes_with_a_runs_end_and_what_waits_goes_on(
    crew: Crew, begin: Callable[..., str], until: Callable[..., RunRow], runtime: Runtime, tenant: Tenant
) -> None:
    waits, ends = begin("#waits", "waits"), begin("#ends")
    crew.hire("forgetter", beat=0.2, kept=0)
    until(waits, lambda row: row.status == RunStatus.WAITING)
    until(ends, lambda row: is_done(row) and not any(kept_of(runtime, ends).values()))
    assert kept_of(runtime, waits)["operation_outputs"] > 0
    crew.go()
    with runtime.unit_of_work(tenant.id) as session:
        starting.hasten(session, tenant.id, waits, actor="ops")
    until(waits, lambda row: is_done(row) and not any(kept_of(runtime, waits).values()))
    assert sorted(crew.done()) == sorted([*["one", "two", "three"] * 2, "late"])


def test_a_backlog_of_one_shop_keeps_no_other_waiting(
    crew: Crew, until: Callable[..., RunRow], begin: Callable[..., str], runtime: Runtime, make_tenant: Any
) -> None:
    busy = make_tenant()
    with registered(toy(unused, name=NAME)), runtime.unit_of_work(busy.id) as session:
        for number in range(BACKLOG):
            starting.begin(session, busy.id, NAME, {"ref": f"#{number}"}, trigger="test")
    its = begin("#1")
    crew.hire("fair")
    until(its, is_done)
    ended = [line.rpartition(" ")[0] for line in crew.effects.read_text().splitlines() if line.endswith(" three")]
    crew.dismiss()
    assert ended.index(its) <= BACKLOG // 4  # a few of the busy shop's, not all of them
    with runtime.unit_of_work(busy.id) as session:
        session.execute(delete(RunRow).where(RunRow.tenant_id == busy.id))


def test_runs_that_are_to_be_alone_are_done_one_after_the_other(
    crew: Crew, until: Callable[..., RunRow], begin: Callable[..., str]
) -> None:
    runs = [begin(f"#{number}") for number in range(12)]
    crew.hire("one at a time", alone=True)
    for run in runs:
        until(run, is_done)
    owners = [line.rpartition(" ")[0] for line in crew.effects.read_text().splitlines()]
    assert [len(set(owners[first : first + 3])) for first in range(0, len(owners), 3)] == [1] * len(runs)
    assert sorted(set(owners)) == sorted(runs)


def test_nothing_of_a_run_is_in_the_engines_tables_but_its_name_and_results(
    crew: Crew, begin: Callable[..., str], until: Callable[..., RunRow], runtime: Runtime
) -> None:
    run_id = begin("#1", "a-word-of-the-payload")
    crew.hire("teller")
    until(run_id, is_done)
    with runtime.store.without_tenant() as session:
        status, inputs = (
            session.execute(text(f"SELECT * FROM dbos.{table} WHERE workflow_uuid = :id"), {"id": f"{run_id}~1"}).one()  # noqa: S608 (two names of ours)
            for table in ("workflow_status", "workflow_input")
        )
    assert json.loads(inputs.inputs)["positionalArgs"] == [run_id.partition(":")[0], run_id, 1]
    assert "a-word-of-the-payload" not in f"{status}{inputs}"
    assert status.serialization == "portable_json"
