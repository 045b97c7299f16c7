"""Shopify behind its door: the GraphQL endpoint of each shop, uploads, and results of bulk operations."""

from __future__ import annotations

import hmac
import re
from collections import Counter
from dataclasses import replace
from typing import Any, Final

from graphql import GraphQLError

from engine.sync.sandbox.door import partial
from engine.sync.sandbox.ground import Ground
from engine.sync.sandbox.hooks import Dispatcher
from engine.sync.sandbox.shopify import bulk, executing
from engine.sync.sandbox.shopify.cost import MOST, Bucket, Priced, priced
from engine.sync.sandbox.shopify.shop import Shop
from engine.sync.sandbox.shopify.state import ShopState
from engine.sync.sandbox.wire import Answer, BadJson, Call, Json

VERSIONS: Final = ("2026-01", "2026-04", "2026-07", "2026-10")
CURRENT: Final = VERSIONS[-1]
_GRAPHQL: Final = re.compile(r"/admin/api/(?P<version>[\w-]+)/graphql\.json")
_STAGED: Final = "/_staged"
_RESULT: Final = re.compile(r"/_results/(?P<number>\d+)\.jsonl")
_NO_TOKEN: Final = "[API] Invalid API key or access token (unrecognized login or wrong password)"  # noqa: S105
_PART: Final = re.compile(rb'name="(?P<name>[^"]+)"[^\r\n]*\r\n(?:[^\r\n]+\r\n)*\r\n(?P<value>.*?)\r\n--', re.DOTALL)


class Shopify:
    """All shops of a world."""

    system = "shopify"

    def __init__(self, ground: Ground, hooks: Dispatcher) -> None:
        self._ground = ground
        self._hooks = hooks
        self.shops: dict[str, Shop] = {}
        self._busy: Counter[tuple[str, str]] = Counter()

    def add(self, state: ShopState) -> Shop:
        """Open a shop."""
        bucket = Bucket(state.plan_maximum, state.plan_restore_rate, state.plan_maximum, self._ground.pace())
        made = Shop(state, self._ground, self._hooks, bucket, api_version=CURRENT)
        self.shops[state.domain] = made
        return made

    def operation(self, call: Call) -> str:
        if not _GRAPHQL.fullmatch(call.rest):
            return "upload" if call.rest.startswith(_STAGED) else "download"
        try:
            asked = _asked(call)
            document, _ = executing.read_document(asked["query"])
            return executing.root_field(document, asked["operationName"])
        except (GraphQLError, BadJson, ValueError):
            return "unreadable"

    def enter(self, call: Call) -> Answer | None:
        """A request whose idempotency key is in use by another that is still inside is answered so, at once."""
        keys, shop = _keys(call), self.shops.get(call.tenant)
        if shop is not None and any(self._busy[(call.tenant, key)] for key in keys):
            shop.racing = True
            try:
                return self.handle(call)
            finally:
                shop.racing = False
        self._busy.update((call.tenant, key) for key in keys)
        return None

    def leave(self, call: Call) -> None:
        self._busy.subtract((call.tenant, key) for key in _keys(call))

    def handle(self, call: Call) -> Answer:
        shop = self.shops.get(call.tenant)
        if shop is None:
            return Answer(404, {"errors": "Not Found"})
        shop.origin, shop.halved = call.origin, partial(call)
        if call.rest.startswith(_STAGED):
            return _upload(shop, call)
        result = _RESULT.fullmatch(call.rest)
        if result:
            return _download(shop, int(result["number"]))
        asked = _GRAPHQL.fullmatch(call.rest)
        if asked is None or call.method != "POST":
            return Answer(404, {"errors": "Not Found"})
        return self._graphql(shop, call, asked["version"])

    def _graphql(self, shop: Shop, call: Call, version: str) -> Answer:
        given = call.header("x-shopify-access-token")
        if not hmac.compare_digest(given.encode(), shop.state.access_token.encode()):
            return Answer(401, {"errors": _NO_TOKEN})
        served = serving(version)
        headers = {"x-shopify-api-version": served, "x-request-id": f"sandbox-{self._ground.number()}"}
        if served != version:
            headers["x-shopify-api-deprecated-reason"] = "https://shopify.dev/api/usage/versioning"
        try:
            asked = _asked(call)
        except (BadJson, ValueError):
            return Answer(400, {"errors": {"query": "Required parameter missing or invalid"}}, headers)
        return replace(_run(shop, asked), headers=headers)

    def faulty(self, kind: str, params: Json, call: Call) -> Answer:
        match kind:
            case "http_429":
                after = {"retry-after": f"{float(params.get('retry_after', 2)):.1f}"}
                said = (
                    "Exceeded 2 calls per second for api client. Reduce request rates to resume uninterrupted service."
                )
                return Answer(429, {"errors": said}, after)
            case "throttled_points" | "concurrency_exceeded":
                shop = self.shops.get(call.tenant)
                return _throttled(shop, int(params.get("cost", 100))) if shop else Answer(404, {"errors": "Not Found"})
            case "auth_expired":
                return Answer(401, {"errors": _NO_TOKEN})
            case "http_500":
                return Answer(500, {"errors": "Internal Server Error"})
        status = int(kind.removeprefix("http_"))
        return Answer(
            status, raw=b"<html><body><h1>Service unavailable</h1></body></html>", headers={"content-type": "text/html"}
        )

    def rotate(self, tenant: str, params: Json) -> None:
        """New secrets: the access token unless ``what`` says ``client_secret`` (by which webhooks are signed)."""
        state = self.shops[tenant].state
        fresh = params.get("value") or f"{self._ground.rng.getrandbits(128):032x}"
        setattr(state, str(params.get("what", "access_token")), fresh)


