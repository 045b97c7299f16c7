"""Benchmarks of the hot paths, on a durable store of their own: ``icommerce bench`` and ``make bench``.

A row says how many operations by how many clients, how fast, the median and the 99th percentile, and the CPU that
our process and the database's spent per operation.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

import psutil
from sqlalchemy import select, text

from app.boot import House, fill_index, open_index, open_runtime, open_store
from engine.carts import service as carts
from engine.catalog.models import Variant
from engine.catalog.search import SearchRequest
from engine.checkout import confirmation, service
from engine.checkout.complete import Result, complete
from engine.customers import service as customers
from engine.demo.seed import seed_demo
from engine.inventory import queries as _inventory_queries  # noqa: F401 (maps the tables)
from engine.inventory.models import Location, MovementKind
from engine.inventory.service import Allocation, receive
from engine.kit.identity import Identity
from engine.runtime import Runtime
from engine.settings import Settings

Say = Callable[[str], None]
Operation = Callable[[], None]
_ADDRESS: Final = service.Details(
    name="Bench Buyer",
    email="bench@example.com",
    line_one="12 Pine St",
    city="Portland",
    state="OR",
    postal_code="97204",
    country="US",
)
_QUERIES: Final = ("warm sleeping bag for winter", "waterproff boots", "something to cook on outside", "gift under 30")


@dataclass(frozen=True, slots=True)
class Row:
    """One benchmark's figures; times in milliseconds."""

    name: str
    n: int
    clients: int
    per_second: float
    p50_ms: float
    p99_ms: float
    cpu_ms_per_op: float


@dataclass(frozen=True, slots=True)
class Scene:
    """What operations are made of: a running engine, its first shop, a variant there is plenty of."""

    house: House
    tenant_id: str
    variant_id: str

    @property
    def runtime(self) -> Runtime:
        return self.house.runtime

    def buyer(self) -> Identity:
        with self.runtime.unit_of_work(self.tenant_id) as session:
            return customers.new_shopper(session, self.tenant_id)


def bench_complete(scene: Scene) -> Operation:
    """One purchase from an approved card to the paid order: two commits of ours, one of the gateway's."""
    buyer = scene.buyer()
    _fill(scene, buyer)
    with scene.runtime.unit_of_work(scene.tenant_id) as session:
        service.update(session, buyer, _ADDRESS)
    card = confirmation.request(scene.runtime, buyer, thread_id=None)
    with scene.runtime.unit_of_work(scene.tenant_id) as session:
        confirmation.decide(session, buyer, card.id, approved=True, channel="bench")

    def run() -> None:
        done = complete(scene.runtime, buyer, card.id)
        if done.result != Result.PAID:
            raise RuntimeError(f"the benchmark's purchase ended as {done.result}: {done.message}")

    return run


def bench_card(scene: Scene) -> Operation:
    """Showing the payment card: price everything, delegate a token, write the consent."""
    buyer = scene.buyer()
    _fill(scene, buyer)
    with scene.runtime.unit_of_work(scene.tenant_id) as session:
        service.update(session, buyer, _ADDRESS)
    return lambda: _discard(confirmation.request(scene.runtime, buyer, thread_id=None))


def bench_add_to_cart(scene: Scene) -> Operation:
    """Putting one item into an empty cart."""
    buyer = scene.buyer()
    return lambda: _fill(scene, buyer)


def bench_search(scene: Scene) -> Operation:
    """A search by words and meaning, five products with variants and stock."""
    request = SearchRequest(query=_QUERIES[hash(scene.buyer().id) % len(_QUERIES)], limit=5)

    def run() -> None:
        with scene.runtime.unit_of_work(scene.tenant_id) as session:
            scene.runtime.search.search(session, scene.tenant_id, request)

    return run


def bench_commit_floor(scene: Scene) -> Operation:
    """What the disk allows: three durable one-row commits, the least a sale could cost."""

    def run() -> None:
        for _ in range(3):
            with scene.runtime.store.without_tenant() as session:
                session.execute(text("UPDATE app.tenants SET demo = demo WHERE id = :id"), {"id": scene.tenant_id})

    return run


