"""Orders of five shops through the first three workflows, by two worker processes, against the sandbox over sockets.

One operation is an order: from the shop to the ERP, from there to the warehouse, and back as a tracking number. Two
in a hundred requests fail, half of them after the work was done.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import psutil
from sqlalchemy import func, select, update

from app.bench_timing import Say, database_cpu_seconds
from app.boot import House, open_runtime, open_store
from app.demo_systems import connect
from engine.kit import clock
from engine.kit.ids import new_id
from engine.kit.tenancy import Tenant
from engine.settings import Settings
from engine.sync.sandbox.emitting import place_order
from engine.sync.sandbox.faults import Rule
from engine.sync.sandbox.merchants import Merchant
from engine.sync.sandbox.presets import basket, read_goods
from engine.sync.sandbox.serving import serving
from engine.sync.sandbox.snapshot import snapshot
from engine.sync.sandbox.world import World
from engine.workflows import durable, pipeline, registry
from engine.workflows.models import CursorRow, RunRow, RunStatus

PIPELINE: Final = "pipeline"
WORKFLOWS: Final = ("shopifyToNetsuite", "netsuiteToDCL", "dclTrackingUpdate")
SHOPS: Final = 5
WORKERS: Final = 2
THREADS: Final = 6
FAULTS: Final = (("http_503", 0.01), ("timeout_after_commit", 0.01))
_LOOK_SECONDS: Final = 1.0
_PER_ORDER_SECONDS: Final = 6.0
_LEAST_SECONDS: Final = 120.0


def pipeline_rows(say: Say, n: int) -> list[dict[str, Any]]:
    """The row's figures: ``n`` orders in all, spread over the shops. Raises ``AssertionError`` where anything was done
    twice or not at all, or a vendor's limit was run into.
    """
    each = max(1, n // SHOPS)
    with ExitStack() as stack:
        house = stack.enter_context(_house(say))
        world = World.preset("summit", merchants=SHOPS)
        served = stack.enter_context(serving(world))
        shops = [_open(house, merchant, served.url) for merchant in world.merchants]
        for merchant in world.merchants:
            merchant.house.pace.picks_after = merchant.house.pace.ships_after = timedelta(seconds=1)
            for number in range(each):
                place_order(world, merchant, basket(merchant, read_goods(), number))
        for system in ("shopify", "netsuite", "dcl"):
            for kind, probability in FAULTS:
                fault = {"id": f"{system}-{kind}", "system": system, "kind": kind, "probability": probability}
                world.ground.faults.put(Rule.model_validate(fault | {"times": 1_000_000}))
        say(f"{PIPELINE}: {each * SHOPS} orders of {SHOPS} shops by {WORKERS} workers")
        cpu, start = database_cpu_seconds(house.addresses), time.perf_counter()
        workers = [stack.enter_context(_worker(house)) for _ in range(WORKERS)]
        _until_done(house, shops, each, say)
        wall, cpu = time.perf_counter() - start, database_cpu_seconds(house.addresses) - cpu
        cpu += sum(sum(psutil.Process(one.pid).cpu_times()[:2]) for one in workers)
        _prove(world, each)
        return [_row(world, each * SHOPS, wall, cpu)]


def _row(world: World, n: int, wall: float, cpu: float) -> dict[str, Any]:
    ages = sorted(_ages(world))
    struck = sum(rule.struck for rule in world.ground.faults.rules())
    size = f"{n / wall * 60:.0f} orders/min; {struck} faults; age of an order from sale to tracking, in ms"
    return {
        "name": PIPELINE,
        "n": n,
        "clients": WORKERS * THREADS,
        "processes": WORKERS,
        "per_second": round(n / wall, 2),
        "p50_ms": round(ages[len(ages) // 2] * 1000),
        "p95_ms": round(ages[min(len(ages) - 1, len(ages) * 95 // 100)] * 1000),
        "p99_ms": round(ages[min(len(ages) - 1, len(ages) * 99 // 100)] * 1000),
        "cpu_ms_per_op": round(cpu / n * 1000, 1),
        "size": size,
    }


def _ages(world: World) -> Iterator[float]:
    for merchant in world.merchants:
        for order in merchant.shop.state.orders.values():
            for parcel in order.fulfillments:
                yield (parcel.created_at - order.created_at).total_seconds()


def _prove(world: World, each: int) -> None:
    """Nothing twice, nothing missing, no limit run into."""
    for merchant in world.merchants:
        orders = merchant.shop.state.orders
        made = [str(one.fields.get("otherRefNum")) for one in merchant.account.kind("salesOrder").values()]
        assert sorted(made) == sorted(order.name for order in orders.values()), "orders are not alike in shop and ERP"
        numbers = [
            one["number"] for order in orders.values() for parcel in order.fulfillments for one in parcel.tracking
        ]
        assert len(numbers) == len(set(numbers)), "a tracking number is told twice"
        assert all(order.fulfillments for order in orders.values()), f"not all of {each} orders are on their way"
        shipments = sum(len(order.shipments) for order in merchant.house.orders.values())
        assert shipments == len(merchant.account.kind("itemFulfillment")), "shipments are not booked once each"
    for merchant in world.merchants:
        (told,) = snapshot(world, slug=merchant.slug)["merchants"].values()
        over = {name: times for name, times in told["limits"].items() if times and name != "netsuite_peak"}
        assert not over, f"a limit was run into: {over}"


def _until_done(house: House, shops: list[str], each: int, say: Say) -> None:
    """Polls are due all the time, as a shop's with many orders are."""
    ends, told = time.monotonic() + _LEAST_SECONDS + each * SHOPS * _PER_ORDER_SECONDS, -1
    while time.monotonic() < ends:
        done = sum(_done(house, tenant_id) for tenant_id in shops)
        if done >= each * SHOPS:
            return
        if done != told:
            told = done
            say(f"{PIPELINE}: {done} of {each * SHOPS} told back")
        time.sleep(_LOOK_SECONDS)
    raise AssertionError(f"only {told} of {each * SHOPS} orders came back")