def _keys(call: Call) -> list[str]:
    """The idempotency keys that a request brings, each with its mutation."""
    if b"@idempotent" not in call.body:
        return []
    try:
        asked = _asked(call)
        document, _ = executing.read_document(asked["query"])
        return executing.idempotency_keys(executing.operation_of(document, asked["operationName"]), asked["variables"])
    except (GraphQLError, BadJson, ValueError):
        return []


def serving(version: str) -> str:
    """The version that serves a request for this one: what is retired falls forward to the oldest that is kept."""
    if version in VERSIONS or version == "unstable":
        return version
    return VERSIONS[0] if version < VERSIONS[0] else CURRENT


def _asked(call: Call) -> Json:
    """Query, variables and name. Raises ``ValueError`` for anything else than a request."""
    given = call.json()
    if not isinstance(given, dict) or not isinstance(given.get("query"), str):
        raise ValueError("no query")  # noqa: TRY004 (the caller's mistake, not the program's)
    variables = given.get("variables") or {}
    if not isinstance(variables, dict):
        raise ValueError("variables")  # noqa: TRY004 (the caller's mistake, not the program's)
    return {"query": given["query"], "variables": variables, "operationName": given.get("operationName")}


def _run(shop: Shop, asked: Json) -> Answer:
    try:
        document, faults = executing.read_document(asked["query"])
        operation = executing.operation_of(document, asked["operationName"])
    except GraphQLError as error:
        return Answer(200, {"errors": [error.formatted]})
    if faults:
        return Answer(
            200, {"errors": [dict(one.formatted) | {"extensions": {"code": "undefinedField"}} for one in faults]}
        )
    bill = priced(executing.schema(), document, operation, asked["variables"])
    if bill.requested() > MOST:
        return Answer(200, {"errors": [_too_dear(bill.requested())]})
    if not shop.bucket.take(bill.requested(), shop.ground.pace()):
        return _throttled(shop, bill.requested())
    return _charged(shop, bill, executing.execute(shop, document, asked["variables"], asked["operationName"]))


def _charged(shop: Shop, bill: Priced, answer: Json) -> Answer:
    actual = min(bill.actual(answer["data"]), bill.requested())
    shop.bucket.give_back(bill.requested() - actual)
    return Answer(200, answer | {"extensions": {"cost": _cost(shop, bill.requested(), actual)}})


def _cost(shop: Shop, requested: int, actual: int | None) -> Json:
    status = shop.bucket.status(shop.ground.pace())
    return {"requestedQueryCost": requested, "actualQueryCost": actual, "throttleStatus": status}


def _too_dear(cost: int) -> Json:
    message = f"Query cost is {cost}, which exceeds the single query max cost limit ({MOST})."
    return {"message": message, "extensions": {"code": "MAX_COST_EXCEEDED", "cost": cost, "maxCost": MOST}}


def _throttled(shop: Shop, cost: int) -> Answer:
    error = {
        "message": "Throttled",
        "extensions": {"code": "THROTTLED", "documentation": "https://shopify.dev/api/usage/rate-limits"},
    }
    return Answer(200, {"errors": [error], "extensions": {"cost": _cost(shop, cost, None)}})


def _upload(shop: Shop, call: Call) -> Answer:
    """A staged file, put or posted as a form. The address is the secret: nobody is asked for a token."""
    if call.method == "POST":
        parts = {found["name"].decode(): found["value"] for found in _PART.finditer(call.body)}
        key, content = parts.get("key", b"").decode(), parts.get("file")
    else:
        key, content = call.rest.removeprefix(f"{_STAGED}/"), call.body
    if key not in shop.state.staged or content is None:
        return _refused_file(403, b"AccessDenied")
    if len(content) > bulk.LARGEST_BYTES:
        return Answer(
            400, raw=b"<Error><Code>EntityTooLarge</Code></Error>", headers={"content-type": "application/xml"}
        )
    shop.state.staged[key] = content
    return Answer(201 if call.method == "POST" else 200, raw=b"")


def _refused_file(status: int, code: bytes) -> Answer:
    return Answer(status, raw=b"<Error><Code>%s</Code></Error>" % code, headers={"content-type": "application/xml"})


def _download(shop: Shop, number: int) -> Answer:
    found: Any = shop.state.bulk_operations.get(number)
    if found is None or not found.result:
        return Answer(404, {"errors": "Not Found"})
    return Answer(200, raw=found.result, headers={"content-type": "application/jsonl"})
