"""The peer is measured by a program that knows nothing of ours and prints rows of the same shape."""

from __future__ import annotations

import ast
import dataclasses
import sys
from pathlib import Path

from app.bench import Row

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "bench_peer.py"
TREE = ast.parse(SCRIPT.read_text())


def test_the_peers_process_imports_the_standard_library_and_the_peer_alone() -> None:
    imported = {
        name.split(".")[0]
        for node in ast.walk(TREE)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert imported - set(sys.stdlib_module_names) == {"stateset_embedded"}


def test_its_rows_have_the_shape_of_ours() -> None:
    rows = [
        [key.value for key in node.keys if isinstance(key, ast.Constant)]
        for node in ast.walk(TREE)
        if isinstance(node, ast.Dict)
    ]
    contract = [field.name for field in dataclasses.fields(Row) if field.default is dataclasses.MISSING]
    assert contract in rows


def test_it_is_durable() -> None:
    assert SCRIPT.read_text().count('"STATESET_SQLITE_SYNCHRONOUS"') == 2
