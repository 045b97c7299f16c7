"""The walk-through of the protocol's page, run as it is written: a shell and curl at the real process."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.app.acp import official
from tests.app.test_serve import ROOT, Server
from tests.receiver import Receiver, receiving

PAGE = (ROOT / "docs/protocols/acp.md").read_text()
(WALK,) = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
SHIM = f'#!/bin/sh\nexec "{sys.executable}" -m app "$@"\n'


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    made = Server(tmp_path / "home")
    made.start()
    yield made
    made.clear()


def walked(server: Server, heard_at: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """The lines of the page, with ``icommerce`` on the path."""
    command = folder / "bin" / "icommerce"
    command.parent.mkdir()
    command.write_text(SHIM)
    command.chmod(0o755)
    env = server.env | {"SHOP": server.url, "HEAR": heard_at, "PATH": f"{command.parent}:{os.environ['PATH']}"}
    return subprocess.run(
        ["/bin/sh"], input=WALK, cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=90
    )


def told(receiver: Receiver) -> bool:
    """Whether an event came within some seconds."""
    deadline = time.monotonic() + 30
    while not receiver.heard and time.monotonic() < deadline:
        time.sleep(0.05)
    return bool(receiver.heard)


@pytest.mark.skipif(shutil.which("curl") is None, reason="the walk-through is made of curl, which is not installed")
@pytest.mark.timeout(180)
def test_the_page_can_be_walked_through(server: Server, tmp_path: Path) -> None:
    with receiving() as receiver:
        done = walked(server, f"{receiver.url}/hear", tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
        bought = re.findall(r"^bought: (ord_\w+)$", done.stdout, re.MULTILINE)
        assert told(receiver)
        event = receiver.heard[0]

    assert event.json["type"] == "order_create"
    assert [event.json["data"]["id"]] == bought
    official.valid("Order", event.json["data"])
    assert f'"id":"{bought[0]}"' in done.stdout
    assert server.json("check")["ok"]
    assert re.fullmatch(r"t=\d+,v1=[0-9a-f]{64}", event.headers["merchant-signature"])
