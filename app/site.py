"""What the web process holds, from its first moment (nothing open yet) to its last."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Final, ParamSpec, Protocol, TypeVar

import anyio
import anyio.to_thread

from app.agent_log import AgentLog
from engine.kit import limits
from engine.kit.direct import Refused
from engine.kit.errors import Unavailable
from engine.runtime import Runtime
from engine.settings import Settings

if TYPE_CHECKING:
    from app.live import LiveEvents

P = ParamSpec("P")
T = TypeVar("T")
_MINUTE: Final = timedelta(minutes=1)
_STREAM_READERS: Final = 4


class Waker(Protocol):
    """Whoever executes queued runs."""

    def wake(self, tenant_id: str, thread_id: str) -> None: ...


class Starting(Unavailable):
    code = "starting"
    retry_after_seconds = 1


@dataclass(frozen=True, slots=True)
class Limits:
    """Requests a minute."""

    threads_per_address: int = 600
    runs_per_identity: int = 120
    runs_per_tenant: int = 3000
    cards_per_identity: int = 30
    cards_per_session: int = 20
    confirms_per_address: int = 300


@dataclass
class Site:
    """Shared by every request. ``runtime`` and what follows it is there once the process has started up."""

    settings: Settings
    web_origin: str
    psp_origin: str
    limits: Limits = field(default_factory=Limits)
    opened: Runtime | None = None
    live: LiveEvents | None = None
    waker: Waker | None = None
    ready: bool = False
    step: str = "starting"
    closing: bool = False

    def __post_init__(self) -> None:
        self._stream_limiter: anyio.CapacityLimiter | None = None
        self.agent_log = AgentLog(lambda: self.runtime)

    @property
    def runtime(self) -> Runtime:
        """Raises ``Starting`` (503) before the store is open."""
        if self.opened is None:
            raise Starting("The shop is opening. Please try again in a moment.")
        return self.opened

    def wake(self, tenant_id: str, thread_id: str) -> None:
        """A run was committed: have it executed."""
        if self.waker is not None:
            self.waker.wake(tenant_id, thread_id)

    def hit(self, bucket: str, limit: int) -> None:
        """Count one use a minute in a transaction of its own. Raises ``RateLimited``."""
        self.hit_each({bucket: limit})

    def hit_each(self, uses: Mapping[str, int]) -> None:
        """Count one use of each bucket, each with its limit; beyond one of them none is counted. Raises
        ``RateLimited``.
        """
        asks = [limits.within(bucket[:200], limit=limit, window=_MINUTE) for bucket, limit in uses.items()]
        try:
            self.runtime.store.ask("", *asks)
        except Refused:
            raise limits.limited(_MINUTE) from None

    async def read_for_stream(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a blocking read on the few threads that serve open streams, so that they never starve requests."""
        if self._stream_limiter is None:
            self._stream_limiter = anyio.CapacityLimiter(_STREAM_READERS)
        call = lambda: function(*args, **kwargs)  # noqa: E731 (anyio takes no keyword arguments)
        return await anyio.to_thread.run_sync(call, limiter=self._stream_limiter)
