"""The process that servers are forked of: what each would import, and prepare for its first turn, is there once.

``python -m tests.browser.house SOCKET`` serves whoever connects: a request is a line of JSON with a pipe for what the
server prints; the answers are the server's process id, and when it has ended how. Who hangs up before has died: the
server is asked to end. It ends with its last connection.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from selectors import EVENT_READ, DefaultSelector
from typing import Any, Final

AT_THE_FIRST_TURN: Final = (
    "litellm.litellm_core_utils.default_encoding",
    "litellm.proxy.openai_files_endpoints.common_utils",
)
LONGEST_REQUEST: Final = 1 << 20


@dataclass
class House:
    """Who is connected, and which server is whose."""

    door: socket.socket
    selector: DefaultSelector = field(default_factory=DefaultSelector)
    servers: dict[int, socket.socket] = field(default_factory=dict)
    guests: int = 0

    def tend(self) -> dict[str, Any] | None:
        """Forks on request until nobody is left. In the child returns what is to be served, in the parent nothing."""
        ended, wake = socket.socketpair()
        for end in (ended, wake):
            end.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake.fileno())
        self.selector.register(self.door, EVENT_READ, self._admit)
        self.selector.register(ended, EVENT_READ, lambda _: self._bury(ended))
        while True:
            for key, _ in self.selector.select():
                if request := key.data(key.fileobj):
                    wake.close()
                    ended.close()
                    return dict(request)
            if not self.guests:
                return None

    def _admit(self, door: socket.socket) -> None:
        self.selector.register(door.accept()[0], EVENT_READ, self._hear)
        self.guests += 1

    def _hear(self, guest: socket.socket) -> dict[str, Any] | None:
        try:
            said, handles, _, _ = socket.recv_fds(guest, LONGEST_REQUEST, 1)
        except ConnectionResetError:  # it died before it heard us
            said = b""
        if not said:
            return self._part(guest)
        child = os.fork()
        if not child:
            self._leave()
            return {**json.loads(said), "stdout": handles[0]}
        os.close(handles[0])
        self.servers[child] = guest
        _tell(guest, child)
        return None

    def _part(self, guest: socket.socket) -> None:
        self.selector.unregister(guest)
        guest.close()
        self.guests -= 1
        for child, whose in self.servers.items():
            if whose is guest:
                os.kill(child, signal.SIGTERM)

    def _leave(self) -> None:
        """A child has none of its parent's connections, and hears signals for itself."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for key in list(self.selector.get_map().values()):
            if isinstance(key.fileobj, socket.socket) and key.data in (self._admit, self._hear):
                key.fileobj.close()
        self.selector.close()

    def _bury(self, ended: socket.socket) -> None:
        ended.recv(4096)
        for child in list(self.servers):
            gone, status = os.waitpid(child, os.WNOHANG)
            if gone:
                guest = self.servers.pop(child)
                if guest.fileno() >= 0:
                    _tell(guest, os.waitstatus_to_exitcode(status))


def _tell(guest: socket.socket, number: int) -> None:
    """One that died meanwhile hears nothing; that it hung up is heard next."""
    with suppress(BrokenPipeError):
        guest.sendall(f"{number}\n".encode())


def serve(request: dict[str, Any]) -> None:
    """Is ``icommerce`` with these words, in this environment."""
    os.dup2(request["stdout"], 1)
    os.close(request["stdout"])
    os.dup2(os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), 2)
    os.environ.clear()
    os.environ.update(request["env"])
    sys.argv = ["icommerce", *request["words"]]
    from app.cli import main

    code: str | int | None = 0
    try:
        main()
    except SystemExit as end:
        code = end.code
    sys.stdout.flush()
    os._exit(code if isinstance(code, int) else bool(code))  # libraries would wait for threads that were not forked


def furnish() -> None:
    gc.disable()  # as the server does, until all is imported
    from app.boot import load_heavy
    from icommerce_agents import rehearsal

    load_heavy()
    rehearsal.load()
    for name in ("app.cli", "app.serve", "app.commands.serving", *AT_THE_FIRST_TURN):
        import_module(name)
    gc.freeze()


def keep(place: str, serve: Callable[[dict[str, Any]], None]) -> None:
    """Open at a place until the last has gone, and nothing is left there."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as door:
        door.bind(place)
        door.listen()
        sys.stdout.write("open\n")
        sys.stdout.flush()
        request = House(door).tend()
    if request:
        return serve(request)
    for left in ("", ".lock"):
        Path(place + left).unlink(missing_ok=True)
    return None


if __name__ == "__main__":
    furnish()
    keep(sys.argv[1], serve)
