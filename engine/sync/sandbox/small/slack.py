"""Slack's incoming webhooks: an address that is the secret, a message, and one of them a second."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from engine.sync.sandbox.ground import Ground
from engine.sync.sandbox.shopify.cost import Bucket
from engine.sync.sandbox.wire import Answer, BadJson, Call, Json


@dataclass
class Channel:
    tenant: str
    secret: str
    bucket: Bucket
    messages: list[tuple[datetime, Json]] = field(default_factory=list)


class Slack:
    """All incoming webhooks of a world; the path after ``/services/`` is an address."""

    system = "slack"

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self.channels: dict[str, Channel] = {}

    def add(self, tenant: str, secret: str) -> Channel:
        made = Channel(tenant, secret, Bucket(4, 1, 4, self._ground.pace()))
        self.channels[tenant] = made
        return made

    def tenant(self, call: Call) -> str:
        return call.rest.removeprefix("/services/").partition("/")[0]

    def operation(self, call: Call) -> str:
        return "message"

    def enter(self, call: Call) -> Answer | None:
        return None

    def leave(self, call: Call) -> None:
        return None

    def handle(self, call: Call) -> Answer:
        channel = self.channels.get(call.tenant)
        if channel is None:
            return _said(404, "no_service")
        if not call.rest.endswith(f"/{channel.secret}"):
            return _said(403, "invalid_token")
        message = _read(call)
        if message is None:
            return _said(400, "invalid_payload")
        if not message.get("text") and not message.get("blocks"):
            return _said(400, "no_text")
        return self._keep(channel, call, message)

    def _keep(self, channel: Channel, call: Call, message: Json) -> Answer:
        if not channel.bucket.take(1, self._ground.pace()):
            return self.faulty("http_429", {}, call)
        channel.messages.append((self._ground.now(), message))
        return _said(200, "ok")

    def faulty(self, kind: str, params: Json, call: Call) -> Answer:
        match kind:
            case "http_429" | "throttled_points" | "concurrency_exceeded":
                answer = _said(429, "rate_limited")
                answer.headers["retry-after"] = str(params.get("retry_after", 1))
                return answer
            case "auth_expired":
                return _said(403, "invalid_token")
        return _said(int(kind.removeprefix("http_")), "server_error")

    def rotate(self, tenant: str, params: Json) -> None:
        self.channels[tenant].secret = str(params.get("value") or f"{self._ground.rng.getrandbits(96):024x}")


def _read(call: Call) -> Json | None:
    try:
        message = call.json()
    except BadJson:
        return None
    return message if isinstance(message, dict) else None


def _said(status: int, text: str) -> Answer:
    return Answer(status, raw=text.encode(), headers={"content-type": "text/plain; charset=utf-8"})
