"""Reading our own source."""

from __future__ import annotations

import ast
import gc
from pathlib import Path


def parsed(file: Path) -> ast.Module:
    """The file's syntax tree. Nothing is collected meanwhile: a traceback of what is thrown away then would be parsed
    in the middle of it, which CPython 3.11 takes for an error of its own.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        return ast.parse(file.read_text(encoding="utf-8"))
    finally:
        if collecting:
            gc.enable()
