"""Carriers' tracking: parcels are followed over time, and each step is told by a signed webhook.

Two shapes of the trade: EasyPost's trackers, and AfterShip's events.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from engine.sync.sandbox.dcl.emulator import credentials
from engine.sync.sandbox.ground import Ground
from engine.sync.sandbox.hooks import Delivery, Dispatcher, stamp
from engine.sync.sandbox.wire import Answer, BadJson, Call, Json

STEPS: Final = (
    ("pre_transit", timedelta()),
    ("in_transit", timedelta(hours=12)),
    ("out_for_delivery", timedelta(hours=60)),
    ("delivered", timedelta(hours=66)),
)
RETRY_SECONDS: Final = (60, 300, 1800, 7200)
_TAGS: Final = {
    "pre_transit": "InfoReceived",
    "in_transit": "InTransit",
    "out_for_delivery": "OutForDelivery",
    "delivered": "Delivered",
    "available_for_pickup": "AvailableForPickup",
    "return_to_sender": "Exception",
    "failure": "Exception",
}


@dataclass
class Tracker:
    id: str
    tenant: str
    code: str
    carrier: str
    created_at: datetime
    status: str = "unknown"
    details: list[Json] = field(default_factory=list)

    def as_json(self) -> Json:
        return {
            "id": self.id,
            "object": "Tracker",
            "tracking_code": self.code,
            "carrier": self.carrier,
            "status": self.status,
            "created_at": stamp(self.created_at),
            "tracking_details": self.details,
        }


@dataclass
class Subscriber:
    tenant: str
    api_key: str
    url: str = ""
    secret: str = ""
    style: str = "easypost"


class Trackers:
    """All tracking accounts of a world. Whose a request is, its API key says."""

    system = "trackers"

    def __init__(self, ground: Ground, hooks: Dispatcher) -> None:
        self._ground = ground
        self._hooks = hooks
        self.subscribers: dict[str, Subscriber] = {}
        self.trackers: dict[str, Tracker] = {}

    def add(self, tenant: str, api_key: str) -> Subscriber:
        self.subscribers[tenant] = Subscriber(tenant, api_key)
        return self.subscribers[tenant]

    def tenant(self, call: Call) -> str:
        key, _ = credentials(call)
        return next((one.tenant for one in self.subscribers.values() if key and one.api_key == key), "")

    def operation(self, call: Call) -> str:
        return call.rest.strip("/").rpartition("/")[2]

    def enter(self, call: Call) -> Answer | None:
        return None

    def leave(self, call: Call) -> None:
        return None

    def handle(self, call: Call) -> Answer:
        who = self.subscribers.get(call.tenant)
        if who is None:
            return _error(401, "APIKEY.INACTIVE", "This api key is no longer active.")
        try:
            given = call.json() or {}
        except BadJson:
            return _error(400, "BAD_REQUEST", "The body is not JSON.")
        match (call.method, call.rest):
            case ("POST", "/v2/webhooks"):
                return self._subscribe(who, given.get("webhook") or {})
            case ("POST", "/v2/trackers"):
                return self._follow(who, given.get("tracker") or {})
            case ("GET", "/v2/trackers"):
                mine = [one.as_json() for one in self.trackers.values() if one.tenant == who.tenant]
                return Answer(200, {"trackers": mine, "has_more": False})
        return _error(404, "NOT_FOUND", "The requested resource could not be found.")

    def _subscribe(self, who: Subscriber, given: Json) -> Answer:
        if not str(given.get("url", "")).startswith(("https://", "http://")):
            return _error(422, "WEBHOOK.CREATE", "url is invalid")
        who.url, who.secret = given["url"], str(given.get("webhook_secret") or "")
        who.style = "aftership" if given.get("style") == "aftership" else "easypost"
        return Answer(201, {"id": f"hook_{self._ground.number()}", "object": "Webhook", "url": who.url})

    def _follow(self, who: Subscriber, given: Json) -> Answer:
        code = str(given.get("tracking_code") or "")
        if not code:
            return _error(422, "TRACKER.CREATE.ERROR", "tracking_code is required")
        known = next((one for one in self.trackers.values() if (one.tenant, one.code) == (who.tenant, code)), None)
        if known is not None:
            return Answer(200, known.as_json())
        made = Tracker(
            f"trk_{self._ground.number()}", who.tenant, code, str(given.get("carrier") or "UPS"), self._ground.now()
        )
        self.trackers[made.id] = made
        for status, after in STEPS:
            self._ground.later(after, lambda status=status: self.move(made, status))  # type: ignore[misc]
        return Answer(201, made.as_json())

    def move(self, tracker: Tracker, status: str) -> None:
        """A parcel is somewhere else; one that was delivered moves no more."""
        if tracker.status in {"delivered", status}:
            return
        tracker.status = status
        tracker.details.append(
            {"status": status, "datetime": stamp(self._ground.now()), "message": status.replace("_", " ")}
        )
        who = self.subscribers[tracker.tenant]
        if who.url:
            self._tell(who, tracker)

    def _tell(self, who: Subscriber, tracker: Tracker) -> None:
        number = self._ground.number()
        said = self._event(tracker, number) if who.style == "easypost" else self._update(tracker, number)

        def sign(raw: bytes, spoiled: bool) -> Mapping[str, str]:
            secret = "not-this-secret" if spoiled else who.secret
            return {"content-type": "application/json"} | signed(who.style, secret, raw)

        delivery = Delivery(
            str(number), "trackers", who.tenant, "tracker.updated", who.url, tracker.id, b"", sign, RETRY_SECONDS
        )
        self._hooks.post(delivery, said, lambda told: json.dumps(told, separators=(",", ":")).encode())

    def _event(self, tracker: Tracker, number: int) -> Json:
        kept = json.loads(json.dumps(tracker.as_json()))
        return {
            "id": f"evt_{number}",
            "object": "Event",
            "mode": "test",
            "description": "tracker.updated",
            "result": kept,
        }

    def _update(self, tracker: Tracker, number: int) -> Json:
        said: Json = {
            "id": tracker.id,
            "tracking_number": tracker.code,
            "slug": tracker.carrier.lower(),
            "tag": _TAGS.get(tracker.status, "Pending"),
        }
        first = sum(one["status"] == tracker.status for one in tracker.details) == 1
        now = self._ground.now()
        return {
            "ts": int(now.timestamp()),
            "event": "tracking_update",
            "event_id": str(number),
            "is_tracking_first_tag": first,
            "msg": said,
        }

    def faulty(self, kind: str, params: Json, call: Call) -> Answer:
        match kind:
            case "http_429" | "throttled_points" | "concurrency_exceeded":
                answer = _error(429, "RATE_LIMITED", "Rate limit exceeded.")
                answer.headers["retry-after"] = str(params.get("retry_after", 1))
                return answer
            case "auth_expired":
                return _error(401, "APIKEY.INACTIVE", "This api key is no longer active.")
        return _error(int(kind.removeprefix("http_")), "INTERNAL_SERVER_ERROR", "Something went wrong.")

    def rotate(self, tenant: str, params: Json) -> None:
        """A new API key, or with ``what: secret`` a new secret of the webhooks."""
        name = "secret" if params.get("what") == "secret" else "api_key"
        setattr(self.subscribers[tenant], name, str(params.get("value") or f"{self._ground.rng.getrandbits(96):024x}"))


def signed(style: str, secret: str, raw: bytes) -> dict[str, str]:
    """The header that proves who sent it."""
    key = unicodedata.normalize("NFKD", secret).encode()
    digest: Any = hmac.new(key, raw, hashlib.sha256)
    if style == "aftership":
        return {"aftership-hmac-sha256": base64.b64encode(digest.digest()).decode()}
    return {"X-Hmac-Signature": f"hmac-sha256-hex={digest.hexdigest()}"}


def _error(status: int, code: str, message: str) -> Answer:
    return Answer(status, {"error": {"code": code, "message": message, "errors": []}})
