"""Where a home's cluster lives, and as which operating-system user it runs.

PostgreSQL refuses to run as root. Started by root it therefore runs as `postgres` (`_postgres` on macOS) or
`nobody`, and owns nothing but `data`, `log` and `run`. A numeric user without a passwd entry is no way out:
initdb refuses it. When that user cannot walk down to the home (`/root/x`, a 0700 folder) we do not open
anyone's folder: the cluster goes to /var/lib/icommerce/<hash>-<random> (throwaway clusters: to /tmp), and
`postgres.location` in the home says where. Several homes of one machine share the user; each is 0700.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import re
import stat
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from engine.embedded.files import EmbeddedPostgresError, is_root, write_atomic

SOCKET_NAME = ".s.PGSQL.5432"

_ACCOUNTS = ("postgres", "_postgres", "nobody")
_LOCATION = "postgres.location"
_SHARED_ROOT = Path("/var/lib/icommerce")
_SHORT_TEMP = Path("/tmp")  # noqa: S108 - must be short and the same in every process; what is below is checked
_SOCKET_PATH_LIMIT_BYTES = 100  # sun_path holds 104 on macOS, 108 on Linux
_PLAIN_PATH = re.compile(r"[A-Za-z0-9/._-]+")  # needs no quoting in a list of folders


class RunAs(TypedDict, total=False):
    """The arguments of `subprocess` that drop root."""

    user: int
    group: int
    extra_groups: list[int]


@dataclass(frozen=True)
class Account:
    uid: int
    gid: int


@dataclass(frozen=True)
class Place:
    """A cluster's folder. `account` is None when the server runs as the present user."""

    home: Path
    root: Path
    account: Account | None

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def log(self) -> Path:
        return self.root / "log"

    @property
    def start_log(self) -> Path:
        return self.root / "start.log"

    def run_as(self) -> RunAs:
        if self.account is None:
            return {}
        return {"user": self.account.uid, "group": self.account.gid, "extra_groups": []}

    def sockets(self) -> Path:
        """Returns `run` in the cluster's folder, or a short folder in /tmp where that path is too long."""
        near = self.root / "run"
        size_bytes = len(os.fsencode(near / SOCKET_NAME))
        if size_bytes <= _SOCKET_PATH_LIMIT_BYTES and _PLAIN_PATH.fullmatch(str(near)):
            return near
        return _SHORT_TEMP / f"ic-{_short_hash(self.root)}"


def find_place(home: Path) -> Place | None:
    """Returns the place of the cluster that `home` has, None when it has none. Creates nothing."""
    root = _recorded_root(home) or home / "postgres"
    return place_at(home, root) if (root / "data").exists() else None


def place_at(home: Path, root: Path) -> Place:
    return Place(home=home, root=root, account=_account_for(root) if is_root() else None)


def make_place(home: Path, say: Callable[[str], None], *, durable: bool) -> Place:
    """Returns the place for `home`'s cluster and creates its folder. Raises EmbeddedPostgresError when the
    recorded one is gone, or when an existing cluster is out of the unprivileged user's reach.
    """
    root = _recorded_root(home) or home / "postgres"
    place = place_at(home, root)
    if place.account is not None and root.parent == home and not can_reach(place.account, home):
        if place.data.exists():
            raise EmbeddedPostgresError(
                f"{place.data} is out of reach for the unprivileged user {place.account.uid} that runs it: "
                f"a folder above it lets no other user pass (chmod o+x)"
            )
        root = _make_root_elsewhere(home, durable=durable)
        place = place_at(home, root)
        say(f"PostgreSQL does not run as root and {home} is closed to other users: its data goes to {root}")
    if not root.exists():
        root.mkdir()
        root.chmod(0o711 if place.account else 0o700)
    own_folder(place, place.log)
    return place


def own_folder(place: Place, folder: Path) -> None:
    """Makes `folder` 0700 for the server's user, or accepts it when it is already exactly that.
    Raises EmbeddedPostgresError for a symlink, another owner or wider rights.
    """
    owner = place.account or Account(os.geteuid(), os.getegid())
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        check_own_folder(folder, owner.uid)
        return
    if place.account is not None:
        os.chown(folder, owner.uid, owner.gid, follow_symlinks=False)


def check_own_folder(folder: Path, uid: int) -> None:
    """Raises EmbeddedPostgresError unless `folder` is a real folder of `uid` that nobody else may enter."""
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != uid or stat.S_IMODE(found.st_mode) & 0o077:
        raise EmbeddedPostgresError(f"Refusing {folder}: it must be a folder of user {uid} with mode 0700")


def can_reach(account: Account, folder: Path) -> bool:
    """Whether the account may pass through `folder` and all folders above it, by their mode bits."""
    return all(_may_pass(account, step.stat()) for step in (folder, *folder.parents))


def _may_pass(account: Account, folder: os.stat_result) -> bool:
    if folder.st_uid == account.uid:
        return bool(folder.st_mode & stat.S_IXUSR)
    if folder.st_gid == account.gid:
        return bool(folder.st_mode & stat.S_IXGRP)
    return bool(folder.st_mode & stat.S_IXOTH)


def _account_for(root: Path) -> Account:
    """The owner of the cluster that is there, else the first unprivileged user that will do."""
    data = root / "data"
    if data.exists():
        found = data.stat()
        if found.st_uid == 0:
            raise EmbeddedPostgresError(f"{data} belongs to root, as whom PostgreSQL refuses to run")
        return Account(found.st_uid, found.st_gid)
    for name in _ACCOUNTS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid != 0:
            return Account(entry.pw_uid, entry.pw_gid)
    raise EmbeddedPostgresError(f"PostgreSQL does not run as root, and no user of {_ACCOUNTS} exists to run it as")


def _recorded_root(home: Path) -> Path | None:
    try:
        root = Path((home / _LOCATION).read_text(encoding="utf-8").strip())
    except FileNotFoundError:
        return None
    if not root.is_dir() or root.is_symlink() or root.stat().st_uid != os.geteuid():
        raise EmbeddedPostgresError(
            f"{home / _LOCATION} says that the database is in {root}; that is gone, or not this user's folder"
        )
    return root


def _make_root_elsewhere(home: Path, *, durable: bool) -> Path:
    base = _SHARED_ROOT if durable else _SHORT_TEMP
    if not base.exists():
        base.mkdir(parents=True)
        base.chmod(0o711)
    prefix = "" if durable else "icommerce-"
    root = Path(tempfile.mkdtemp(prefix=f"{prefix}{_short_hash(home)}-", dir=base))
    root.chmod(0o711)
    write_atomic(root / "home", f"{home}\n")
    write_atomic(home / _LOCATION, f"{root}\n")
    return root


def _short_hash(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:12]