def _done(house: House, tenant_id: str) -> int:
    with house.runtime.unit_of_work(tenant_id) as session:
        due = update(CursorRow).where(CursorRow.tenant_id == tenant_id, CursorRow.failures == 0)
        session.execute(due.values(due_at=clock.now()).execution_options(synchronize_session=False))
        query = select(func.count(func.distinct(RunRow.subject_ref))).where(
            RunRow.tenant_id == tenant_id, RunRow.workflow == WORKFLOWS[-1], RunRow.status == RunStatus.DONE
        )
        return session.scalar(query) or 0


def _open(house: House, merchant: Merchant, url: str) -> str:
    """A shop with the three workflows on and no other."""
    tenant_id = new_id("tenant")
    with house.runtime.store.without_tenant() as session:
        session.add(
            Tenant(
                id=tenant_id,
                slug=f"bench-{tenant_id[-8:]}",
                name="Bench",
                demo=True,
                currency="USD",
                country="US",
                settings={"order_prefix": "BN"},
            )
        )
    with house.runtime.unit_of_work(tenant_id) as session:
        connect(session, house.runtime, tenant_id, merchant, url)
        for name in registry.names():
            pipeline.switch(session, tenant_id, actor="bench", workflow=name, on=name in WORKFLOWS)
    return tenant_id


@contextmanager
def _house(say: Say) -> Iterator[House]:
    home = Path(tempfile.mkdtemp(prefix="icommerce-bench-"))
    settings = Settings.from_env({"ICOMMERCE_HOME": str(home)})
    addresses = open_store(settings, say)
    durable.migrate(addresses)
    house = House(addresses, open_runtime(settings, addresses))
    try:
        yield house
    finally:
        from engine.embedded_postgres import wipe

        house.close()
        wipe(home)
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def _worker(house: House) -> Iterator[subprocess.Popen[str]]:
    assert house.addresses.embedded is not None
    environment = os.environ | {"ICOMMERCE_HOME": str(house.addresses.embedded.home)}
    words = [sys.executable, "-m", "app.cli", "worker", "--threads", str(THREADS)]
    process = subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)  # noqa: S603 (our own words)
    try:
        assert process.stdout is not None
        if not process.stdout.readline().startswith("ready"):
            raise AssertionError("a worker does not start")
        yield process
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(15)
        process.kill()
        process.wait()
