"""A process that executes runs beside a shop: its health at ``/healthz``, its end on SIGTERM."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from app import logs
from app.commands.opened import database
from app.commands.outcome import FAILED, say, show
from engine.settings import Settings

_LOOK_SECONDS: Final = 0.2
POOL_SIZE: Final = 4
"""Gateways have these; runs have a pool of their own."""


def work(workflows: Sequence[str], *, threads: int, host: str, port: int, grace_seconds: float) -> None:
    """Execute until SIGTERM or SIGINT; prints one line once it does. Ends the process."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    logs.configure()
    with database(Settings.from_env(), start=False) as addresses:
        code = _work(addresses, workflows, threads, host, port, grace_seconds, stop)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # threads of what was left to others must not keep the process alive


def _work(
    addresses: Any,
    workflows: Sequence[str],
    threads: int,
    host: str,
    port: int,
    grace_seconds: float,
    stop: threading.Event,
) -> int:
    from app.boot import close_runtime, open_runtime
    from app.pipeline import Pipeline

    runtime = open_runtime(Settings.from_env(), addresses, pool_size=POOL_SIZE)
    part = Pipeline(runtime, addresses, workflows=workflows, threads=threads, at_once=True)
    part.start()
    health = serve_health(part, host, port)
    told = False
    while not stop.wait(_LOOK_SECONDS) and not part.failed:
        if part.executing and not told:
            told = True
            show(f"ready http://{host}:{health.server_address[1]}/healthz")
    if part.failed:
        say(f"icommerce: {part.failed}")
    part.stop(grace_seconds=grace_seconds)
    health.shutdown()
    close_runtime(runtime)
    return FAILED if part.failed else 0


def serve_health(part: Any, host: str, port: int) -> ThreadingHTTPServer:
    """200 while it executes, 503 before that and when it cannot."""

    class Health(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            well = part.executing and not part.failed
            found = self.path in {"/healthz", "/readyz"}
            body = json.dumps({"status": "ok" if well else part.failed or "starting"}).encode()
            self.send_response((200 if well else 503) if found else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Asked every few seconds: not worth a line."""

    server = ThreadingHTTPServer((host, port), Health)
    threading.Thread(target=server.serve_forever, name="health", daemon=True).start()
    return server
