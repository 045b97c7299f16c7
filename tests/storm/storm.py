"""Many processes, one store: everything at once on the same twenty items, and afterwards every invariant holds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import psycopg
from sqlalchemy import func, select

from engine import jobs
from engine.checks import check_tenant
from engine.db import Addresses
from engine.kit import clock
from engine.kit.errors import DomainError
from engine.payments.models import Payment
from tests.shop import Shop
from tests.storm.actions import ACTIONS
from tests.storm.world import World, as_text, find_shop, from_text, make_shop, opened

ROOT = Path(__file__).resolve().parents[2]
HOUSEKEEPING_SECONDS = 0.3
CALM_ROUNDS = 12


@dataclass
class Tally:
    """What one process did."""

    done: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    slowest_seconds: float = 0

    def merge(self, other: dict[str, Any]) -> None:
        self.done.update(other["done"])
        self.refused.update(other["refused"])
        self.faults += other["faults"]
        self.slowest_seconds = max(self.slowest_seconds, other["slowest_seconds"])


@dataclass(frozen=True)
class Report:
    """The storm's end: ``broken`` invariants, ``deadlocks`` that PostgreSQL had to end, payments left open."""

    tally: Tally
    broken: list[str]
    deadlocks: int
    unsettled: int
    tenant_id: str

    @property
    def ok(self) -> bool:
        return not (self.tally.faults or self.broken or self.deadlocks or self.unsettled)


def rage(
    addresses: Addresses, *, processes: int, threads: int, seed: int, seconds: float = 600, steps: int = 1_000_000
) -> Report:
    """Make a shop, let the processes loose on it for so long or so many steps of each thread, wait for calm, and prove
    every invariant.
    """
    with opened(addresses) as runtime:
        shop = make_shop(runtime, seed)
        before = _deadlocks(addresses)
        plan = {"tenant_id": shop.tenant.id, "seconds": seconds, "steps": steps, "threads": threads}
        workers = [_start(addresses, plan | {"seed": seed * 1000 + number}) for number in range(processes)]
        for worker in workers:
            _expect(worker, "ready\n")
        for worker in workers:
            _tell(worker, "go\n")
        tally = Tally()
        for worker in workers:
            tally.merge(json.loads(_end(worker)))
        unsettled = calm(shop)
        broken = [
            f"{result.name}: {result.detail}"
            for result in check_tenant(runtime, shop.tenant.id, shop.tenant.slug)
            if not result.ok
        ]
        return Report(tally, broken, _deadlocks(addresses) - before, unsettled, shop.tenant.id)


def calm(shop: Shop) -> int:
    """Let recovery and the other jobs end what the storm left open; returns the payments that stay open."""
    for number in range(1, CALM_ROUNDS + 1):
        with clock.shifted(timedelta(minutes=number)):
            keep_house(shop, alone=True)
            with shop.uow() as session:
                open_ones = select(func.count(Payment.id)).where(Payment.status.in_(["processing", "unknown"]))
                left = session.scalar(open_ones) or 0
        if left == 0:
            break
    with clock.shifted(timedelta(minutes=CALM_ROUNDS + 1)):
        keep_house(shop, alone=True)
    return left


def keep_house(shop: Shop, *, alone: bool = False) -> None:
    """One round of this shop's jobs; a refusal waits for the next. With nobody beside us, a job that is said to have
    nothing to do has indeed nothing to do.
    """
    for job in jobs.EVERY_SECOND:
        with clock.shifted(timedelta(seconds=1)):
            due = not alone or job in jobs.due_now(shop.runtime, shop.tenant.id)
        done = job(shop.runtime, shop.tenant.id)
        assert due or not done, f"{job.__name__} had work, and the look did not see it"


def work(addresses: Addresses, plan: dict[str, Any]) -> Tally:
    """One process's part, until its time is over."""
    tally, lock, over = Tally(), threading.Lock(), threading.Event()
    with opened(addresses) as runtime:
        shop = find_shop(runtime, plan["tenant_id"])
        print("ready", flush=True)
        sys.stdin.readline()
        until = time.monotonic() + plan["seconds"]
        worlds = [World(shop, Random(plan["seed"] * 100 + number)) for number in range(plan["threads"])]
        people = [threading.Thread(target=_loop, args=(world, plan["steps"], until, tally, lock)) for world in worlds]
        housekeeper = threading.Thread(target=_housekeeper, args=(shop, over, tally, lock))
        for thread in (housekeeper, *people):
            thread.start()
        for thread in people:
            thread.join()
        over.set()
        housekeeper.join()
    return tally


def _loop(world: World, steps: int, until: float, tally: Tally, lock: threading.Lock) -> None:
    names, weights = list(ACTIONS), [weight for weight, _ in ACTIONS.values()]
    for _ in range(steps):
        if time.monotonic() > until:
            return
        name = world.dice.choices(names, weights)[0]
        start = time.monotonic()
        code, fault = "", ""
        try:
            ACTIONS[name][1](world)
        except DomainError as refusal:
            code = f"{name}: {refusal.code}"
        except Exception:  # noqa: BLE001 (whatever it was, it is what we look for)
            fault = f"{name}: {traceback.format_exc()}"
        with lock:
            tally.slowest_seconds = max(tally.slowest_seconds, time.monotonic() - start)
            _count(tally, name, code, fault)


def _housekeeper(shop: Shop, over: threading.Event, tally: Tally, lock: threading.Lock) -> None:
    """Every process keeps house, as many workers do: jobs must bear each other's company."""
    while not over.wait(HOUSEKEEPING_SECONDS):
        fault = ""
        try:
            keep_house(shop)
        except Exception:  # noqa: BLE001 (whatever it was, it is what we look for)
            fault = f"jobs: {traceback.format_exc()}"
        with lock:
            _count(tally, "jobs", "", fault)


def _count(tally: Tally, name: str, code: str, fault: str) -> None:
    if fault:
        tally.faults.append(fault)
    elif code:
        tally.refused[code] += 1
    else:
        tally.done[name] += 1


def _deadlocks(addresses: Addresses) -> int:
    with psycopg.connect(addresses.runtime, autocommit=True) as connection:
        connection.execute("SELECT pg_stat_clear_snapshot()")
        query = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
        row = connection.execute(query).fetchone()
    return int(row[0]) if row else 0


def _start(addresses: Addresses, plan: dict[str, Any]) -> subprocess.Popen[str]:
    worker = subprocess.Popen(
        [sys.executable, "-m", "tests.storm.worker"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT}/agents"},
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    _tell(worker, as_text(addresses) + "\n")
    _tell(worker, json.dumps(plan) + "\n")
    return worker


def _tell(worker: subprocess.Popen[str], line: str) -> None:
    assert worker.stdin
    worker.stdin.write(line)
    worker.stdin.flush()


def _expect(worker: subprocess.Popen[str], line: str) -> None:
    assert worker.stdout
    said = worker.stdout.readline()
    if said != line:
        raise RuntimeError(f"a storm's process said {said!r}")


def _end(worker: subprocess.Popen[str]) -> str:
    answer, _ = worker.communicate()
    if worker.returncode:
        raise RuntimeError(f"a storm's process ended with {worker.returncode}")
    return answer


def main() -> None:
    """A worker: addresses and plan on standard input, its tally on standard output."""
    addresses = from_text(sys.stdin.readline())
    tally = work(addresses, json.loads(sys.stdin.readline()))
    print(json.dumps(vars(tally)))
