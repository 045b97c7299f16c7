"""Somebody else's server on this machine: it remembers what it was sent and answers as a test says."""

from __future__ import annotations

import json
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any


@dataclass
class Heard:
    """One request."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Says:
    """One answer; ``raw`` is sent as it is, in place of one."""

    status: int = 200
    body: bytes = b'{"received":true}'
    headers: dict[str, str] = field(default_factory=dict)
    raw: Iterator[bytes] | None = None


Rule = Callable[[Heard], Says]


@dataclass
class Receiver:
    """``says`` decides each answer, on the thread of its request."""

    url: str
    heard: list[Heard] = field(default_factory=list)
    says: Rule = lambda _: Says()
    closing: threading.Event = field(default_factory=threading.Event)
    """Set when the test is over: an answer that would never end ends then."""

    def bodies(self) -> list[Any]:
        return [one.json for one in self.heard]


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False

    def handle_error(self, *_: Any) -> None:
        """A caller that hangs up is what some tests are about."""


@contextmanager
def receiving(*, says: Rule | None = None, tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """A receiver that is there while the block lasts."""
    receiver = Receiver("")
    if says:
        receiver.says = says

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            heard = Heard(self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body)
            receiver.heard.append(heard)
            said = receiver.says(heard)
            if said.raw is not None:
                for piece in said.raw:
                    self.wfile.write(piece)
                return
            self.send_response(said.status)
            for name, value in said.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(said.body)))
            self.end_headers()
            self.wfile.write(said.body)

        do_GET = do_POST = do_PATCH = do_PUT = answer  # noqa: N815 (names of the standard library)

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    with _Server(("127.0.0.1", 0), Handler) as server:
        if tls:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        port = server.server_address[1]
        receiver.url = f"{'https' if tls else 'http'}://127.0.0.1:{port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield receiver
        finally:
            receiver.closing.set()
            server.shutdown()
            thread.join()
