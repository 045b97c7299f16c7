"""Benchmarks over several processes, as several web workers share one database."""

from __future__ import annotations

import time
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any, Self

from app.bench_operations import BENCHMARKS
from app.bench_scene import Scene, set_scene
from app.bench_timing import database_cpu_seconds, drive, prepare
from app.boot import House, open_runtime
from engine.db import Addresses
from engine.settings import Settings


@dataclass(frozen=True, slots=True)
class _Work:
    name: str
    n: int
    clients: int


class Workers:
    """Processes beside this one, each with an engine of its own on the scene's store."""

    def __init__(self, scene: Scene, processes: int) -> None:
        self._scene = scene
        context = get_context("spawn")
        ends = [context.Pipe() for _ in range(processes)]
        self._lines: list[Any] = [ours for ours, _ in ends]
        self._processes = [
            context.Process(target=_serve, args=(theirs, scene.house.addresses, scene.tenant_id, number), daemon=True)
            for number, (_, theirs) in enumerate(ends, 1)
        ]

    def __enter__(self) -> Self:
        for process in self._processes:
            process.start()
        return self

    def __exit__(self, *_: object) -> None:
        for line in self._lines:
            line.send(None)
        for process in self._processes:
            process.join(30)

    def measure(self, name: str, n: int, clients: int) -> tuple[list[float], float, float]:
        """As ``app.bench.measure``, shared out over the processes; they start together."""
        share = len(self._lines)
        for line in self._lines:
            line.send(_Work(name, n // share, max(1, clients // share)))
        for line in self._lines:
            _heard(line)  # ready
        cpu, start = database_cpu_seconds(self._scene.house.addresses), time.perf_counter()
        for line in self._lines:
            line.send("go")
        parts = [_heard(line) for line in self._lines]
        wall = time.perf_counter() - start
        spent = database_cpu_seconds(self._scene.house.addresses) - cpu + sum(part[1] for part in parts)
        return [seconds for part in parts for seconds in part[0]], wall, spent


def _heard(line: Any) -> Any:
    answer = line.recv()
    if isinstance(answer, Exception):
        raise answer
    return answer


def _serve(line: Connection[Any, Any], addresses: Addresses, tenant_id: str, number: int) -> None:
    """A worker's life: work is announced, made ready, started, and answered with its times and CPU."""
    house = House(addresses, open_runtime(Settings.from_env({}), addresses))
    scene = set_scene(house, tenant_id, seed=number)
    while (work := line.recv()) is not None:
        try:
            operations = prepare(scene, BENCHMARKS[work.name], work.n, work.clients)
            line.send("ready")
            line.recv()
            cpu = time.process_time()
            times = drive(operations, work.clients)
            line.send((times, time.process_time() - cpu))
        except Exception as error:  # noqa: BLE001 (the process that asked raises it)
            line.send(error)
    house.runtime.store.close()
