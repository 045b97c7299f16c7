"""What every request of the protocol passes: who, how often, which version, which key, which body.

The order is the protocol's: 401, 429, 400 for the version and for the key, 413, 415 and 400 for the body, 404 for what
cannot be an id of ours, 422, 409 or the kept answer for the key (``once``), and only then schema and business.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, TypeVar, cast

import orjson
from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel

from app.identity import Guard, Merchant, authenticate, recalled
from app.protocols.acp import versions
from app.protocols.acp.body import body_of, hash_of, raw_of
from app.protocols.acp.errors import AcpError, Fault, Speak, fault_of, flat
from app.protocols.acp.noting import note
from app.protocols.acp.openapi import BEARER, DescribedRoute
from app.protocols.acp.pace import Pace
from app.site import Site
from engine.kit import idempotency
from engine.kit.direct import Ask
from engine.kit.errors import NotFound, Unauthenticated
from engine.kit.idempotency import Claim, IdempotencyConflict
from engine.kit.identity import Identity
from engine.runtime import Runtime

Body = dict[str, Any]
Model = TypeVar("Model", bound=BaseModel)
WITH_KEY: Final = frozenset({"POST", "PUT"})
_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,60}")
_KEY: Final = re.compile(r"[\x20-\x7e]{1,255}")
_PACE: Final = Pace()
_THREADS: Final = ThreadPoolExecutor(8, "agents")
"""Agents' requests at a time: with everybody else's and the jobs' fewer than database connections."""


class Forgotten(Exception):
    """What is remembered of a caller is not true any more: the request begins again without it."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request that has passed the door."""

    site: Site
    identity: Identity
    """As whom the key buys: its agent platform, or the key itself."""
    merchant: Merchant
    version: str
    operation: str
    """Method and path."""
    key: str = ""
    request_hash: str = ""
    body: Any = None
    """The parsed JSON; ``None`` where there was none."""
    ids: Mapping[str, str] = field(default_factory=dict)
    """The path's parameters."""
    headers: Mapping[str, str] = field(default_factory=dict)
    address: str = ""
    speak: Speak = flat
    guard: Guard | None = None
    """Of a key that is remembered: what has to be asked with the first statement."""

    @property
    def first(self) -> list[Ask]:
        """What goes before the first statement of ``at_once``: the key is still good, and whether anything is kept."""
        there = idempotency.there(self.tenant_id, self.claim)
        return [self.guard.ask(), there] if self.guard else [there]

    def prove(self) -> None:
        """Look again at a key that was only remembered. Raises ``Unauthenticated``, ``Forbidden``, and ``Forgotten``
        where it is good but not what it was.
        """
        if self.guard is not None:
            authorization = self.headers["authorization"]
            authenticate(self.runtime, authorization=authorization, cookie=None, host="")
            known = recalled(self.runtime, authorization)
            if known is None or known[1] != self.guard:
                raise Forgotten

    @property
    def runtime(self) -> Runtime:
        return self.site.runtime

    @property
    def tenant_id(self) -> str:
        return self.identity.tenant_id

    @property
    def claim(self) -> Claim:
        return Claim(self.identity.id, self.operation, self.key, self.request_hash)

    @property
    def locale(self) -> str:
        return self.headers.get("accept-language", "").partition(",")[0].partition(";")[0].strip()[:35]

    def read(self, model: type[Model]) -> Model:
        """The body as its closed model. Raises ``ValidationError``, which is told as a 400 with a JSONPath."""
        return model.model_validate(self.body)

    def browser(self) -> Body:
        """What this request tells of who sends it."""
        return {
            "accept_header": self.headers.get("accept", "*/*")[:200],
            "ip_address": self.address[:45],
            "javascript_enabled": False,
            "language": self.locale or "en",
            "user_agent": self.headers.get("user-agent", "unknown")[:200],
        }


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer as it leaves, and as it is kept."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


def remembering(endpoint: Callable[[Asked], Reply]) -> Callable[[Asked], Reply]:
    """An endpoint that asks a remembered key's guard with its first statement, or proves it (``Asked.prove``)."""
    _REMEMBERING.add(endpoint)
    return endpoint


_REMEMBERING: Final[set[Callable[[Asked], Reply]]] = set()


def _never(request: Request) -> Asked:
    """Only the route class makes one."""
    raise NotImplementedError


AskedDep = Annotated[Asked, Depends(_never)]
"""The one parameter of every endpoint."""
Endpoint = Callable[[Asked], Reply]


