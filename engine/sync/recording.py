"""The shadow: what would be sent is written down and not sent."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Protocol

from engine.sync.wire import Outgoing, Reply

Answer = Callable[[Outgoing], Reply | None]
"""What a request is answered with; ``None``: with nothing in particular."""


class Recorder(Protocol):
    """Where requests of a shadow go. Its replies stand for the system's."""

    def answer(self, request: Outgoing) -> Reply | None:
        """The reply. ``None`` for a request that reads: the system itself may be asked, it changes nothing there. One
        that writes is answered in any case.
        """


class Recording:
    """Keeps every request in order. Writes are answered by ``writes`` or with an empty yes; reads by ``reads``, and
    what that does not know goes to the system.
    """

    def __init__(self, *, writes: Answer | None = None, reads: Answer | None = None) -> None:
        self._writes, self._reads, self._lock = writes, reads, threading.Lock()
        self.requests: list[Outgoing] = []

    def answer(self, request: Outgoing) -> Reply | None:
        with self._lock:
            self.requests.append(request)
        if request.reads:
            return self._reads(request) if self._reads else None
        return (self._writes(request) if self._writes else None) or Reply.of({})


def from_known(known: Mapping[str, Reply]) -> Answer:
    """Answers by the request's fingerprint: of a run that was live."""
    return lambda request: known.get(request.fingerprint)
