"""Benchmarks of the hot paths, on a durable store of their own: ``icommerce bench`` and ``make bench``.

A row says how many operations by how many clients, how fast, the median and the 99th percentile, and the CPU that
our processes and the database's spent per operation.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import psutil

from app.bench_flat import FLAT, flat_rows
from app.bench_operations import BENCHMARKS as OPERATIONS
from app.bench_operations import Bench, Operation, bench_complete
from app.bench_scene import SIZES, Scene, set_scene, settle_down, stock_up
from app.boot import House, fill_index, open_index, open_runtime, open_store
from engine.demo.seed import seed_demo
from engine.settings import Settings

Say = Callable[[str], None]
BENCHMARKS: Final = (*OPERATIONS, FLAT)
_WARM: Final = 6
"""Operations of each client before the clock runs: connections and plans are made."""


@dataclass(frozen=True, slots=True)
class Row:
    """One benchmark's figures; times in milliseconds. ``size`` says what one operation is."""

    name: str
    n: int
    clients: int
    per_second: float
    p50_ms: float
    p99_ms: float
    cpu_ms_per_op: float
    processes: int = 1
    size: str = SIZES


def run(names: Sequence[str], *, n: int, clients: int, say: Say, processes: int = 1) -> list[Row]:
    """Run the named benchmarks (all of them for none) on a fresh, durable, embedded store.

    Raises ``KeyError`` for an unknown name.
    """
    from app.bench_workers import Workers

    chosen = list(names or BENCHMARKS)
    if unknown := set(chosen) - set(BENCHMARKS):
        raise KeyError(unknown.pop())
    rows: list[Row] = []
    with _scene(say) as scene, ExitStack() as open_workers:
        many = open_workers.enter_context(Workers(scene, processes)) if processes > 1 else None
        for name in chosen:
            if name == FLAT:
                rows += [Row(**figures) for figures in flat_rows(scene, say, _sales(scene, n))]
            elif many is None:
                rows.append(Row(**_figures(*measure(scene, name, n, clients, say), clients=clients), name=name))
            else:
                say(f"{name}: {n} by {clients} clients over {processes} processes")
                timing = _figures(*many.measure(name, n, clients), clients=clients)
                rows.append(Row(**timing, name=name, processes=processes))
    return rows


def as_rows(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """The rows as JSON."""
    return [asdict(row) for row in rows]


def measure(scene: Scene, name: str, n: int, clients: int, say: Say) -> tuple[list[float], float, float]:
    """The seconds of each operation, of all of them, and of CPU, by this process alone."""
    say(f"{name}: preparing {n}")
    operations = prepare(scene, OPERATIONS[name], n, clients)
    say(f"{name}: running with {clients} clients")
    cpu, start = cpu_seconds(scene), time.perf_counter()
    times = drive(operations, clients)
    return times, time.perf_counter() - start, cpu_seconds(scene) - cpu


def prepare(scene: Scene, make: Bench, n: int, clients: int) -> list[Operation]:
    """Operations ready to be run, with connections and plans as they are in a shop that is open for a while."""
    operations = [make(scene) for _ in range(n)]
    warm = [make(scene) for _ in range(_WARM * clients * 2)]
    half = len(warm) // 2
    drive(warm[:half], clients)
    settle_down(scene.house)
    drive(warm[half:], clients)
    return operations


def drive(operations: Sequence[Operation], clients: int) -> list[float]:
    """Run them with ``clients`` at a time; the seconds of each."""
    with ThreadPoolExecutor(clients) as pool:
        return list(pool.map(_timed, operations))


def cpu_seconds(scene: Scene) -> float:
    """CPU of this process and, where it is ours to see, of the embedded database's processes."""
    return time.process_time() + database_cpu_seconds(scene)


def database_cpu_seconds(scene: Scene) -> float:
    """CPU of the embedded database's processes; 0 of another."""
    server = scene.house.addresses.embedded
    if server is None:
        return 0.0
    backends = [psutil.Process(server.pid), *psutil.Process(server.pid).children(recursive=True)]
    return sum(sum(process.cpu_times()[:2]) for process in backends if process.is_running())


def _sales(scene: Scene, n: int) -> Callable[[Mapping[str, int]], dict[str, Any]]:
    """Measures purchases of one basket, one at a time."""

    def measured(basket: Mapping[str, int]) -> dict[str, Any]:
        operations = prepare(scene, lambda each: bench_complete(each, basket), n, clients=1)
        cpu, start = cpu_seconds(scene), time.perf_counter()
        times = drive(operations, clients=1)
        return _figures(times, time.perf_counter() - start, cpu_seconds(scene) - cpu, clients=1)

    return measured


def _figures(times: list[float], wall: float, cpu: float, *, clients: int) -> dict[str, Any]:
    n, ordered = len(times), sorted(times)
    return {
        "n": n,
        "clients": clients,
        "per_second": round(n / wall, 1),
        "p50_ms": round(ordered[n // 2] * 1000, 2),
        "p99_ms": round(ordered[min(n - 1, n * 99 // 100)] * 1000, 2),
        "cpu_ms_per_op": round(cpu / n * 1000, 2),
    }


def _timed(operation: Operation) -> float:
    start = time.perf_counter()
    operation()
    return time.perf_counter() - start


@contextmanager
def _scene(say: Say) -> Iterator[Scene]:
    home = Path(tempfile.mkdtemp(prefix="icommerce-bench-"))
    settings = Settings.from_env({"ICOMMERCE_HOME": str(home)})
    addresses = open_store(settings, say)
    index, embedder = open_index(settings)
    house = House(addresses, open_runtime(settings, addresses, index=index, embedder=embedder))
    try:
        tenant_id = seed_demo(house.runtime.store, progress=say)[0]
        fill_index(house.runtime, index, embedder, say)
        scene = set_scene(house, tenant_id, seed=0)
        stock_up(scene, units=100_000)
        yield scene
    finally:
        house.close()
        from engine.embedded_postgres import wipe

        wipe(home)
        shutil.rmtree(home)
