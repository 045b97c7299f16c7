"""The nursery outlives whoever dies in it, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.app.test_serve import ROOT
from tests.browser.nursery import Forked

NURSERY = """
import signal, sys
from tests.browser.house import keep
keep(sys.argv[1], lambda request: signal.pause() if request["lives"] else sys.exit(3))
"""
PATIENCE = 10


class Nursery:
    """Its servers do nothing, or end at once."""

    def __init__(self, place: Path) -> None:
        self.place = place
        words = [sys.executable, "-c", NURSERY, str(place)]
        self.process = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE)
        assert self.process.stdout
        assert self.process.stdout.readline() == b"open\n"

    def guest(self) -> socket.socket:
        guest = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        guest.settimeout(PATIENCE)
        guest.connect(str(self.place))
        return guest

    def ask(self, *, lives: bool) -> socket.socket:
        guest = self.guest()
        with Path(os.devnull).open("w", encoding="ascii") as said:
            socket.send_fds(guest, [json.dumps({"lives": lives}).encode()], [said.fileno()])
        return guest

    def servers(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children()


@pytest.fixture
def nursery(tmp_path: Path) -> Iterator[Nursery]:
    made = Nursery(tmp_path / "nursery")
    yield made
    made.process.kill()
    made.process.communicate()


def test_a_server_of_whom_died_ends_and_the_others_go_on(nursery: Nursery) -> None:
    kept, dead = nursery.ask(lives=True), nursery.ask(lives=True)
    server, orphan = Forked(kept), Forked(dead)
    gone = psutil.Process(orphan.pid)
    orphan._lines.close()
    dead.close()
    gone.wait(PATIENCE)
    assert [one.pid for one in nursery.servers()] == [server.pid]
    server.send_signal(signal.SIGKILL)
    assert server.wait(PATIENCE) == -signal.SIGKILL
    assert nursery.process.wait(PATIENCE) == 0
    assert list(nursery.place.parent.iterdir()) == []


def test_who_dies_without_having_heard_ends_nobody_else(nursery: Nursery) -> None:
    stays = nursery.guest()
    for lives in (True, False):
        deaf = nursery.ask(lives=lives)
        assert deaf.recv(1, socket.MSG_PEEK)  # it was told, and does not read it
        deaf.close()
    psutil.wait_procs(nursery.servers(), PATIENCE)
    ended = Forked(nursery.ask(lives=False))
    assert ended.wait(PATIENCE) == 3
    stays.close()
    assert nursery.process.wait(PATIENCE) == 0


def test_an_end_that_came_with_the_beginning_is_heard(nursery: Nursery) -> None:
    stays, brief = nursery.guest(), nursery.ask(lives=False)
    while brief.recv(100, socket.MSG_PEEK).count(b"\n") < 2:
        pass
    ended = Forked(brief)
    ended.send_signal(signal.SIGKILL)
    assert (ended.poll(), ended.returncode) == (3, 3)
    stays.close()
    assert nursery.process.wait(PATIENCE) == 0