BENCHMARKS: Final[dict[str, Callable[[Scene], Operation]]] = {
    "complete": bench_complete,
    "card": bench_card,
    "add_to_cart": bench_add_to_cart,
    "search": bench_search,
    "commit_floor": bench_commit_floor,
}


def run(names: Sequence[str], *, n: int, clients: int, say: Say) -> list[Row]:
    """Run the named benchmarks (all of them for none) on a fresh, durable, embedded store.

    Raises ``KeyError`` for an unknown name.
    """
    chosen = {name: BENCHMARKS[name] for name in names or BENCHMARKS}
    with _scene(say, units=n * len(chosen) * 2 + 100) as scene:
        return [_measure(scene, name, make, n=n, clients=clients, say=say) for name, make in chosen.items()]


def as_rows(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """The rows as JSON."""
    return [asdict(row) for row in rows]


def _measure(scene: Scene, name: str, make: Callable[[Scene], Operation], *, n: int, clients: int, say: Say) -> Row:
    say(f"{name}: preparing {n}")
    operations = [make(scene) for _ in range(n)]
    _timed(make(scene))
    say(f"{name}: running with {clients} clients")
    cpu, start = _cpu_seconds(scene), time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        times = sorted(pool.map(_timed, operations))
    wall, spent = time.perf_counter() - start, _cpu_seconds(scene) - cpu
    return Row(
        name=name,
        n=n,
        clients=clients,
        per_second=round(n / wall, 1),
        p50_ms=round(times[len(times) // 2] * 1000, 2),
        p99_ms=round(times[min(len(times) - 1, len(times) * 99 // 100)] * 1000, 2),
        cpu_ms_per_op=round(spent / n * 1000, 2),
    )


def _timed(operation: Operation) -> float:
    start = time.perf_counter()
    operation()
    return time.perf_counter() - start


def _cpu_seconds(scene: Scene) -> float:
    """CPU of this process and, where it is ours to see, of the embedded database's processes."""
    spent = time.process_time()
    server = scene.house.addresses.embedded
    if server is not None:
        backends = [psutil.Process(server.pid), *psutil.Process(server.pid).children(recursive=True)]
        spent += sum(sum(process.cpu_times()[:2]) for process in backends if process.is_running())
    return spent


@contextmanager
def _scene(say: Say, *, units: int) -> Iterator[Scene]:
    home = Path(tempfile.mkdtemp(prefix="icommerce-bench-"))
    settings = Settings.from_env({"ICOMMERCE_HOME": str(home)})
    addresses = open_store(settings, say)
    index, embedder = open_index(settings)
    runtime = open_runtime(settings, addresses, index=index, embedder=embedder)
    house = House(addresses, runtime)
    try:
        tenant_id = seed_demo(runtime.store, progress=say)[0]
        fill_index(runtime, index, embedder, say)
        yield Scene(house, tenant_id, _plenty(runtime, tenant_id, units))
    finally:
        house.close()
        from engine.embedded_postgres import wipe

        wipe(home)
        shutil.rmtree(home)


def _plenty(runtime: Runtime, tenant_id: str, units: int) -> str:
    """A variant with ``units`` units of stock spread over the places that ship, so that one row is not the story."""
    with runtime.unit_of_work(tenant_id) as session:
        variants = session.scalars(select(Variant.id).where(Variant.tenant_id == tenant_id).order_by(Variant.sku)).all()
        places = session.scalars(select(Location.id).where(Location.tenant_id == tenant_id, Location.ships)).all()
        chosen = next(islice(variants, 1))
        parts = [Allocation(chosen, place, units) for place in places]
        receive(session, tenant_id, parts, kind=MovementKind.RECEIPT, subject="bench")
    return chosen


def _fill(scene: Scene, buyer: Identity) -> None:
    with scene.runtime.unit_of_work(scene.tenant_id) as session:
        carts.add(session, buyer, scene.variant_id, quantity=1, options={})


def _discard(_: object) -> None:
    """A benchmark's result is not needed."""
