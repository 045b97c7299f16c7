"""What runs on a data folder: proof that a process is its server, and what a dead server leaves behind.

A pid alone proves nothing. A process is ours when it is called `postgres`, runs as the data folder's owner,
was told `-D` this very folder and works in it. Nothing else is ever signalled.
"""

from __future__ import annotations

import contextlib
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from engine.embedded.files import EmbeddedPostgresError
from engine.embedded.place import SOCKET_NAME, Place

CHILDREN: dict[int, subprocess.Popen[bytes]] = {}
"""The servers this process started, by pid: a dead one must be reaped before it counts as dead."""

_ORPHANS_LEAVE_SECONDS = 2
_ORPHANS_END_SECONDS = 30
_NOT_OURS = (psutil.NoSuchProcess, psutil.AccessDenied, FileNotFoundError)


@dataclass(frozen=True)
class Postmaster:
    """A live server, as its own pid file describes it; `ready` when it says that it takes connections."""

    pid: int
    socket_dir: Path | None
    ready: bool


def find_postmaster(place: Place) -> Postmaster | None:
    """Returns the live server proven to run on this place's data folder, or None."""
    lines = _pid_file_lines(place.data)
    pid = int(lines[0]) if lines and lines[0].strip().isdigit() else 0
    if pid == 0 or not is_ours(pid, place.data):
        return None
    sockets = Path(lines[4].strip()) if len(lines) > 4 and lines[4].strip() else None
    return Postmaster(pid=pid, socket_dir=sockets, ready=len(lines) > 7 and lines[7].strip() == "ready")


def is_ours(pid: int, data: Path) -> bool:
    """Whether the process is a live PostgreSQL server on the data folder."""
    child = CHILDREN.get(pid)
    if child is not None and child.poll() is not None:
        del CHILDREN[pid]
        return False
    try:
        process = psutil.Process(pid)
        return _is_postgres_in(process, data) and _named_data_folder(process) == data.resolve()
    except _NOT_OURS:
        return False


def clear_leftovers(place: Place, sockets: Path) -> None:
    """After a server that died without cleaning up: waits for its orphaned backends, then removes its pid
    file and socket lock, which name a pid that may be a stranger's by now. Shared memory is left to the
    server: it finds its old segment by the data folder and reuses it.
    Raises EmbeddedPostgresError when an orphan does not end; the pid file then stays.
    """
    pid_file = place.data / "postmaster.pid"
    if not pid_file.exists():
        return
    _end_orphans(place.data)
    pid_file.unlink(missing_ok=True)
    (sockets / f"{SOCKET_NAME}.lock").unlink(missing_ok=True)


def reap(pid: int) -> None:
    """Takes the exit status of a stopped server, if this process is its parent."""
    child = CHILDREN.pop(pid, None)
    if child is not None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(timeout=10)


def _pid_file_lines(data: Path) -> list[str]:
    try:
        return (data / "postmaster.pid").read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return []


def _is_postgres_in(process: psutil.Process, data: Path) -> bool:
    if process.name() != "postgres" or process.status() == psutil.STATUS_ZOMBIE:
        return False
    if process.uids().real != data.stat().st_uid:
        return False
    return Path(process.cwd()) == data.resolve()


def _named_data_folder(process: psutil.Process) -> Path | None:
    command = process.cmdline()
    if "-D" not in command[:-1]:
        return None
    return Path(command[command.index("-D") + 1]).resolve()


def _end_orphans(data: Path) -> None:
    """Backends notice their server's death and leave; one that is busy with a statement is told to end."""
    orphans = _processes_in(data)
    _, left = psutil.wait_procs(orphans, timeout=_ORPHANS_LEAVE_SECONDS)
    for orphan in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            orphan.terminate()
    deadline = time.monotonic() + _ORPHANS_END_SECONDS
    while _processes_in(data):
        if time.monotonic() > deadline:
            raise EmbeddedPostgresError(f"Processes of a dead PostgreSQL still work in {data} and do not end")
        time.sleep(0.02)


def _processes_in(data: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(*_NOT_OURS):
            if _is_postgres_in(process, data):
                found.append(process)
    return found
