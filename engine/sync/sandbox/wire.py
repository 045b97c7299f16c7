"""One request and one answer, without a web framework: what the emulators read and write."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

Json: TypeAlias = dict[str, Any]


@dataclass(frozen=True)
class Call:
    """A request that arrived. ``rest`` is its path after the vendor's prefix, ``tenant`` whose door it knocked at."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    origin: str
    tenant: str = ""
    rest: str = ""

    def json(self) -> Any:
        """The body as JSON. Raises ``BadJson``."""
        try:
            return json.loads(self.body or b"null")
        except (ValueError, RecursionError) as error:
            raise BadJson from error

    def header(self, name: str) -> str:
        return self.headers.get(name.lower(), "")

    @property
    def url(self) -> str:
        """The address without its query, as signatures are made over it."""
        return self.origin + self.path


class BadJson(Exception):
    """The body is not JSON."""


@dataclass
class Answer:
    """What goes back: ``content`` as JSON, or ``raw`` bytes as they are."""

    status: int = 200
    content: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None

    def encoded(self) -> bytes:
        if self.raw is not None:
            return self.raw
        return b"" if self.content is None else json.dumps(self.content, separators=(",", ":")).encode()

    def sent_headers(self) -> dict[str, str]:
        kind = {} if self.raw is not None or self.content is None else {"content-type": "application/json"}
        return kind | {name.lower(): value for name, value in self.headers.items()}


class Refused(Exception):
    """A handler's way out with an answer of the vendor's own form; nothing was changed."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(str(answer.status))
        self.answer = answer


class NoAnswer(Exception):
    """Nobody will answer this request: ``reset`` breaks the connection, without it the caller waits in vain."""

    def __init__(self, *, reset: bool) -> None:
        super().__init__("connection reset" if reset else "no answer")
        self.reset = reset


class Vendor(Protocol):
    """An emulator behind its door."""

    system: str

    def operation(self, call: Call) -> str:
        """The name by which fault rules and the journal know what is asked."""

    def enter(self, call: Call) -> Answer | None:
        """Count a request in, or turn it away."""

    def leave(self, call: Call) -> None:
        """Count it out."""

    def handle(self, call: Call) -> Answer:
        """Do what is asked, wholly or not at all. May raise ``Refused``."""

    def faulty(self, kind: str, params: Json, call: Call) -> Answer:
        """The vendor's own way to say 429, 500, 401 and the like."""

    def rotate(self, tenant: str, params: Json) -> None:
        """Give a tenant new secrets; the old ones are refused from now on."""
