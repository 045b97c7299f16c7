"""Servers without most of their start: one process imports the house, and each server is a fork of it.

What is imported takes seconds, of which a busy machine makes minutes; a test that has a server restarted waits for it.
That one starts from nothing as well is what ``tests/app/test_serve.py`` is about.
"""

from __future__ import annotations

import os
import sys
from multiprocessing import forkserver, get_context
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any, cast

from tests.app.test_serve import ROOT, Server

_NURSERY = get_context("forkserver")
_NURSERY.set_forkserver_preload(["tests.browser.house"])


class Forked:
    """A process of the nursery, asked as one of ``subprocess``."""

    def __init__(self, process: ForkServerProcess) -> None:
        self._process = process

    def send_signal(self, number: int) -> None:
        if self._process.pid:
            os.kill(self._process.pid, number)

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, _timeout_seconds: float) -> None:
        """How soon a server ends is not what these tests are about; what never ends their own limit ends."""
        self._process.join()


class QuickServer(Server):
    """``icommerce serve``, forked."""

    def start(self) -> None:
        _open_nursery(self.env)
        heard, said = _NURSERY.Pipe(duplex=False)
        log = self.home.parent / "serve.log"
        process = _NURSERY.Process(target=_serve, args=(self.port, self.env, log, said))
        process.start()
        said.close()
        self.process = cast("Any", Forked(process))
        with os.fdopen(os.dup(heard.fileno()), encoding="utf-8") as lines:
            assert lines.readline() == f"ready {self.url}\n", log.read_text()


def _open_nursery(env: dict[str, str]) -> None:
    """Its modules are found where the servers' are; it lives as long as whoever opened it."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = env["PYTHONPATH"]
    try:
        forkserver.ensure_running()
    finally:
        os.environ.pop("PYTHONPATH") if before is None else os.environ.update(PYTHONPATH=before)


def _serve(port: int, env: dict[str, str], log: Path, said: Connection) -> None:
    os.dup2(said.fileno(), 1)
    os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND), 2)
    said.close()
    os.environ.clear()
    os.environ.update(env)
    os.chdir(ROOT)
    sys.argv = ["icommerce", "serve", "--port", str(port)]
    from app.cli import main

    main()
