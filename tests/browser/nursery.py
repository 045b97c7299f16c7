"""Servers without most of their start: one process for all workers imports the house, and each server is its fork.

What is imported takes seconds, of which a busy machine makes minutes; a test that has a server restarted waits for it.
That one starts from nothing as well is what ``tests/app/test_serve.py`` is about.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import subprocess
import sys
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path
from select import select
from typing import Any, TextIO

from tests.app.test_serve import ROOT, Server

ENDS_SECONDS = 120.0
"""How soon a server ends is not what these tests are about; one that never does is told."""
PLACE = Path(tempfile.gettempdir()) / f"nursery-{os.environ.get('PYTEST_XDIST_TESTRUNUID', os.getpid())}"


class Forked:
    """A process of the nursery, asked as one of ``subprocess``."""

    def __init__(self, said: socket.socket) -> None:
        self._said = said
        self._lines = said.makefile("rb", buffering=0)  # what was read ahead, nobody would wait for
        self.pid = int(self._lines.readline())
        self.returncode: int | None = None

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with suppress(ProcessLookupError):  # it has ended, and we are about to hear of it
                os.kill(self.pid, number)

    def poll(self) -> int | None:
        return self._ended(0)

    def wait(self, _timeout_seconds: float) -> int:
        code = self._ended(ENDS_SECONDS)
        if code is None:
            raise subprocess.TimeoutExpired("icommerce serve", ENDS_SECONDS)
        return code

    def _ended(self, timeout_seconds: float) -> int | None:
        if self.returncode is None and select([self._said], [], [], timeout_seconds)[0]:
            self.returncode = int(self._lines.readline())
            self._lines.close()
            self._said.close()
        return self.returncode


class QuickServer(Server):
    """``icommerce serve``, and the commands beside it, forked."""

    def start(self) -> None:
        log = self.home.parent / "serve.log"
        self.process, lines = self._forked(["serve", "--port", str(self.port)], log)
        with lines:
            assert lines.readline() == f"ready {self.url}\n", log.read_text()

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        log = self.home.parent / "command.log"
        log.write_text("")
        process, lines = self._forked(list(arguments), log)
        with lines:
            said = lines.read()
        return subprocess.CompletedProcess(arguments, process.wait(ENDS_SECONDS), said, log.read_text())

    def _forked(self, words: list[str], log: Path) -> tuple[Any, TextIO]:
        """``icommerce`` with these words, and what it prints; errors go to a file."""
        _opened(self.env["PYTHONPATH"])
        asked = {"words": words, "env": self.env, "log": str(log)}
        heard, said = os.pipe()
        guest = _guest()
        socket.send_fds(guest, [json.dumps(asked).encode()], [said])
        os.close(said)
        return Forked(guest), os.fdopen(heard, encoding="utf-8")


@cache
def _opened(path: str) -> socket.socket:
    """A connection that keeps the nursery open as long as this worker lives. The first worker to come opens it, in a
    session of its own: whoever interrupts the tests does not interrupt it, it ends once all of them have.
    """
    with PLACE.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            return _guest()
        except (FileNotFoundError, ConnectionRefusedError):
            PLACE.unlink(missing_ok=True)
            command = [sys.executable, "-m", "tests.browser.house", str(PLACE)]
            env = os.environ | {"PYTHONPATH": path}
            pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE}
            house = subprocess.Popen(command, cwd=ROOT, env=env, start_new_session=True, **pipes)
            assert house.stdout
            assert house.stdout.readline() == b"open\n", "the nursery did not open"
            return _guest()


def _guest() -> socket.socket:
    guest = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        guest.connect(str(PLACE))
    except OSError:
        guest.close()
        raise
    return guest
