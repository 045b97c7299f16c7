"""House rule: no float touches money. Walks the code that computes amounts and names every float it finds."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
GUARDED: Final = (
    "engine/kit/money.py",
    "engine/carts",
    "engine/checkout",
    "engine/demo",
    "engine/finance",
    "engine/fulfillment/exceptions.py",
    "engine/fulfillment/paying.py",
    "engine/fulfillment/release.py",
    "engine/fulfillment/routing.py",
    "engine/fulfillment/shares.py",
    "engine/fulfillment/shipments.py",
    "engine/inventory",
    "engine/orders",
    "engine/payments",
    "engine/shipping",
    "engine/tax",
    "app/cardentry.py",
    "app/psp",
    "tools",
)
ALLOWED: Final[frozenset[str]] = frozenset()
"""``file:line`` of what is no amount, each with its reason in the code."""


def floats_in(source: str) -> Iterator[tuple[int, str]]:
    """``(line, what)`` for each float literal, ``float(…)`` call and true division of numbers."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, float):
            yield node.lineno, f"the float {node.value}"
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "float":
            yield node.lineno, "float()"
        elif isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div) and not _is_path(node):
            yield node.lineno, "true division"


def _is_path(node: ast.BinOp | ast.AugAssign) -> bool:
    """``folder / "name"``: one side is text."""
    sides = [node.value] if isinstance(node, ast.AugAssign) else [node.left, node.right]
    return any(
        isinstance(side, ast.JoinedStr) or (isinstance(side, ast.Constant) and isinstance(side.value, str))
        for side in sides
    )


def faults(root: Path = ROOT) -> list[str]:
    """Every float in guarded code, as ``file:line: what``."""
    found = []
    for place in GUARDED:
        path = root / place
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            name = file.relative_to(root).as_posix()
            for line, what in floats_in(file.read_text(encoding="utf-8")):
                if f"{name}:{line}" not in ALLOWED:
                    found.append(f"{name}:{line}: {what}")
    return found


def main() -> int:
    broken = faults()
    for fault in broken:
        print(f"money: {fault}", file=sys.stderr)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
