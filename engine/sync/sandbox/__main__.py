"""The sandbox as a process of its own: ``python -m engine.sync.sandbox --preset summit --merchants 5 --port 8090``."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
from collections.abc import Sequence

from engine.sync.sandbox.presets import PRESETS
from engine.sync.sandbox.serving import serving
from engine.sync.sandbox.world import World


def main(arguments: Sequence[str] | None = None, *, end: threading.Event | None = None) -> None:
    """Serve until it is told to stop. Its first line says where, as JSON; credentials: ``/_sandbox/merchants``."""
    parser = argparse.ArgumentParser(prog="engine.sync.sandbox", description=__doc__)
    parser.add_argument("--preset", choices=sorted(PRESETS), default="summit")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--merchants", type=int, default=1)
    parser.add_argument("--port", type=int, default=0)
    given = parser.parse_args(arguments)
    world = World.preset(given.preset, seed=given.seed, merchants=given.merchants)
    with serving(world, port=given.port) as served:
        said = {"url": served.url, "smtp": [served.smtp_host, served.smtp_port], "preset": given.preset}
        sys.stdout.write(json.dumps(said) + "\n")
        sys.stdout.flush()
        (end or _signalled()).wait()


def _signalled() -> threading.Event:
    """An event that a terminal's or a container's stop sets."""
    event = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: event.set())
    return event


if __name__ == "__main__":
    main()
