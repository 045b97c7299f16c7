"""A temporary home goes with its process."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

_RUN = """
import os, signal
from engine.embedded_postgres import start_or_attach
from evals import throwaway
home = throwaway.make("icommerce-test-throwaway-")
print(home, start_or_attach(home, durable=False).pid, flush=True)
{end}
"""
_ENDS = {
    "removed": ("throwaway.remove(home)", 0),
    "killed": ("os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL),
    "terminated": ("os.kill(os.getpid(), signal.SIGTERM)", -signal.SIGTERM),
}


@pytest.mark.parametrize("end", _ENDS)
def test_nothing_is_left_of_a_home_however_its_process_ends(end: str) -> None:
    words, code = _ENDS[end]
    done = subprocess.run([sys.executable, "-c", _RUN.format(end=words)], capture_output=True, text=True, check=False)
    home, pid = done.stdout.split()
    assert done.returncode == code, done.stderr
    assert not Path(home).exists()
    assert not psutil.pid_exists(int(pid)) or psutil.Process(int(pid)).status() == psutil.STATUS_ZOMBIE
