"""The long form: every kind of fault at every system, every workflow dying before, inside and after its steps.

``python -m tests.chaos [--seed N] [--only TEXT] [--list]``, 1 where an invariant does not hold. It says with which
seed, so that the same can be played again.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from app.boot import House, open_runtime, open_store
from engine.settings import Settings
from engine.sync.sandbox.faults import Kind
from engine.workflows import registry
from engine.workflows.rehearsal import When
from tests.chaos.scene import KINDS, SYSTEMS, Storm, set_scene, what_is_wrong
from tests.conftest import new_tenant

OF_ONE: dict[Kind, str] = {
    Kind.THROTTLED_POINTS: "shopify",
    Kind.CONCURRENCY_EXCEEDED: "netsuite",
    Kind.PARTIAL_BATCH: "dcl",
}


def storms(seed: int) -> Iterator[Storm]:
    """All there are. Each has a seed of its own, by its number."""
    number = seed * 1_000
    for kind in KINDS:
        for system in [OF_ONE[kind]] if kind in OF_ONE else SYSTEMS:
            for dies in registry.names():
                for when in When:
                    number += 1
                    yield Storm(kind, system, dies=dies, when=when, seed=number, stock=dies.startswith("inventory"))


def named(storm: Storm) -> str:
    return f"{storm.kind} {storm.system} {storm.dies} {storm.when} seed={storm.seed}"


def main() -> int:
    said = argparse.ArgumentParser(prog="python -m tests.chaos")
    said.add_argument("--seed", type=int, default=1)
    said.add_argument("--only", default="", help="storms whose name has this in it")
    said.add_argument("--list", action="store_true")
    asked = said.parse_args()
    chosen = [storm for storm in storms(asked.seed) if asked.only in named(storm)]
    if asked.list:
        sys.stdout.writelines(f"{named(storm)}\n" for storm in chosen)
        return 0
    home = Path(tempfile.mkdtemp(prefix="icommerce-chaos-"))
    try:
        return _play(chosen, home)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _play(chosen: list[Storm], home: Path) -> int:
    settings = Settings.from_env({"ICOMMERCE_HOME": str(home), "ICOMMERCE_DURABLE": "0"})
    addresses = open_store(settings, lambda _: None)
    house = House(addresses, open_runtime(settings, addresses))
    wrong = 0
    try:
        for number, storm in enumerate(chosen, 1):
            began = time.monotonic()
            faults = _storm(house, storm)
            wrong += bool(faults)
            sys.stdout.write(f"{number}/{len(chosen)} {named(storm)}: {time.monotonic() - began:.0f} s\n")
            sys.stdout.writelines(f"    {fault}\n" for fault in faults)
            sys.stdout.flush()
    finally:
        house.close()
    sys.stdout.write(f"{len(chosen)} storms, {wrong} left something wrong.\n")
    return 1 if wrong else 0


def _storm(house: House, storm: Storm) -> list[str]:
    with set_scene(house.runtime, new_tenant(house.runtime.store), storm) as scene:
        try:
            scene.play_to_the_end()
        except AssertionError as error:
            return [str(error), *what_is_wrong(scene)]
        return what_is_wrong(scene)


if __name__ == "__main__":
    sys.exit(main())
