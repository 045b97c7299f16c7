"""The commands themselves: a backup beside a running store, refusals and exit codes, a restore into a fresh home."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.boot import bring_schema, close_runtime, open_runtime
from engine.checkout.complete import complete
from engine.checks import run_checks
from engine.db import Addresses, open_addresses
from engine.embedded.files import try_lock
from engine.embedded_postgres import read_secrets, wipe
from tests.conftest import settings_for
from tests.engine.backup.conftest import shop_in

ROOT = Path(__file__).resolve().parents[2]


def icommerce(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("ICOMMERCE_", "DATABASE_"))}
    ours = {"ICOMMERCE_HOME": str(home), "ICOMMERCE_DURABLE": "0", "PYTHONPATH": f"{ROOT}:{ROOT}/agents"}
    command = [sys.executable, "-m", "app", *words]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=90, env=clean | ours, cwd=ROOT)


@pytest.fixture
def homes(tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    """A home with a running store and a shop that has sold something; and one that does not exist yet."""
    first, fresh = tmp_path / "first", tmp_path / "fresh"
    opened = _open(first)
    bring_schema(opened, lambda _: None)
    runtime = open_runtime(settings_for(first), opened)
    shop = shop_in(runtime)
    buyer = shop.shopper()
    assert complete(runtime, buyer, shop.approved(buyer, "A")).order is not None
    close_runtime(runtime)
    yield first, fresh
    for home in (first, fresh):
        if (home / "postgres.lock").exists():
            wipe(home)


def _open(home: Path) -> Addresses:
    return open_addresses(settings_for(home), start=True)


def _json(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _said(done: subprocess.CompletedProcess[str], code: int) -> str:
    assert done.returncode == code, done.stderr
    return " ".join(done.stderr.replace("│", " ").split())


def test_back_up_here_restore_there(homes: tuple[Path, Path], tmp_path: Path) -> None:
    first, fresh = homes
    file, key, wrong = tmp_path / "store.backup", tmp_path / "shop.key", tmp_path / "wrong.key"
    wrong.write_text("0" * 64)

    made = _json(icommerce(first, "backup", str(file), "--save-key", str(key), "--json"))
    assert made["tenants"] == 1
    assert [oct(path.stat().st_mode & 0o777) for path in (file, key)] == ["0o600", "0o600"]
    assert key.read_text().strip() == read_secrets(first)["secret_key"]
    assert "there already" in _said(icommerce(first, "backup", str(file)), 2)

    assert "no secret key yet" in _said(icommerce(fresh, "restore", str(file)), 1)
    assert "another ICOMMERCE_SECRET_KEY" in _said(icommerce(fresh, "restore", str(file), "--key-file", str(wrong)), 1)
    assert _json(icommerce(fresh, "restore", str(file), "--key-file", str(key), "--verify", "--json"))["whole"]
    assert not fresh.exists()

    back = _json(icommerce(fresh, "restore", str(file), "--key-file", str(key), "--json"))
    assert (back["id"], back["tenants"], back["rows"], back["held"]) == (made["id"], 1, made["rows"], True)

    opened = _open(fresh)
    runtime = open_runtime(settings_for(fresh), opened)
    assert [result for result in run_checks(runtime) if not result.ok] == []
    close_runtime(runtime)
    report = _json(icommerce(fresh, "doctor", "--json"))
    assert [(row["held"], row["lifted_at"]) for row in report["restores"]] == [(True, None)]

    assert "has 1 shops" in _said(icommerce(fresh, "restore", str(file)), 1)
    assert "--yes" in _said(icommerce(fresh, "restore", str(file), "--replace"), 2)
    lock = try_lock(fresh / "serve.lock")
    assert lock is not None
    assert "Stop it first" in _said(icommerce(fresh, "restore", str(file), "--replace", "--yes"), 1)
    os.close(lock)
    assert _json(icommerce(fresh, "restore", str(file), "--replace", "--yes", "--json"))["tenants"] == 1