class Acp(DescribedRoute):
    """A route of the protocol. Its endpoint takes ``asked: AskedDep`` alone, runs in a thread and gives a ``Reply``."""

    speak: Speak = staticmethod(flat)
    key_required = True
    """Whether a write needs an idempotency key where the version says so."""
    confidential = False
    """Whether nothing of a body may be in the record of requests: of the answer only why it was refused."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        endpoint = cast("Endpoint", self.endpoint)

        async def handle(request: Request) -> Response:
            raw, work = await raw_of(request), copy_context().run
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(_THREADS, work, _handled, endpoint, request, raw, type(self))

        return handle


def acp_router(tag: str, *, route_class: type[Acp] = Acp, prefix: str = "") -> APIRouter:
    """A router whose routes pass the kernel."""
    return APIRouter(prefix=prefix, tags=[tag], route_class=route_class, dependencies=[Depends(BEARER)])


def plain(asked: Asked, body: Body, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    """An answer that is not kept: of a read."""
    return Reply(status, dumps(asked, body), headers or {})


def dumps(asked: Asked, body: Body) -> bytes:
    """The answer in the version that was asked for."""
    return orjson.dumps(versions.project(asked.version, body, browser=asked.browser()))


def _handled(endpoint: Endpoint, request: Request, raw: bytes | Fault, route: type[Acp]) -> Response:
    """The whole of a request after its body was read, in one thread."""
    started = time.perf_counter()
    response = _answered(endpoint, request, raw, route)
    if identity := getattr(request.state, "buyer", None):
        sent = b"" if isinstance(raw, Fault) else raw
        ms = round((time.perf_counter() - started) * 1000)
        note(request.app.state.site, identity, request, sent, response, ms=ms, told=not route.confidential)
    return response


def _answered(endpoint: Endpoint, request: Request, raw: bytes | Fault, route: type[Acp]) -> Response:
    version = request.headers.get("api-version", "")
    try:
        try:
            reply = endpoint(_asked(request, raw, route, remembered=endpoint in _REMEMBERING))
        except Forgotten:
            reply = endpoint(_asked(request, raw, route, remembered=False))
    except Exception as error:  # noqa: BLE001 (whatever it was, the caller is told in the protocol's words)
        return said(request, fault_of(error), route.speak, version=version)
    return Response(reply.body, reply.status, _echoed(request) | dict(reply.headers), media_type="application/json")


def said(request: Request, fault: Fault, speak: Speak = flat, *, version: str = "") -> Response:
    """A fault as the caller gets it, with what of their headers is to come back."""
    status = 409 if version == versions.OLDER and fault.code == IdempotencyConflict.code else fault.status
    headers = _echoed(request) | dict(fault.headers)
    return Response(orjson.dumps(speak(fault)), status, headers, media_type="application/json")


def refused(request: Request, status: int, code: str, message: str, headers: Mapping[str, str]) -> Response:
    """What goes wrong around the protocol's routes: no such address, no such method, nobody home."""
    return said(request, Fault(status, code, message, headers=headers))


def _echoed(request: Request) -> dict[str, str]:
    given, headers = request.headers, {}
    request_id = given.get("request-id", "")
    headers["Request-Id"] = request_id if _KEY.fullmatch(request_id) else getattr(request.state, "request_id", "")
    if _KEY.fullmatch(given.get("idempotency-key", "")):
        headers["Idempotency-Key"] = given["idempotency-key"]
    return headers


def _asked(request: Request, raw: bytes | Fault, route: type[Acp], *, remembered: bool) -> Asked:
    site, headers = cast("Site", request.app.state.site), request.headers
    identity, merchant, guard = _who(site, headers, remembered=remembered)
    request.state.buyer = identity
    version = versions.negotiate(headers.get("api-version"))
    with_key = request.method in WITH_KEY
    key = key_of(headers.get("idempotency-key"), version, required=route.key_required) if with_key else ""
    body = body_of(headers, raw) if request.method != "GET" else None
    _check_ids(request.path_params)
    return Asked(
        site=site,
        identity=identity,
        merchant=merchant,
        version=version,
        operation=f"{request.method} {request.url.path}",
        key=key,
        request_hash=hash_of(body) if with_key else "",
        body=body,
        ids=request.path_params,
        headers=headers,
        address=request.client.host if request.client else "",
        speak=route.speak,
        guard=guard,
    )


def who(site: Site, headers: Mapping[str, str]) -> tuple[Identity, Merchant]:
    """Whose key it is: a cookie is never looked at. Raises ``Unauthenticated``, ``RateLimited``."""
    identity, merchant, _ = _who(site, headers, remembered=False)
    return identity, merchant


def _who(site: Site, headers: Mapping[str, str], *, remembered: bool) -> tuple[Identity, Merchant, Guard | None]:
    """The same; with ``remembered`` as far as this process remembers, and then with what has to be asked."""
    authorization = headers.get("authorization")
    if authorization is None:
        raise Unauthenticated("Send your key: Authorization: Bearer ….")
    known = recalled(site.runtime, authorization) if remembered else None
    caller = known[0] if known else authenticate(site.runtime, authorization=authorization, cookie=None, host="")
    identity = caller.known
    _PACE.step(identity.key_id or identity.id)
    return identity.buyer, caller.merchant, known[1] if known else None


def key_of(given: str | None, version: str, *, required: bool = True) -> str:
    """The idempotency key; 2026-01-30 only recommends one. Raises ``AcpError``."""
    if not given:
        if version == versions.OLDER or not required:
            return f"none-{secrets.token_hex(16)}"
        words = "Send an Idempotency-Key header with every POST and PUT."
        raise AcpError(400, "idempotency_key_required", words, param="Idempotency-Key")
    if not _KEY.fullmatch(given):
        words = "An idempotency key has 1 to 255 printable characters."
        raise AcpError(400, "invalid_idempotency_key", words, param="Idempotency-Key")
    return given


def _check_ids(params: Mapping[str, Any]) -> None:
    if not all(_ID.fullmatch(str(value)) for value in params.values()):
        raise NotFound("There is no such thing here.")
