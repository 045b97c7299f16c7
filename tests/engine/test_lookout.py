"""One look for a whole process: what it tells is what each shop's own look would tell, and quiet shops cost nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Self

import pytest
from sqlalchemy import event, update

from engine import jobs
from engine.db import Addresses, Store
from engine.kit import audit
from engine.kit.tenancy import Tenant
from engine.lookout import Lookout
from engine.runtime import Runtime
from engine.workflows import pipeline, starting
from engine.workflows.executing import Execution
from tests.conftest import copied, new_tenant
from tests.engine.workflows.test_executing import Engine, body
from tests.engine.workflows.toys import registered, toy
from tests.shop import Shop

SHOPS = 25


@pytest.fixture(scope="module")
def quiet(addresses: Addresses, worker_id: str) -> Iterator[Store]:
    """A database with shops in which nothing happens."""
    store = Store(copied(addresses, f"quiet_{worker_id}").runtime)
    for _ in range(SHOPS):
        new_tenant(store)
    yield store
    store.close()


class Trips:
    """How often connections of a store were taken, and what for."""

    def __init__(self, store: Store) -> None:
        self.number, self.store = 0, store

    def __enter__(self) -> Self:
        event.listen(self.store.engine, "checkout", self._count)
        return self

    def __exit__(self, *_: object) -> None:
        event.remove(self.store.engine, "checkout", self._count)

    def _count(self, *_: Any) -> None:
        self.number += 1


@pytest.fixture
def process(quiet: Store, runtime: Runtime) -> Iterator[Any]:
    """Everything that goes on beside the requests of a process, round by round, with a clock that a test moves."""
    here = replace(runtime, store=quiet)
    seconds = [100.0]
    lookout = Lookout(quiet, seconds=lambda: seconds[0])
    with registered(toy(body)):
        engine = Engine()
        execution = Execution(here, engine, lookout=lookout)  # type: ignore[arg-type]  # (what it needs of one)
        execution.watch()
        jobs.watch(lookout)

        def rounds(times: int, *, after: float = 0.0) -> Engine:
            seconds[0] += after
            for _ in range(times):
                jobs.run_once(here, lookout)
                execution.dispatch()
                execution.hear()
                execution.poll()
            return engine

        yield rounds


def shops(store: Store) -> list[str]:
    return store.tenant_ids()


def test_quiet_shops_cost_a_process_one_trip_a_second(process: Any, quiet: Store) -> None:
    with Trips(quiet) as trips:
        process(3)
        assert trips.number == 1
        process(3, after=0.9)
        assert trips.number == 1
        process(3, after=0.1)
        assert trips.number == 2


def test_what_waits_in_one_shop_is_found_and_the_others_are_left_alone(
    process: Any, quiet: Store, runtime: Runtime
) -> None:
    process(1)
    _, one, *_ = shops(quiet)
    run_id, _ = starting.start(replace(runtime, store=quiet), one, "toy", {"ref": "#1"}, trigger="test")
    with Trips(quiet) as trips:
        assert process(1, after=1.0).handed == [run_id]
        assert trips.number == 2  # the look, and what was found
        assert process(1, after=0.3).handed == [run_id]
        assert trips.number == 3  # it looks again soon, for something was found


def test_a_shop_that_is_suspended_keeps_its_house_and_begins_nothing(
    process: Any, quiet: Store, runtime: Runtime
) -> None:
    here = replace(runtime, store=quiet)
    one = shops(quiet)[2]
    starting.start(here, one, "toy", {"ref": "#1"}, trigger="test")
    with quiet.unit_of_work(one) as session:
        audit.record(session, one, actor="system", action="test.written", subject=one)
        pipeline.switch(session, one, actor="ops", workflow="toy", on=True)
    with quiet.without_tenant() as session:
        session.execute(update(Tenant).where(Tenant.id == one).values(status="suspended"))
    assert one not in " ".join(process(1, after=1.0).handed)
    with quiet.unit_of_work(one) as session:
        assert session.query(audit.AuditRow).filter(audit.AuditRow.hash.is_(None)).count() == 0
    with quiet.without_tenant() as session:
        session.execute(update(Tenant).where(Tenant.id == one).values(status="active"))
    assert f"{one}:toy:#1" in process(1, after=1.0).handed


def test_it_tells_of_each_shop_what_the_shops_own_look_tells(shop: Shop, make_tenant: Any) -> None:
    shop.add("A")
    make_tenant()
    with shop.uow() as session:
        audit.record(session, shop.tenant.id, actor="system", action="test.written", subject=shop.tenant.id)
    lookout = Lookout(shop.runtime.store)
    lookout.watch(jobs.DUE)
    told = {job: set(lookout.due(job, suspended=True)) for job in jobs.DUE}
    assert shop.tenant.id in told[jobs.seal_audit]
    for tenant_id in shop.runtime.store.tenant_ids(suspended=True):
        own = set(jobs.due_now(shop.runtime, tenant_id))
        assert own == {job for job, there in told.items() if tenant_id in there}, tenant_id


def test_every_job_of_every_second_says_what_it_waits_for() -> None:
    assert set(jobs.EVERY_SECOND) == set(jobs.DUE)
