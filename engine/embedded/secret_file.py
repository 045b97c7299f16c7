"""`secrets.json` in the home: one flat JSON object of strings, 0600, shared by all that keep secrets."""

from __future__ import annotations

import json
from pathlib import Path

from engine.embedded.files import EmbeddedPostgresError, locked, make_home, write_atomic

_FILE = "secrets.json"
_LOCK_TIMEOUT_SECONDS = 10


def read_secrets(home: Path) -> dict[str, str]:
    """Returns every secret of this home by name, `{}` before the first one is kept.
    Raises EmbeddedPostgresError when the file cannot be read or is not an object of strings.
    """
    path = home.expanduser() / _FILE
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise EmbeddedPostgresError(f"Cannot read the secrets in {path}: {type(error).__name__}") from error
    if not isinstance(kept, dict) or not all(isinstance(value, str) for value in kept.values()):
        raise EmbeddedPostgresError(f"{path} is not a JSON object of strings")
    return kept


def update_secrets(home: Path, **new: str) -> dict[str, str]:
    """Adds or replaces the given names, keeps all others, and returns every secret now kept.
    Raises EmbeddedPostgresError when the present file cannot be read: it is then left as it is.
    """
    home = make_home(home)
    with locked(home / f"{_FILE}.lock", timeout_seconds=_LOCK_TIMEOUT_SECONDS):
        merged = read_secrets(home) | new
        write_atomic(home / _FILE, json.dumps(merged, indent=2, sort_keys=True) + "\n")
    return merged
