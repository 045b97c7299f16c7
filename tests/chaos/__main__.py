"""The long form: every kind of fault at every system while everybody dies, then real workers that are killed.

``python -m tests.chaos [--seed N …] [--only TEXT …] [--kills | --no-kills] [--list]``, 1 where an invariant does not
hold. It says with which seed, so that the same can be played again.
"""

from __future__ import annotations

import argparse
import hashlib
import logging
import resource
import shutil
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import structlog

from app.boot import House, open_runtime, open_store
from engine.settings import Settings
from engine.sync.sandbox import World
from engine.sync.sandbox.faults import Kind
from engine.workflows import registry
from tests.chaos.killing import set_carnage
from tests.chaos.oracle import what_is_wrong
from tests.chaos.raging import set_scene
from tests.chaos.stage import Stage
from tests.chaos.storms import Storm, storms
from tests.conftest import new_tenant

SEEDS = (1,)


@dataclass
class Row:
    """What befell one workflow under one kind of fault."""

    hits: int = 0
    runs: int = 0
    kills: int = 0


@dataclass
class Table:
    """Kind and workflow → times hit, runs, kills."""

    rows: dict[str, dict[str, Row]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(Row)))
    played: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)

    def add(self, kind: str, stage: Stage, faults: Sequence[str]) -> None:
        self.played[kind] += 1
        self.wrong[kind] += bool(faults)
        for name in registry.names():
            row = self.rows[kind][name]
            row.hits += stage.hits[name]
            row.runs += stage.played[name]
            row.kills += stage.deaths[name]

    def lines(self) -> Iterator[str]:
        names = registry.names()
        yield f"{'hit/runs/kills':22} {'result':>12} " + " ".join(f"{_short(name):>11}" for name in names)
        for kind, row in self.rows.items():
            cells = (f"{one.hits}/{one.runs}/{one.kills}" for one in (row[name] for name in names))
            whole, wrong = self.played[kind], self.wrong[kind]
            result = f"{wrong} of {whole} wrong" if wrong else f"{whole} well"
            yield f"{kind:22} {result:>12} " + " ".join(f"{cell:>11}" for cell in cells)


def _short(name: str) -> str:
    return (
        name.replace("netsuite", "ns")
        .replace("inventory", "inv")
        .replace("shopify", "sh")
        .replace("Bundles", "Bd")[:11]
    )


def main() -> int:
    said = argparse.ArgumentParser(prog="python -m tests.chaos")
    said.add_argument("--seed", type=int, nargs="+", default=SEEDS)
    said.add_argument("--only", nargs="+", default=[""], help="storms whose name has one of these in it")
    said.add_argument("--kills", action=argparse.BooleanOptionalAction, help="real workers alone, or none of them")
    said.add_argument("--list", action="store_true")
    asked = said.parse_args()
    chosen = (
        []
        if asked.kills
        else [one for seed in asked.seed for one in storms(seed) if any(word in str(one) for word in asked.only)]
    )
    if asked.list:
        sys.stdout.writelines(f"{storm}\n" for storm in chosen)
        return 0
    logging.disable(logging.CRITICAL)  # faults are many, and meant
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    home = Path(tempfile.mkdtemp(prefix="icommerce-chaos-"))
    try:
        return _play(chosen, [] if asked.kills is False or any(asked.only) else asked.seed, home)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _play(chosen: Sequence[Storm], kills: Sequence[int], home: Path) -> int:
    settings = Settings.from_env({"ICOMMERCE_HOME": str(home), "ICOMMERCE_DURABLE": "0"})
    addresses = open_store(settings, lambda _: None)
    house = House(addresses, open_runtime(settings, addresses))
    table, whole, number = Table(), len(chosen) + len(kills), 0
    try:
        for storm in chosen:
            number += 1
            table.add(str(storm.kind), *_told(f"{number}/{whole} {storm}", partial(_storm, house, storm)))
        for seed in kills:
            number += 1
            table.add(
                str(Kind.PROCESS_KILL),
                *_told(f"{number}/{whole} real workers seed={seed}", partial(_kill, house, seed)),
            )
    finally:
        house.close()
    sys.stdout.writelines(f"{line}\n" for line in table.lines())
    wrong = sum(table.wrong.values())
    sys.stdout.write(f"{number} storms, {wrong} left something wrong; {_cpu_seconds():.0f} s of CPU.\n")
    return 1 if wrong else 0


def _told(name: str, play: Callable[[], tuple[Stage, list[str]]]) -> tuple[Stage, list[str]]:
    began = time.monotonic()
    stage, faults = play()
    sys.stdout.write(f"{name}: {time.monotonic() - began:.0f} s, journal {_digest(stage.world)}\n")
    sys.stdout.writelines(f"    {fault}\n" for fault in faults)
    sys.stdout.flush()
    return stage, faults


def _storm(house: House, storm: Storm) -> tuple[Stage, list[str]]:
    """Its shop's name is of its seed, as the waits of its runs are of the shop's name."""
    tenant = new_tenant(house.runtime.store, id=f"tnt_{storm.seed:026d}", slug=f"storm-{storm.seed}")
    with set_scene(house.runtime, tenant, storm) as scene:
        try:
            scene.play_to_the_end()
        except AssertionError as error:
            return scene, [str(error), *what_is_wrong(scene)]
        return scene, what_is_wrong(scene)


def _kill(house: House, seed: int) -> tuple[Stage, list[str]]:
    with set_carnage(house.runtime, house.addresses, new_tenant(house.runtime.store), seed, say=_say) as carnage:
        return carnage.stage, carnage.play()


def _say(words: str) -> None:
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


def _digest(world: World) -> str:
    """The same for the same requests in the same order."""
    journal = [
        (one.system, one.method, one.operation, one.status, one.faults) for one in world.ground.journal.entries()
    ]
    return hashlib.sha256(repr(journal).encode()).hexdigest()[:8]


def _cpu_seconds() -> float:
    """Of this process and the workers that ended; the database's is beside it."""
    used = (resource.getrusage(one) for one in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)


if __name__ == "__main__":
    sys.exit(main())
