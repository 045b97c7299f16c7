"""What vendors send on their own: signed deliveries, tried again on the world's clock, with the faults of the post."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import Any, Final

import httpx

from engine.sync.sandbox.bending import bend
from engine.sync.sandbox.faults import MENDABLE, WEBHOOK, Kind, Rule
from engine.sync.sandbox.ground import Ground
from engine.sync.sandbox.wire import Json

CONNECT_SECONDS: Final = 1.0
ANSWER_SECONDS: Final = 5.0
_OVERTAKEN_SECONDS: Final = 30.0

Sign = Callable[[bytes, bool], Mapping[str, str]]
"""The headers of a body; ``True`` asks for a signature that is wrong."""
Encode = Callable[[Json], bytes]
Ended = Callable[[bool], None]


@dataclass
class Delivery:
    """One message to one address, however often it is tried."""

    id: str
    system: str
    tenant: str
    topic: str
    url: str
    resource: str
    body: bytes
    sign: Sign
    retries: Sequence[float]
    ended: Ended | None = None
    spoiled: bool = False
    state: str = "waiting"
    attempts: list[Json] = field(default_factory=list)

    def as_json(self) -> Json:
        shown = ("id", "system", "tenant", "topic", "url", "resource", "state", "attempts")
        return {name: getattr(self, name) for name in shown} | {"body": self.body.decode(errors="replace")}


class Dispatcher:
    """Sends deliveries when the world's clock says so. ``client`` may be replaced: tests hand in one of their own."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._client: httpx.Client | None = None
        self._own = False
        self._last: dict[tuple[str, str, str], Json] = {}
        self.deliveries: list[Delivery] = []

    def use(self, client: httpx.Client) -> None:
        """Send through this client."""
        self._client, self._own = client, False

    def post(self, delivery: Delivery, said: Json, encode: Encode) -> None:
        """Send ``said`` soon, as the faults in force have it."""
        struck = self._struck(delivery, WEBHOOK | MENDABLE)
        key = (delivery.tenant, delivery.topic, delivery.resource)
        before = self._last.get(key)
        self._last[key] = said
        if before is not None and _has(struck, Kind.WEBHOOK_STALE_PAYLOAD):
            said = before
        for rule in struck:
            said = bend(said, rule) if rule.kind in MENDABLE else said
        delivery.body = encode(said)
        delivery.spoiled = _has(struck, Kind.WEBHOOK_BAD_HMAC)
        self.deliveries.append(delivery)
        self._schedule(delivery, struck)

    def _schedule(self, delivery: Delivery, struck: list[Rule]) -> None:
        if _has(struck, Kind.WEBHOOK_DROP):
            delivery.state = "dropped"
            return
        delay = sum(_seconds(rule) for rule in struck)
        copies = sum(int(rule.params.get("n", 1)) for rule in struck if rule.kind is Kind.WEBHOOK_DUPLICATE)
        for _ in range(1 + copies):
            self._ground.later(timedelta(seconds=delay), lambda: self._try(delivery))

    def _struck(self, delivery: Delivery, kinds: frozenset[Kind]) -> list[Rule]:
        return self._ground.faults.strike(
            kinds,
            system=delivery.system,
            method="WEBHOOK",
            path=delivery.url,
            operation=delivery.topic,
            tenant=delivery.tenant,
        )

    def _try(self, delivery: Delivery) -> None:
        """Knock once; on no 2xx within the time, again later, and in the end no more."""
        again = delivery.state == "delivered"
        at, outcome = self._ground.now(), self._send(delivery)
        with self._ground.lock:
            delivery.attempts.append({"at": at.isoformat(), "outcome": outcome})
            good = isinstance(outcome, int) and 200 <= outcome < 300
            if again:
                return
            if good:
                delivery.state = "delivered"
            elif len(delivery.attempts) <= len(delivery.retries):
                delay = delivery.retries[len(delivery.attempts) - 1]
                self._ground.later(timedelta(seconds=delay), lambda: self._try(delivery))
                return
            else:
                delivery.state = "failed"
            if delivery.ended is not None:
                delivery.ended(good)

    def _send(self, delivery: Delivery) -> int | str:
        headers = dict(delivery.sign(delivery.body, delivery.spoiled))
        if self._client is None:
            self._client = httpx.Client(timeout=httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS), trust_env=False)
            self._own = True
        try:
            if self._own and not is_loopback(delivery.url):
                return "ElsewhereRefused"
            return self._client.post(delivery.url, content=delivery.body, headers=headers).status_code
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:  # the last: a name that is none
            return type(error).__name__

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    def of(self, *, system: str = "", tenant: str = "", topic: str = "") -> list[Delivery]:
        """The deliveries, oldest first; each empty filter lets everything through."""
        wanted: dict[str, Any] = {"system": system, "tenant": tenant, "topic": topic}
        return [
            one
            for one in self.deliveries
            if all(not value or getattr(one, name) == value for name, value in wanted.items())
        ]


def is_loopback(url: str) -> bool:
    """Whether an address is on this machine: by itself the sandbox sends nowhere else."""
    host = httpx.URL(url).host
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _has(struck: list[Rule], kind: Kind) -> bool:
    return any(rule.kind is kind for rule in struck)


def _seconds(rule: Rule) -> float:
    if rule.kind is Kind.WEBHOOK_DELAY or rule.kind is Kind.WEBHOOK_OUT_OF_ORDER:
        return float(rule.params.get("seconds", _OVERTAKEN_SECONDS))
    return 0.0


def stamp(at: datetime) -> str:
    """A time as vendors write it, to the second."""
    return at.replace(microsecond=0).isoformat().replace("+00:00", "Z")
