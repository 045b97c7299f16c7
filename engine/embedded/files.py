"""Files that only their owner may read: private opening, atomic replacement, locks between processes."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

_POLL_SECONDS = 0.02


class EmbeddedPostgresError(RuntimeError):
    """The embedded PostgreSQL could not be created, started, reached or stopped; the text says why."""


def is_root() -> bool:
    return os.geteuid() == 0


def make_home(home: Path) -> Path:
    """Returns `home` as an absolute path, created when missing. Only a folder made here gets its mode set:
    started by root it lets the unprivileged server pass through (0711), and nobody lists it.
    """
    home = home.expanduser().resolve()
    home.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        home.mkdir()
        home.chmod(0o711 if is_root() else 0o700)
    return home


def open_private(path: Path, flags: int) -> int:
    """Opens or creates `path` with 0600, never through a symlink. A file made by root in another user's
    folder goes to that user, so that one `sudo` run does not lock the user out. Returns the descriptor.
    """
    descriptor = os.open(path, flags | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    if is_root():
        folder = path.parent.stat()
        os.fchown(descriptor, folder.st_uid, folder.st_gid)
    return descriptor


def write_atomic(path: Path, text: str, *, mode: int = 0o600, sync: bool = True) -> None:
    """Replaces `path` so that a reader or a crash meets the old text or the new one, never half of it.
    `sync=False` is for a file that is written anew before each use.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}.new")
    draft.unlink(missing_ok=True)
    with os.fdopen(open_private(draft, os.O_WRONLY | os.O_EXCL), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fchmod(file.fileno(), mode)
        if sync:
            os.fsync(file.fileno())
    draft.replace(path)
    if sync:
        sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Makes a rename within the folder last through a power cut."""
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def try_lock(path: Path) -> int | None:
    """Takes the lock at `path` and returns its descriptor, or None while another holder lives. The kernel
    frees it when the holder dies, however it dies.
    """
    descriptor = open_private(path, os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


@contextlib.contextmanager
def locked(path: Path, *, timeout_seconds: float) -> Iterator[None]:
    """Holds the lock at `path`, between processes and between threads.
    Raises EmbeddedPostgresError when it is not free in time.
    """
    deadline = time.monotonic() + timeout_seconds
    while (descriptor := try_lock(path)) is None:
        if time.monotonic() > deadline:
            raise EmbeddedPostgresError(f"{path} has been locked by another process for {timeout_seconds:.0f} s")
        time.sleep(_POLL_SECONDS)
    try:
        yield
    finally:
        os.close(descriptor)
