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
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import psutil

from app.bench_pipeline_watch import WORKFLOWS, Watch
from app.bench_timing import Say, database_cpu_seconds
from app.boot import House, open_runtime, open_store
from app.demo_systems import connect
from engine.kit.ids import new_id
from engine.kit.tenancy import Tenant
from engine.settings import Settings
from engine.sync.sandbox.emitting import place_order
from engine.sync.sandbox.faults import Rule
from engine.sync.sandbox.merchants import Merchant
from engine.sync.sandbox.presets import basket, read_goods
from engine.sync.sandbox.serving import serving
from engine.sync.sandbox.world import World
from engine.workflows import durable, pipeline, registry

PIPELINE: Final = "pipeline"
SHOPS: Final = 5
WORKERS: Final = 2
THREADS: Final = 6
MOST_UNITS: Final = 3
"""Of one thing in an order (``basket``)."""
FAULTS: Final = (("http_503", 0.01), ("timeout_after_commit", 0.01))


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
            for item in merchant.house.items.values():
                item.on_hand = max(item.on_hand, each * MOST_UNITS)  # what runs out never leaves
            for number in range(each):
                place_order(world, merchant, basket(merchant, read_goods(), number))
        for system in ("shopify", "netsuite", "dcl"):
            for kind, probability in FAULTS:
                fault = {"id": f"{system}-{kind}", "system": system, "kind": kind, "probability": probability}
                world.ground.faults.put(Rule.model_validate(fault | {"times": 1_000_000}))
        say(f"{PIPELINE}: {each * SHOPS} orders of {SHOPS} shops by {WORKERS} workers")
        workers = [stack.enter_context(_worker(house)) for _ in range(WORKERS)]
        ready, start = _spent(house, workers), time.perf_counter()
        watch = Watch(house.runtime, world, shops, each, say)
        watch.until_done()
        wall, spent = time.perf_counter() - start, _spent(house, workers) - ready
        watch.prove()
        return [_row(watch, wall, spent, ready.workers / WORKERS)]


@dataclass(frozen=True, slots=True)
class Spent:
    """CPU seconds of the workers, the database, and this process, which is the sandbox and looks how far it is."""

    workers: float
    database: float
    sandbox: float

    def __sub__(self, before: Spent) -> Spent:
        return Spent(*(getattr(self, name) - getattr(before, name) for name in self.__slots__))

    def told(self, n: int) -> str:
        parts = (f"{name} {getattr(self, name) / n * 1000:.0f}" for name in self.__slots__)
        return f"CPU ms an order: {', '.join(parts)}"


def _spent(house: House, workers: Sequence[subprocess.Popen[str]]) -> Spent:
    theirs = sum(sum(psutil.Process(one.pid).cpu_times()[:2]) for one in workers)
    return Spent(theirs, database_cpu_seconds(house.addresses), time.process_time())


def _row(watch: Watch, wall: float, spent: Spent, started: float) -> dict[str, Any]:
    n, ages = watch.each * SHOPS, sorted(_ages(watch.world))
    told = (
        f"{n / wall * 60:.0f} orders/min",
        f"{watch.journal.struck} faults in {watch.journal.calls} calls",
        spent.told(n),
        f"{started:.1f} s for a worker's start beside it",
        "age of an order from sale to tracking, in ms",
    )
    return {
        "name": PIPELINE,
        "n": n,
        "clients": WORKERS * THREADS,
        "processes": WORKERS,
        "per_second": round(n / wall, 2),
        "p50_ms": round(ages[len(ages) // 2] * 1000),
        "p95_ms": round(ages[min(len(ages) - 1, len(ages) * 95 // 100)] * 1000),
        "p99_ms": round(ages[min(len(ages) - 1, len(ages) * 99 // 100)] * 1000),
        "cpu_ms_per_op": round(sum((spent.workers, spent.database, spent.sandbox)) / n * 1000, 1),
        "size": "; ".join(told),
    }


def _ages(world: World) -> Iterator[float]:
    for merchant in world.merchants:
        for order in merchant.shop.state.orders.values():
            for parcel in order.fulfillments:
                yield (parcel.created_at - order.created_at).total_seconds()


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
