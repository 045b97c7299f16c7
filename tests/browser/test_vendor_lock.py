"""Every vendored file is the one its lock names, and every one is named."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

ROOT = Path(__file__).parents[2]
VENDOR = ROOT / "app" / "static" / "vendor"
LOCK = json.loads((VENDOR / "vendor.lock").read_text(encoding="utf-8"))["files"]


def test_the_files_are_those_of_the_lock() -> None:
    for entry in LOCK:
        assert hashlib.sha256((ROOT / entry["path"]).read_bytes()).hexdigest() == entry["sha256"], entry["path"]
        assert (ROOT / entry["license_file"]).is_file()
        assert all(package["integrity"].startswith("sha512-") for package in entry["packages"])


def test_no_file_is_missing_from_the_lock() -> None:
    known = {entry[kind] for entry in LOCK for kind in ("path", "license_file")}
    folders = [VENDOR, ROOT / "tests" / "browser" / "vendor"]
    found = {str(file.relative_to(ROOT)) for folder in folders for file in folder.rglob("*") if file.is_file()}
    assert found - {"app/static/vendor/vendor.lock"} == known
