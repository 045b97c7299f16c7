"""What a process hands to the durable engine, and what it leaves alone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, update

from engine.kit import clock
from engine.kit.tenancy import Tenant
from engine.runtime import Runtime
from engine.workflows import starting
from engine.workflows.executing import AT_ONCE, Execution
from engine.workflows.models import RunMode, RunRow
from engine.workflows.rehearsal import Rehearsal, rehearse
from engine.workflows.run import Run
from tests.engine.workflows.toys import Toy, registered, toy


class Engine:
    """Stands for the durable engine: what it was given."""

    def __init__(self) -> None:
        self.handed: list[str] = []
        self.woken: list[str] = []

    def hand_over(self, run: RunRow) -> None:
        self.handed.append(run.id)

    def wake(self, runs: list[RunRow]) -> None:
        self.woken += [run.id for run in runs]


def body(run: Run, payload: Toy) -> dict[str, Any]:
    return {}


@pytest.fixture
def only(runtime: Runtime, tenant: Tenant) -> Iterator[Runtime]:
    """A workflow of which only the shops of a test have runs."""
    with registered(toy(body)):
        yield runtime
        with runtime.unit_of_work(tenant.id) as session:
            session.execute(delete(RunRow).where(RunRow.tenant_id == tenant.id))


def dispatched(runtime: Runtime) -> Engine:
    engine = Engine()
    execution = Execution(runtime, engine)  # type: ignore[arg-type]  # (what it needs of one)
    execution.watch()
    execution.dispatch()
    return engine


def become(runtime: Runtime, tenant: Tenant, run_id: str, **values: Any) -> None:
    with runtime.unit_of_work(tenant.id) as session:
        session.execute(update(RunRow).where(RunRow.id == run_id).values(**values))


def shadow_of(runtime: Runtime, tenant: Tenant) -> Rehearsal:
    return rehearse(runtime, tenant.id, toy(body, version="1.1.0"), Toy(ref="#1"), mode=RunMode.SHADOW)


@pytest.mark.parametrize(
    "values", [{"status": "queued", "ended_at": None}, {"status": "waiting", "ended_at": None, "next_try_at": "past"}]
)
def test_a_shadow_is_its_own_players_and_nobody_elses(only: Runtime, tenant: Tenant, values: dict[str, Any]) -> None:
    live, _ = starting.start(only, tenant.id, "toy", {"ref": "#1"}, trigger="test")
    shadow = shadow_of(only, tenant).ticket.run_id
    if "next_try_at" in values:
        values = values | {"next_try_at": clock.now() - timedelta(minutes=1)}
    for run_id in (live, shadow):
        become(only, tenant, run_id, **values)
    engine = dispatched(only)
    assert engine.handed + engine.woken == [live]


def test_a_shop_with_a_backlog_gives_way_after_a_few_runs(only: Runtime, tenant: Tenant, make_tenant: Any) -> None:
    other = make_tenant()
    with only.unit_of_work(tenant.id) as session:
        for number in range(120):
            starting.begin(session, tenant.id, "toy", {"ref": f"#{number}"}, trigger="test")
    its, _ = starting.start(only, other.id, "toy", {"ref": "#1"}, trigger="test")
    first = dispatched(only).handed
    assert [run_id.startswith(tenant.id) for run_id in first].count(True) == AT_ONCE
    assert its in first
    handed = [run_id for _ in range(6) for run_id in dispatched(only).handed]
    assert its not in handed
    assert len({*first, *handed}) == 121


def test_a_shadow_that_is_over_is_not_begun_anew_by_hand(only: Runtime, tenant: Tenant) -> None:
    shadow = shadow_of(only, tenant)
    with pytest.raises(starting.NotLive), only.unit_of_work(tenant.id) as session:
        starting.retry(session, tenant.id, shadow.ticket.run_id, actor="ops")
    assert (shadow.row().status, shadow.row().turn) == ("done", 1)
