"""A request as it is asked for and an answer as it came."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from engine.kit.idempotency import canonical_json

_NUL: Final = b"\\u0000"
READS: Final = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One request. ``body`` is what is sent; ``said`` is the document that it was made of."""

    method: str
    path: str
    """Below the connection's base address."""
    params: Mapping[str, Any]
    said: Any = field(repr=False)
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    reads: bool
    """It changes nothing there."""
    repeatable: bool
    """It may be sent twice and is done once."""
    cost: int = 1
    idempotency_key: str = ""
    in_full: bool = False
    """The journal keeps all of its answer, which says nothing of people."""

    @property
    def fingerprint(self) -> str:
        """The same for two requests that say the same: method, path, parameters and body. Keys and headers are left
        out, they differ from try to try.
        """
        said = {"method": self.method, "path": self.path, "params": dict(self.params), "body": _meaning(self)}
        return hashlib.sha256(canonical_json(said)).hexdigest()

    def shown(self) -> dict[str, Any]:
        """What the journal keeps of it."""
        found: dict[str, Any] = {}
        if self.params:
            found["params"] = dict(self.params)
        if self.said is not None:
            found["body"] = self.said
        return found


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer. Header names are in lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    data: Any = field(default=None, repr=False)
    """The JSON of the body, ``None`` where it has none."""

    @classmethod
    def of(cls, data: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
        """An answer that was not sent: of a recording, or of a test."""
        return cls(status, dict(headers or {}), orjson.dumps(data), data)

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300


def storable(value: Any) -> Any:
    """A document as it can be kept and sent: without NUL, and with nothing that JSON has no word for. Raises
    ``ValueError`` for numbers of more than 64 bits and for text that is none.
    """
    try:
        return orjson.loads(orjson.dumps(value).replace(_NUL, b""))
    except (TypeError, orjson.JSONDecodeError):
        raise ValueError("it holds a number or a text that no document can hold") from None


def _meaning(request: Outgoing) -> Any:
    """A document as it is, whatever the order of its names; anything else by its bytes."""
    return hashlib.sha256(request.body).hexdigest() if isinstance(request.said, str | None) else request.said
