"""A cluster on disk: made by initdb, configured by us at each start, served by `postgres`."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from engine.embedded.binaries import ENVIRONMENT, programs, run
from engine.embedded.files import EmbeddedPostgresError, open_private, write_atomic
from engine.embedded.place import Place, own_folder
from engine.embedded.postmaster import CHILDREN

SUPERUSER = "postgres"

_INITDB_TIMEOUT_SECONDS = 300
_STOP_TIMEOUT_SECONDS = 60
_LOG_TAIL_LINES = 15

_HBA = "# Written at each start.\nlocal all all scram-sha-256\n"

_SETTINGS = """\
# Written at each start. Your own settings: ALTER SYSTEM SET …
listen_addresses = ''
port = 5432
unix_socket_directories = '{sockets}'
unix_socket_permissions = 0700
password_encryption = scram-sha-256
max_connections = 120
shared_buffers = 128MB
effective_cache_size = 512MB
maintenance_work_mem = 64MB
max_wal_size = 512MB
wal_compression = on
random_page_cost = 1.1
jit = off
timezone = 'UTC'
log_timezone = 'UTC'
datestyle = 'iso, ymd'
lc_messages = 'C'
logging_collector = on
log_directory = '../log'
log_filename = 'postgresql-%a.log'
log_file_mode = 0600
log_rotation_age = 1d
log_rotation_size = 0
log_truncate_on_rotation = on
log_line_prefix = '%m [%p] %u@%d '
log_checkpoints = off
# A failed statement and its DETAIL hold what people typed: neither goes into a file.
log_min_error_statement = panic
log_error_verbosity = terse
"""

_DURABLE = "fsync = on\nfull_page_writes = on\nsynchronous_commit = on\n"
_THROWAWAY = "fsync = off\nfull_page_writes = off\nsynchronous_commit = off\n"


def create_cluster(place: Place, bin_dir: Path, *, password: str, durable: bool) -> None:
    """Makes the data folder: UTF-8, the built-in C.UTF-8 collation (the same on every system), checksums,
    scram for everyone. It appears whole or not at all. Raises EmbeddedPostgresError with initdb's words.
    """
    draft = place.root / "data.new"
    if draft.exists():
        shutil.rmtree(draft)
    own_folder(place, draft)
    password_file = place.root / "initdb.password"
    _hand_over(password_file, password, place)
    try:
        done = run(
            place,
            bin_dir / "initdb",
            *("--pgdata", draft, "--pwfile", password_file, "--username", SUPERUSER),
            *("--auth", "scram-sha-256", "--data-checksums", "--encoding", "UTF8", "--locale", "C"),
            *("--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"),
            *(() if durable else ("--no-sync",)),
            timeout_seconds=_INITDB_TIMEOUT_SECONDS,
        )
    finally:
        password_file.unlink()
    if done.returncode != 0:
        raise EmbeddedPostgresError(f"initdb could not create the database:\n{done.stdout[-2000:]}")
    draft.rename(place.data)


def launch(place: Place, bin_dir: Path, sockets: Path, *, durable: bool) -> subprocess.Popen[bytes]:
    """Starts the server in a session of its own, so that Ctrl-C reaches only the app. Does not wait."""
    own_folder(place, sockets)
    settings = place.root / "postgresql.conf"
    rules = place.root / "pg_hba.conf"
    text = _SETTINGS.format(sockets=sockets) + (_DURABLE if durable else _THROWAWAY)
    write_atomic(settings, text, mode=0o644, sync=False)
    write_atomic(rules, _HBA, mode=0o644, sync=False)
    log = open_private(place.start_log, os.O_WRONLY | os.O_TRUNC)
    try:
        child = subprocess.Popen(  # noqa: S603 - our own binary, no shell
            [
                *(bin_dir / "postgres", "-D", place.data),
                *("-c", f"config_file={settings}", "-c", f"hba_file={rules}"),
            ],
            cwd="/",
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            umask=0o077,
            **place.run_as(),
        )
    finally:
        os.close(log)
    CHILDREN[child.pid] = child
    return child


def stop_cluster(place: Place, say: Callable[[str], None] = lambda _: None) -> None:
    """Stops the server of this place: open transactions roll back; after a minute it is cut off, which its
    log makes good at the next start. Raises EmbeddedPostgresError when it survives that too.
    """
    pg_ctl = programs(place, say) / "pg_ctl"
    said = ""
    for mode in ("fast", "immediate"):
        command = ("stop", "-D", place.data, "-m", mode, "-w", "-t", str(_STOP_TIMEOUT_SECONDS))
        done = run(place, pg_ctl, *command, timeout_seconds=_STOP_TIMEOUT_SECONDS + 10)
        if done.returncode == 0 or not (place.data / "postmaster.pid").exists():
            return
        said = done.stdout
    raise EmbeddedPostgresError(f"PostgreSQL in {place.data} does not stop: {said}\n{log_tail(place)}")


def log_tail(place: Place) -> str:
    """Returns the last lines that the server wrote, its start-up words first."""
    dated = sorted(place.log.glob("*.log"), key=lambda path: path.stat().st_mtime)[-1:]
    lines: list[str] = []
    for path in (place.start_log, *dated):
        if path.exists():
            lines += path.read_text(encoding="utf-8", errors="replace").splitlines()[-_LOG_TAIL_LINES:]
    return "\n".join(lines)


def _hand_over(path: Path, text: str, place: Place) -> None:
    """Writes a 0600 file that the server's user may read."""
    path.unlink(missing_ok=True)
    with os.fdopen(open_private(path, os.O_WRONLY | os.O_EXCL), "w", encoding="utf-8") as file:
        file.write(text)
        if place.account is not None:
            os.fchown(file.fileno(), place.account.uid, place.account.gid)
