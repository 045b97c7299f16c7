"""The benchmarks' clock: operations made ready, driven, and put into figures."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Final

import psutil

from app.bench_operations import Bench, Operation
from app.bench_scene import Scene, settle_down
from engine.db import Addresses

Say = Callable[[str], None]
_WARM: Final = 6
"""Operations of each client before the clock runs: connections and plans are made."""


def prepare(scene: Scene, make: Bench, n: int, clients: int) -> list[Operation]:
    """Operations ready to be run, with connections and plans as they are in a shop that is open for a while."""
    operations = [make(scene) for _ in range(n)]
    warm = [make(scene) for _ in range(_WARM * clients * 2)]
    half = len(warm) // 2
    drive(warm[:half], clients)
    settle_down(scene.house.addresses)
    drive(warm[half:], clients)
    return operations


def drive(operations: Sequence[Operation], clients: int) -> list[float]:
    """Run them with ``clients`` at a time; the seconds of each."""
    with ThreadPoolExecutor(clients) as pool:
        return list(pool.map(_timed, operations))


def cpu_seconds(addresses: Addresses) -> float:
    """CPU of this process and, where it is ours to see, of the embedded database's processes."""
    return time.process_time() + database_cpu_seconds(addresses)


def database_cpu_seconds(addresses: Addresses) -> float:
    """CPU of the embedded database's processes, ended ones too; 0 of another database."""
    if addresses.embedded is None:
        return 0.0
    postmaster = psutil.Process(addresses.embedded.pid)
    spent = sum(postmaster.cpu_times()[:4])  # with that of its children that have ended
    for process in postmaster.children(recursive=True):
        with suppress(psutil.Error):
            spent += sum(process.cpu_times()[:2])
    return float(spent)


def figures(times: list[float], wall: float, cpu: float, *, clients: int) -> dict[str, Any]:
    """A row's figures out of the seconds of each operation, of all of them, and of CPU."""
    n, ordered = len(times), sorted(times)
    return {
        "n": n,
        "clients": clients,
        "per_second": round(n / wall, 1),
        "p50_ms": round(ordered[n // 2] * 1000, 2),
        "p95_ms": round(ordered[min(n - 1, n * 95 // 100)] * 1000, 2),
        "p99_ms": round(ordered[min(n - 1, n * 99 // 100)] * 1000, 2),
        "cpu_ms_per_op": round(cpu / n * 1000, 2),
    }


def _timed(operation: Operation) -> float:
    start = time.perf_counter()
    operation()
    return time.perf_counter() - start
