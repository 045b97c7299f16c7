"""Runs a command on a machine that stutters: its processes stand still for moments, one after the other and at random.

``python -m tests.stutter SEED python -m pytest -q tests/browser``: a test that fails here and passes alone relies on
how quick the machine is. PostgreSQL goes on: what waits for it does so in the others. Linux only (it reads ``/proc``).
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import defaultdict
from contextlib import suppress
from pathlib import Path
from typing import Final

AT_ONCE: Final = 3
PAUSES_SECONDS: Final = (0.1, 0.3, 1.0)
LONGEST: Final = 2.5
"""So many times a pause it may last."""
SPARED: Final = b"postgres"
KINDS: Final = (b"--type=renderer", b"--type=", b"chrom", b"playwright", b"exec(eval(", b"tests.browser.house")
"""By words of their command: one kind is chosen before one of it, as many renderers are there for one worker."""


def descendants(root: int) -> dict[int, bytes]:
    """The commands of all processes below one, by their number."""
    commands, children = {}, defaultdict(list)
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended
            commands[int(folder.name)] = (folder / "cmdline").read_bytes()
            children[int((folder / "stat").read_text().rpartition(")")[2].split()[1])].append(int(folder.name))
    found, to_see = {}, list(children[root])
    while to_see:
        pid = to_see.pop()
        to_see.extend(children[pid])
        if commands.get(pid) and SPARED not in commands[pid]:
            found[pid] = commands[pid]
    return found


def chosen(root: int, dice: random.Random) -> int | None:
    kinds = defaultdict(list)
    for pid, command in descendants(root).items():
        kinds[next((kind for kind in KINDS if kind in command), b"")].append(pid)
    return dice.choice(kinds[dice.choice(sorted(kinds))]) if kinds else None


def stutter(running: subprocess.Popen[bytes], dice: random.Random) -> None:
    while running.poll() is None:
        time.sleep(dice.uniform(0.05, 0.3))
        pid = chosen(running.pid, dice)
        if pid is None:
            continue
        with suppress(ProcessLookupError):  # it has ended meanwhile
            os.kill(pid, signal.SIGSTOP)
            time.sleep(dice.choice(PAUSES_SECONDS) * dice.uniform(0.3, LONGEST))
            os.kill(pid, signal.SIGCONT)


def main() -> None:
    seed, *command = sys.argv[1:]
    running = subprocess.Popen(command)
    dice = random.Random(seed)  # noqa: S311 (nothing secret)
    threads = [threading.Thread(target=stutter, args=(running, random.Random(dice.random()))) for _ in range(AT_ONCE)]  # noqa: S311
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sys.exit(running.returncode)


if __name__ == "__main__":
    main()
