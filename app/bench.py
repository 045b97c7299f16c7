"""Benchmarks of the hot paths, on a durable store of their own: ``icommerce bench`` and ``make bench``.

A row says how many operations by how many clients, how fast, the median and the 99th percentile, and the CPU that
our processes and the database's spent per operation.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from app.bench_agents import AGENTS, ONE_ITEM, agent_rows
from app.bench_conversations import CONVERSATIONS, conversation_rows
from app.bench_flat import FLAT, flat_rows
from app.bench_import import IMPORT, import_rows
from app.bench_operations import BENCHMARKS as OPERATIONS
from app.bench_pipeline import PIPELINE, pipeline_rows
from app.bench_scene import SIZES, Scene, lift_limits, set_scene, stock_up
from app.bench_timing import Say, cpu_seconds, drive, figures, prepare
from app.bench_turn import TURN, turn_rows
from app.boot import House, fill_index, open_index, open_runtime, open_store
from engine.catalog.embedder import Embedder
from engine.catalog.vectors import VectorIndex
from engine.demo.seed import seed_demo
from engine.settings import Settings

BENCHMARKS: Final = (*OPERATIONS, FLAT, IMPORT, AGENTS, ONE_ITEM, CONVERSATIONS, TURN, PIPELINE)


@dataclass(frozen=True, slots=True)
class Row:
    """One benchmark's figures; times in milliseconds. ``size`` says what one operation is."""

    name: str
    n: int
    clients: int
    per_second: float
    p50_ms: float
    p95_ms: float
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
    for name in (AGENTS, ONE_ITEM, CONVERSATIONS, PIPELINE):
        if name in chosen:
            rows += [Row(**row) for row in _own_house_rows(say, name, n, clients)]
            chosen.remove(name)
    if not chosen:
        return rows
    with _scene(say) as (scene, index, embedder), ExitStack() as open_workers:
        alone: dict[str, Callable[[], Iterable[dict[str, Any]]]] = {
            FLAT: lambda: flat_rows(scene, say, n),
            TURN: lambda: turn_rows(scene, say, n, clients),
        }
        for name in [one for one in alone if one in chosen]:
            rows += [Row(**row) for row in alone[name]()]
            chosen.remove(name)
        if wants_import := IMPORT in chosen:
            chosen.remove(IMPORT)
        many = open_workers.enter_context(Workers(scene, processes)) if processes > 1 else None
        for name in chosen:
            if many is None:
                rows.append(Row(**figures(*measure(scene, name, n, clients, say), clients=clients), name=name))
            else:
                say(f"{name}: {n} by {clients} clients over {processes} processes")
                timing = figures(*many.measure(name, n, clients), clients=clients)
                rows.append(Row(**timing, name=name, processes=processes))
        if wants_import:  # the last: the shop is another one after it
            rows += [Row(**row) for row in import_rows(scene, index, embedder, say, n)]
    return rows


def _own_house_rows(say: Say, name: str, n: int, clients: int) -> list[dict[str, Any]]:
    """Of a benchmark that opens a store of its own."""
    if name == PIPELINE:
        return pipeline_rows(say, n)
    return conversation_rows(say, n, clients) if name == CONVERSATIONS else agent_rows(say, name, n, clients)


def as_rows(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """The rows as JSON."""
    return [asdict(row) for row in rows]


def measure(scene: Scene, name: str, n: int, clients: int, say: Say) -> tuple[list[float], float, float]:
    """The seconds of each operation, of all of them, and of CPU, by this process alone."""
    say(f"{name}: preparing {n}")
    operations = prepare(scene, OPERATIONS[name], n, clients)
    say(f"{name}: running with {clients} clients")
    cpu, start = cpu_seconds(scene.house.addresses), time.perf_counter()
    times = drive(operations, clients)
    return times, time.perf_counter() - start, cpu_seconds(scene.house.addresses) - cpu


@contextmanager
def _scene(say: Say) -> Iterator[tuple[Scene, VectorIndex, Embedder]]:
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
        lift_limits(scene)
        yield scene, index, embedder
    finally:
        house.close()
        from engine.embedded_postgres import wipe

        wipe(home)
        shutil.rmtree(home)
