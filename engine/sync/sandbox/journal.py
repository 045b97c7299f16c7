"""What was asked and answered, secrets masked: the evidence that tests and people look at."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from engine.sync.sandbox.wire import Answer, Call

MOST: Final = 20_000
LONGEST: Final = 16_384
SECRET: Final = frozenset({"authorization", "x-shopify-access-token", "cookie"})
_SPOKEN: Final = ("client_assertion",)


@dataclass(frozen=True)
class Entry:
    number: int
    at: datetime
    system: str
    tenant: str
    method: str
    path: str
    query: Mapping[str, str]
    operation: str
    headers: Mapping[str, str]
    request: str
    status: int | None
    response: str
    faults: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"at": self.at.isoformat()}


class Journal:
    """The newest requests; ``status`` is ``None`` where nobody answered."""

    def __init__(self, most: int = MOST) -> None:
        self._entries: deque[Entry] = deque(maxlen=most)
        self._count = 0

    def write(
        self, *, at: datetime, system: str, operation: str, call: Call, answer: Answer | None, faults: tuple[str, ...]
    ) -> None:
        self._count += 1
        self._entries.append(
            Entry(
                number=self._count,
                at=at,
                system=system,
                tenant=call.tenant,
                method=call.method,
                path=call.path,
                query=dict(call.query),
                operation=operation,
                headers=_masked(call.headers),
                request=_request(call),
                status=answer.status if answer else None,
                response=answer.encoded()[:LONGEST].decode(errors="replace") if answer else "",
                faults=faults,
            )
        )

    def entries(self, *, system: str = "", tenant: str = "", operation: str = "", after: int = 0) -> list[Entry]:
        """In the order of arrival; each empty filter lets everything through."""
        wanted = {"system": system, "tenant": tenant, "operation": operation}
        asked = {name: value for name, value in wanted.items() if value}
        return [
            one
            for one in self._entries
            if one.number > after and all(getattr(one, name) == value for name, value in asked.items())
        ]


def _masked(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: "***" if name in SECRET else value for name, value in headers.items()}


def _request(call: Call) -> str:
    text = call.body[:LONGEST].decode(errors="replace")
    return "***" if any(word in text for word in _SPOKEN) else text
