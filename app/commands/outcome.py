"""How a command ends: 0 done, 1 failed, 2 wrong use, 3 not reachable. JSON on stdout, people's words on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

FAILED: Final = 1
USAGE: Final = 2
UNREACHABLE: Final = 3


def say(words: str) -> None:
    """One line for a person."""
    print(words, file=sys.stderr, flush=True)  # noqa: T201 (a command line speaks by printing)


def show(words: str = "") -> None:
    """One line of the answer."""
    print(words, flush=True)  # noqa: T201 (a command line speaks by printing)


def show_json(value: Any) -> None:
    """The answer, for programs."""
    show(json.dumps(value, ensure_ascii=False, default=str))


@contextmanager
def ended() -> Iterator[None]:
    """Turn what a command raises into one clear line and its exit code."""
    try:
        yield
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        code = _code_of(error)
        if code is None:
            raise
        say(f"icommerce: {' '.join(str(error).split())}")
        sys.exit(code)


def _code_of(error: Exception) -> int | None:
    """The exit code of an error a person can do something about; ``None`` for a fault of ours."""
    from pydantic import ValidationError
    from sqlalchemy.exc import OperationalError

    from engine.embedded.files import EmbeddedPostgresError
    from engine.kit.errors import DomainError, Unavailable
    from engine.settings import SettingsError

    if isinstance(error, Unavailable | OperationalError):
        return UNREACHABLE
    if isinstance(error, SettingsError):
        return USAGE
    if isinstance(error, DomainError | EmbeddedPostgresError | ValidationError | OSError):
        return FAILED
    return None
