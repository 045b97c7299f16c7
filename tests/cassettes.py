"""Conversations with a model over HTTP, recorded once and played back without anybody at the other end.

``ICOMMERCE_RECORD=1 pytest tests/graph/test_cassette.py`` records anew from the scripted server. No key is kept.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import vcr

FOLDER: Final = Path(__file__).parent / "graph" / "cassettes"
NOBODY: Final = "http://127.0.0.1:9/v1"
"""An address where nothing listens: what is not on the cassette fails."""
_KEPT: Final = frozenset({"content-type", "retry-after"})


def recording() -> bool:
    return bool(os.environ.get("ICOMMERCE_RECORD"))


@contextmanager
def cassette(name: str) -> Iterator[Any]:
    """Every model call inside is played from ``cassettes/<name>.yaml`` in its order, or recorded to it."""
    path = FOLDER / f"{name}.yaml"
    if recording():
        path.unlink(missing_ok=True)
    recorder = vcr.VCR(
        record_mode=vcr.mode.ALL if recording() else vcr.mode.NONE,
        match_on=["method", "path"],
        before_record_request=_anonymous,
        before_record_response=_plain,
    )
    with recorder.use_cassette(str(path)) as played:
        yield played


def _anonymous(request: Any) -> Any:
    """No key, no machine, and no words of ours: they change, and the answers are played in order."""
    request.headers = {}
    request.body = b""
    request.uri = f"{NOBODY}/{request.path.rpartition('/v1/')[2]}"
    return request


def _plain(response: dict[str, Any]) -> dict[str, Any]:
    response["headers"] = {name: value for name, value in response["headers"].items() if name.lower() in _KEPT}
    return response
