"""The PostgreSQL that the app brings along: its whole life cycle is here.

In the home:
- `postgres/data` the cluster, `postgres/log` its log, one file a weekday; both elsewhere where root's home is
  closed to the server's user (see `engine.embedded.place`)
- `postgres.lock` held while a server is being started
- `postgres/owner.lock` held by the process that will stop the server; a kill -9 of it frees the lock
- `secrets.json` the superuser's password, beside other parts' secrets
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
from psycopg import sql

from engine.embedded.binaries import programs
from engine.embedded.cluster import SUPERUSER, create_cluster, launch, log_tail, stop_cluster
from engine.embedded.files import EmbeddedPostgresError, locked, make_home, try_lock
from engine.embedded.place import Place, check_own_folder, find_place, make_place, place_at
from engine.embedded.postmaster import clear_leftovers, find_postmaster, reap
from engine.embedded.secret_file import read_secrets, update_secrets

__all__ = [
    "DATABASE",
    "PASSWORD_SECRET",
    "SUPERUSER",
    "EmbeddedPostgres",
    "EmbeddedPostgresError",
    "attach",
    "read_secrets",
    "start_or_attach",
    "update_secrets",
    "wipe",
]

DATABASE = "icommerce"
PASSWORD_SECRET = "postgres_password"  # noqa: S105 - a name in secrets.json, not a password

_POLL_SECONDS = 0.02
_LOCK_TIMEOUT_SECONDS = 120
_START_TIMEOUT_SECONDS = 300  # recovery after a crash replays up to max_wal_size
_ATTACH_TIMEOUT_SECONDS = 30
_CONNECT_TIMEOUT_SECONDS = 5
_OWNER_TIMEOUT_SECONDS = 15

_OWNED: dict[Path, int] = {}  # cluster folder → descriptor of the owner lock that this process holds

Say = Callable[[str], None]


@dataclass(frozen=True)
class EmbeddedPostgres:
    """A running server that answers. `started_here`: this process owns it, having started or adopted it,
    and so is the one that stops it.
    """

    home: Path
    data_dir: Path
    socket_dir: Path
    pid: int
    started_here: bool

    def dsn(self, *, role: str, password: str, database: str = DATABASE) -> str:
        """Returns a libpq URL over the unix socket. SQLAlchemy reads it too, as `postgresql+psycopg://…`."""
        user, key, name, host = (quote(part, safe="") for part in (role, password, database, str(self.socket_dir)))
        return f"postgresql://{user}:{key}@/{name}?host={host}&port=5432"

    def stop(self) -> None:
        """Stops whichever server runs on this data folder, if this process owns it; else does nothing.
        Raises EmbeddedPostgresError when it does not stop.
        """
        root = self.data_dir.parent
        if not self.started_here or root not in _OWNED:
            return
        _stop(place_at(self.home, root), self.socket_dir)
        _release(root)


def start_or_attach(
    home: Path, *, progress: Say | None = None, durable: bool = True, adopt: bool = False
) -> EmbeddedPostgres:
    """Returns this home's server with the database `icommerce` in it. Creates and starts what is missing, and
    tells `progress` what it is doing.

    `adopt` also takes over a running server whose owner is dead; the serving process wants that.
    `durable=False` gives up fsync, for tests. Raises EmbeddedPostgresError.
    """
    say = progress or (lambda _: None)
    try:
        home = make_home(home)
        with locked(home / "postgres.lock", timeout_seconds=_LOCK_TIMEOUT_SECONDS):
            place = make_place(home, say, durable=durable)
            live = _find_answering(place, _START_TIMEOUT_SECONDS)
            if live is None:
                return _start(place, say, durable=durable)
            _make_database(live)
            return replace(live, started_here=adopt and _claim(place.root))
    except (OSError, psycopg.Error) as error:
        raise EmbeddedPostgresError(f"Cannot run the embedded PostgreSQL of {home}: {error}") from error


def attach(home: Path) -> EmbeddedPostgres | None:
    """Returns this home's running server, None when none runs; starts and writes nothing.
    Raises EmbeddedPostgresError when one runs but does not let us in.
    """
    home = home.expanduser().resolve()
    try:
        place = find_place(home)
        return None if place is None else _find_answering(place, _ATTACH_TIMEOUT_SECONDS)
    except (OSError, psycopg.Error) as error:
        raise EmbeddedPostgresError(f"Cannot reach the embedded PostgreSQL of {home}: {error}") from error


def wipe(home: Path) -> None:
    """Stops this home's server and deletes its cluster with all data; the rest of the home stays.
    Raises EmbeddedPostgresError while another process owns the server.
    """
    home = home.expanduser().resolve()
    place = find_place(home)
    if place is not None:
        with locked(home / "postgres.lock", timeout_seconds=_LOCK_TIMEOUT_SECONDS):
            _claim_or_refuse(place)
            try:
                live = find_postmaster(place)
                _stop(place, (live and live.socket_dir) or place.sockets())
                shutil.rmtree(place.root)
            finally:
                _release(place.root)
    (home / "postgres.location").unlink(missing_ok=True)


def _start(place: Place, say: Say, *, durable: bool) -> EmbeddedPostgres:
    _claim_or_refuse(place)
    try:
        bin_dir = programs(place, say)
        if place.data.exists():
            _password(place.home)
            clear_leftovers(place, place.sockets())
        else:
            say("Creating the database (first start only)")
            create_cluster(place, bin_dir, password=_new_password(place.home), durable=durable)
        say("Starting PostgreSQL")
        return _await_start(place, launch(place, bin_dir, place.sockets(), durable=durable))
    except BaseException:
        _release(place.root)
        raise


def _await_start(place: Place, child: subprocess.Popen[bytes]) -> EmbeddedPostgres:
    try:
        live = _find_answering(place, _START_TIMEOUT_SECONDS, child=child)
        if live is not None:
            _make_database(live)
            return replace(live, started_here=True)
    except BaseException:
        child.send_signal(signal.SIGINT)  # a fast shutdown
        reap(child.pid)
        raise
    raise EmbeddedPostgresError(f"PostgreSQL did not start in {place.data}:\n{log_tail(place)}")


def _find_answering(
    place: Place, timeout_seconds: float, child: subprocess.Popen[bytes] | None = None
) -> EmbeddedPostgres | None:
    """Returns the place's server once it has answered a query, None when there is none, or no more: one that
    is found while it shuts down is waited for. `child` is a server whose pid file may yet have to appear.
    Raises EmbeddedPostgresError when it lives but does not answer in time, or rejects our password.
    """
    deadline = time.monotonic() + timeout_seconds
    refusal: Exception | str = "it did not become ready"
    while time.monotonic() < deadline:
        found = find_postmaster(place)
        if found is None and (child is None or child.poll() is not None):
            return None
        if found is not None and found.ready and found.socket_dir is not None:
            server = _server(place, found.pid, found.socket_dir)
            try:
                _check_answer(server)
            except psycopg.OperationalError as error:
                refusal = error
                if "password authentication failed" in str(error):
                    break
            else:
                return server
        time.sleep(_POLL_SECONDS)
    raise EmbeddedPostgresError(f"PostgreSQL runs in {place.data}, but: {refusal}\n{log_tail(place)}")


def _server(place: Place, pid: int, sockets: Path) -> EmbeddedPostgres:
    check_own_folder(sockets, place.data.stat().st_uid)
    return EmbeddedPostgres(place.home, place.data, sockets, pid, started_here=False)


def _check_answer(server: EmbeddedPostgres) -> None:
    with _connect(server) as connection:
        row = connection.execute("SELECT current_setting('data_directory')").fetchone()
    if row is None or Path(row[0]).resolve() != server.data_dir.resolve():
        raise EmbeddedPostgresError(f"The server in {server.socket_dir} does not serve {server.data_dir}")


def _make_database(server: EmbeddedPostgres) -> None:
    with _connect(server) as connection:
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,)).fetchone() is None:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))


def _connect(server: EmbeddedPostgres) -> psycopg.Connection[tuple[Any, ...]]:
    dsn = server.dsn(role=SUPERUSER, password=_password(server.home), database=SUPERUSER)
    return psycopg.connect(dsn, autocommit=True, connect_timeout=_CONNECT_TIMEOUT_SECONDS)


def _password(home: Path) -> str:
    try:
        return read_secrets(home)[PASSWORD_SECRET]
    except KeyError:
        raise EmbeddedPostgresError(
            f"{home / 'secrets.json'} no longer holds {PASSWORD_SECRET}, the password of the database: "
            f"restore that file from a backup"
        ) from None


def _new_password(home: Path) -> str:
    kept = read_secrets(home)
    if PASSWORD_SECRET not in kept:
        kept = update_secrets(home, **{PASSWORD_SECRET: secrets.token_urlsafe(32)})
    return kept[PASSWORD_SECRET]


def _stop(place: Place, sockets: Path) -> None:
    live = find_postmaster(place)
    if live is not None:
        stop_cluster(place)
        reap(live.pid)
    with contextlib.suppress(OSError):
        sockets.rmdir()


def _claim(root: Path) -> bool:
    """Whether this process owns the cluster, now or already: the kernel lets one living process do so."""
    if root not in _OWNED:
        descriptor = try_lock(root / "owner.lock")
        if descriptor is None:
            return False
        _OWNED[root] = descriptor
    return True


def _claim_or_refuse(place: Place) -> None:
    """Waits a little for an owner that is just exiting. Raises EmbeddedPostgresError when it stays."""
    deadline = time.monotonic() + _OWNER_TIMEOUT_SECONDS
    while not _claim(place.root):
        if time.monotonic() > deadline:
            raise EmbeddedPostgresError(
                f"The database in {place.data} belongs to another living process, whose server is down or "
                f"out of sight (another container?): stop that process first"
            )
        time.sleep(_POLL_SECONDS)


def _release(root: Path) -> None:
    descriptor = _OWNED.pop(root, None)
    if descriptor is not None:
        os.close(descriptor)
