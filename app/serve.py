"""The serving process: listens first, opens the shop behind it, and takes everything down in order."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import structlog
import uvicorn
from fastapi import FastAPI

from app.boot import House, fill_index, load_heavy, open_index, open_runtime, open_store, seed_if_empty
from app.demo_pipeline import DemoPipeline
from app.jobs import Jobs
from app.live import LiveEvents
from app.origins import origin
from app.pipeline import Pipeline
from app.psp.server import create_psp_app
from app.server import create_app
from app.site import Site
from engine.catalog.search import CatalogSearch
from engine.db import Addresses
from engine.embedded.files import make_home, try_lock, write_atomic
from engine.kit import clock
from engine.kit.errors import Unavailable
from engine.lookout import Lookout
from engine.settings import Settings

if TYPE_CHECKING:
    from graph.runner import Runner

log = structlog.get_logger(__name__)
Say = Callable[[str], None]
GRACE_SECONDS: Final = 2
PATIENCE_SECONDS: Final = 6.5
"""How old the process may grow before it is called ready with its agents still loading."""
_RUNNER_STOP_SECONDS: Final = 3.3
_ONE_SERVER: Final = 7_402_312
_LOCK_TRIES: Final = 20


class CannotServe(RuntimeError):
    """Why this process will not serve; one line."""


class _Stopping(Exception):
    """Somebody asked us to stop while the shop was still opening."""


class _Server(uvicorn.Server):
    """A server that leaves signals to its launcher."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@dataclass
class _Opened:
    """What the opening made, to be closed in the reverse order."""

    born: float
    """When the process began, by the monotonic clock."""
    house: House | None = None
    guard: Any = None
    lookout: Lookout | None = None
    jobs: Jobs | None = None
    runner: Runner | None = None
    executing: Pipeline | None = None
    agents: asyncio.Task[None] | None = None
    pipeline: DemoPipeline | None = None


def serve(settings: Settings, *, psp_port: int = 0, say: Say, announce: Callable[[Site], None], born: float) -> int:
    """Serve until SIGTERM or SIGINT; returns the exit code. ``announce`` is called once everything answers.

    Raises ``CannotServe`` when the port is taken or another server runs from the same home.
    """
    home = make_home(settings.home)
    lock = try_lock(home / "serve.lock")
    if lock is None:
        raise CannotServe(f"Another server runs from {home} already ({_where(settings) or 'still starting'}).")
    try:
        with bind(settings.host, settings.port) as web, bind(settings.host, psp_port) as psp:
            settings = replace(settings, home=home, port=web.getsockname()[1])
            site = Site(
                settings,
                web_origin=origin(settings.host, settings.port),
                psp_origin=origin(settings.host, psp.getsockname()[1]),
            )
            factory = uvicorn.Config("", loop="auto", log_config=None).get_loop_factory()
            with asyncio.Runner(loop_factory=factory) as runner:
                return runner.run(_serve(site, web, psp, say, announce, _Opened(born)))
    finally:
        os.close(lock)


def bind(host: str, port: int) -> socket.socket:
    """A listening socket. Raises ``CannotServe`` when the address cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(1024)
    except (OSError, OverflowError) as error:
        listening.close()
        reason = getattr(error, "strerror", None) or "no such port"
        raise CannotServe(f"Cannot listen on {host}:{port}: {reason}. Choose another with --port.") from None
    listening.setblocking(False)
    return listening


async def _serve(
    site: Site, web: socket.socket, psp: socket.socket, say: Say, announce: Callable[[Site], None], opened: _Opened
) -> int:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    servers = [_server(create_app(site)), _server(create_psp_app(site))]
    tasks = [
        asyncio.create_task(server.serve(sockets=[listening]))
        for server, listening in zip(servers, (web, psp), strict=True)
    ]
    opening = asyncio.create_task(_open(site, opened, say, stop))
    stopping = asyncio.create_task(stop.wait())
    code = 0
    try:
        await asyncio.wait([*tasks, opening, stopping], return_when=asyncio.FIRST_COMPLETED)
        if opening.done() and not stop.is_set():
            opening.result()
            announce(site)
            await _until_stopped(opened, tasks, stopping)
    except _Stopping:
        code = 0
    except Exception as error:  # noqa: BLE001 (whatever it was, everything opened is closed, and the cause said)
        say(f"Cannot start: {error}")
        code = 1
    finally:
        stop.set()
        stopping.cancel()
        await _close(site, opened, servers, tasks, opening)
    return code


async def _until_stopped(opened: _Opened, tasks: list[asyncio.Task[None]], stopping: asyncio.Task[bool]) -> None:
    """Ends when told to stop, when a server ended, or when the agents would not start (and raises why)."""
    assert opened.agents
    done, _ = await asyncio.wait([opened.agents, *tasks, stopping], return_when=asyncio.FIRST_COMPLETED)
    if done == {opened.agents}:
        opened.agents.result()
        await asyncio.wait([*tasks, stopping], return_when=asyncio.FIRST_COMPLETED)


def _server(app: FastAPI) -> _Server:
    return _Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
            lifespan="on",
            ws="none",
        )
    )


async def _open(site: Site, opened: _Opened, say: Say, stop: asyncio.Event) -> None:
    """Open everything behind the listening sockets; ends with the shop ready."""

    def step(words: str) -> None:
        if stop.is_set():
            raise _Stopping
        site.step = words
        say(words)

    settings = site.settings
    loading = _in_background(load_heavy)
    addresses = await asyncio.to_thread(open_store, settings, step)
    runtime = open_runtime(settings, addresses, psp_origin=site.psp_origin)
    opened.house = House(addresses, runtime)
    opened.guard = await asyncio.to_thread(_be_the_only_one, settings, addresses.runtime)
    await asyncio.to_thread(seed_if_empty, settings, runtime, step)
    step("Opening the search index")
    index, embedder = await asyncio.to_thread(open_index, settings)
    runtime = replace(runtime, search=CatalogSearch(index, embedder))
    opened.house = House(addresses, runtime)
    await asyncio.to_thread(fill_index, runtime, index, embedder, step)
    site.opened, site.live = runtime, LiveEvents(addresses.runtime)
    opened.lookout = Lookout(runtime.store)
    opened.jobs = Jobs(site, index, embedder, opened.lookout)
    opened.jobs.start()
    if settings.demo_pipeline and settings.wants_demo:
        opened.pipeline = DemoPipeline(settings, addresses, runtime, site.web_origin)
    opened.agents = asyncio.create_task(_start_agents(site, opened, loading, addresses))
    await site.live.start()
    step("Loading the agents")
    await asyncio.wait({opened.agents}, timeout=max(0.0, opened.born + PATIENCE_SECONDS - time.monotonic()))
    if opened.agents.done():
        opened.agents.result()
    _record(site)
    site.ready, site.step = True, "ready"


def _in_background(function: Callable[[], None]) -> asyncio.Future[None]:
    """Run ``function`` on a thread that nothing waits for: a stop in the middle of it does not."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[None] = loop.create_future()

    def settle(error: Exception | None) -> None:
        if future.cancelled():
            return
        if error:
            future.set_exception(error)
        else:
            future.set_result(None)

    def run() -> None:
        failure = None
        try:
            function()
        except Exception as error:  # noqa: BLE001 (it is told to whoever awaits the future)
            failure = error
        with contextlib.suppress(RuntimeError):  # the loop has closed: nobody awaits it any more
            loop.call_soon_threadsafe(settle, failure)

    threading.Thread(target=run, name=function.__name__, daemon=True).start()
    return future


