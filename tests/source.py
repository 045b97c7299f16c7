"""Reading our own source."""

from __future__ import annotations

import ast
import gc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def nothing_collected() -> Iterator[None]:
    """What is parsed in here is parsed in peace: a traceback of what is thrown away meanwhile would be parsed in the
    middle of it, which CPython 3.11 takes for an error of its own.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def parsed(file: Path) -> ast.Module:
    """The file's syntax tree."""
    with nothing_collected():
        return ast.parse(file.read_text(encoding="utf-8"))
