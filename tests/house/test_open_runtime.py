"""A process that opens a runtime can write any row, whatever it imported before."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
from app.boot import open_runtime
from engine.db import Addresses
from engine.kit.tenancy import Base
from engine.payments.models import Payment
from engine.settings import Settings
url = "postgresql+psycopg://nobody@127.0.0.1:1/none"
open_runtime(Settings.from_env({}), Addresses(runtime=url, owner=None, sandbox=url, secret_key=b"0" * 32))
for key in Payment.__table__.foreign_keys:
    key.column
assert "app.checkout_sessions" in Base.metadata.tables
"""


def test_every_table_is_mapped_once_a_runtime_is_open() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