async def _start_agents(site: Site, opened: _Opened, loading: asyncio.Future[None], addresses: Addresses) -> None:
    """Have queued runs executed as soon as the agents are there; what was said before then waits."""
    await loading
    from graph.runner import Runner

    opened.runner = Runner(site.runtime, addresses.runtime, lookout=opened.lookout)
    await opened.runner.start()
    site.waker = opened.runner
    if opened.pipeline:
        opened.pipeline.start()
    opened.executing = Pipeline(site.runtime, addresses, lookout=opened.lookout)
    opened.executing.start()
    gc.freeze()  # what was imported stays for good: no collection needs to walk it during a turn
    gc.set_threshold(10_000, 20, 20)  # a request makes little that only a collection frees


async def _close(
    site: Site,
    opened: _Opened,
    servers: list[_Server],
    tasks: list[asyncio.Task[None]],
    opening: asyncio.Task[None],
) -> None:
    site.closing, site.ready = True, False
    if site.live:
        site.live.close()
    for server in servers:
        server.should_exit = True
    if opened.agents:
        opened.agents.cancel()
    await asyncio.gather(opening, *([opened.agents] if opened.agents else []), return_exceptions=True)
    ends: list[Any] = [*tasks]
    if opened.runner:
        ends.append(asyncio.wait_for(opened.runner.stop(), _RUNNER_STOP_SECONDS))
    ends.append(asyncio.to_thread(_end_pipeline, opened))
    if opened.jobs:
        ends.append(asyncio.to_thread(opened.jobs.stop))
    if site.live:
        ends.append(site.live.stop())
    ends.append(asyncio.to_thread(site.agent_log.close))
    await asyncio.gather(*ends, return_exceptions=True)
    (site.settings.home / "serve.json").unlink(missing_ok=True)
    if opened.guard:
        opened.guard.close()
    if opened.house:
        await asyncio.to_thread(opened.house.close)


def _end_pipeline(opened: _Opened) -> None:
    """Runs first: what their last steps do at the demo's vendors is kept with the rest."""
    if opened.executing:
        opened.executing.stop()
    if opened.pipeline:
        opened.pipeline.stop()


def _be_the_only_one(settings: Settings, url: str) -> Any:
    """Hold the right to open the index folder while this process lives; with ``CHROMA_URL`` many may serve.

    Raises ``Unavailable`` while another process of this database serves.
    """
    import psycopg

    if settings.chroma_url:
        return None
    connection = psycopg.connect(url, autocommit=True, connect_timeout=5, application_name="icommerce-server")
    for _ in range(_LOCK_TRIES):
        row = connection.execute("SELECT pg_try_advisory_lock(%s)", (_ONE_SERVER,)).fetchone()
        if row and row[0]:
            return connection
        time.sleep(0.25)
    connection.close()
    raise Unavailable("Another server uses this database. More than one needs CHROMA_URL, a shared Chroma server.")


def _record(site: Site) -> None:
    """Leave word of where we are, for ``doctor``."""
    facts = {
        "pid": os.getpid(),
        "url": site.web_origin,
        "psp": site.psp_origin,
        "started_at": clock.now().isoformat(),
    }
    write_atomic(site.settings.home / "serve.json", json.dumps(facts), sync=False)


def _where(settings: Settings) -> str:
    with contextlib.suppress(OSError, ValueError, KeyError):
        return str(json.loads((settings.home / "serve.json").read_text())["url"])
    return ""


def leave(code: int) -> None:
    """End the process now: the threads of a turn that was cut off must not keep it alive."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
