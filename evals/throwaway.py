"""A temporary home that is gone once its process is, also one that was killed: its PostgreSQL outlives a kill -9."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from engine.embedded_postgres import wipe

_AT_THE_END: Final = """
import sys
sys.stdin.read()
from pathlib import Path
from evals import throwaway
throwaway.clear(Path(sys.argv[1]))
"""
"""What waits for the process: the pipe it holds closes when it ends, however it does."""
_WAITING: Final[dict[Path, subprocess.Popen[bytes]]] = {}


def make(prefix: str) -> Path:
    """A new home. Whoever is done with it calls ``remove``; where nobody can any more, it is removed all the same."""
    home = Path(tempfile.mkdtemp(prefix=prefix))
    _WAITING[home] = subprocess.Popen(  # noqa: S603 (our own words)
        [sys.executable, "-c", _AT_THE_END, str(home)],
        stdin=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        start_new_session=True,
    )
    return home


def remove(home: Path) -> None:
    """Stop the home's server, and leave nothing of it."""
    clear(home)
    _WAITING.pop(home).communicate()


def clear(home: Path) -> None:
    """The same for a home of a process that is no more."""
    if (home / "postgres.lock").exists():
        wipe(home)
    shutil.rmtree(home, ignore_errors=True)
