"""A process that executes toy runs, for tests that kill it. What it does at its "system" are lines of a file.

``python -m tests.engine.workflows.worker`` with a JSON object on stdin: runtime, key (hex), effects, executor, kill
({step: "inside" | "between"}), whether a run is alone, seconds of beats and after how many a silent one is dead.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from engine.catalog.search import CatalogSearch
from engine.db import Store
from engine.migrate import load_models
from engine.runtime import Runtime
from engine.sync.errors import RateLimited, Rejected
from engine.workflows.durable import Durable
from engine.workflows.executing import Execution
from engine.workflows.run import Run
from tests.engine.workflows.toys import Toy, registered, toy

NAME = "killed"
"""Runs of other tests' toys are left alone."""


def main() -> None:
    told = json.loads(sys.stdin.readline())
    load_models()
    store = Store(told["runtime"], pool_size=4)
    runtime = Runtime(
        store=store,
        gateways={},
        search=CatalogSearch(),
        secret_key=bytes.fromhex(told["key"]),
        demo=True,
        psp_url=lambda: "",
    )
    durable = Durable(runtime, told["executor"], threads=4, polling_seconds=0.1)
    execution = Execution(
        runtime,
        durable,
        beat_seconds=told.get("beat", 10.0),
        dead_after=timedelta(seconds=told.get("dead_after", 60)),
        kept=timedelta(seconds=told.get("kept", 60)),
        forget_seconds=0.0,
    )
    stopping: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stopping.append(number))
    workflow = replace(toy(body(told), name=NAME), alone=told.get("alone", False))
    with registered(workflow):
        execution.start()
        while not stopping:
            time.sleep(0.05)
        execution.stop(grace_seconds=5.0)
    sys.stdout.write("stopped\n")
    sys.stdout.flush()
    os._exit(0)  # as a serving process ends: nobody waits for the thread of what was left to others


def body(told: dict[str, Any]) -> Any:
    system = System(Path(told["effects"]), told.get("kill", {}))

    def toy_body(run: Run, payload: Toy) -> dict[str, Any]:
        for what in ("one", "two", "three"):
            system.strike(what, "between")
            run.step(what, partial(system.do, run, what), probe=partial(system.found, run, what))
        if payload.note == "refused":
            run.step("refused", system.refuse)
        if payload.note == "waits":
            run.step("waits", partial(system.later, run))
        while payload.note == "slow" and not system.goes:
            time.sleep(0.02)
        return {"ref": payload.ref}

    return toy_body


@dataclass(frozen=True)
class System:
    """Lines of a file. ``kill``: at which step this process ends, and where."""

    effects: Path
    kill: dict[str, str]

    @property
    def goes(self) -> bool:
        return self.effects.with_suffix(".go").exists()

    def do(self, run: Run, what: str) -> str:
        with self.effects.open("a") as file:
            file.write(f"{run.id} {what}\n")
        self.strike(what, "inside")
        return what

    def found(self, run: Run, what: str) -> str | None:
        return what if f"{run.id} {what}" in self.effects.read_text().splitlines() else None

    def later(self, run: Run) -> str:
        if not self.goes:
            raise RateLimited("later", retry_after=3_600)
        return self.do(run, "late")

    def refuse(self) -> None:
        raise Rejected("no such sku")

    def strike(self, what: str, where: str) -> None:
        if self.kill.get(what) == where:
            os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main()
