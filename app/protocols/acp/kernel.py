"""What every request of the protocol passes: who, how often, which version, which key, which body; then once.

The order is the protocol's: 401, 429, 400 for the version and for the key, 413, 415 and 400 for the body, 404 for what
cannot be an id of ours, 422, 409 or the kept answer for the key, and only then schema and business.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, TypeVar, cast

import orjson
from fastapi import APIRouter, Depends, Request, Response
from psycopg.errors import UniqueViolation
from pydantic import BaseModel, ValidationError
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from app.identity import Guard, Merchant, authenticate, recalled
from app.protocols.acp import versions
from app.protocols.acp.errors import AcpError, Fault, Speak, fault_of, flat
from app.protocols.acp.noting import note
from app.protocols.acp.openapi import BEARER, DescribedRoute
from app.protocols.acp.pace import Pace
from app.site import Site
from engine.agentic.quick import Unusual
from engine.kit import idempotency
from engine.kit.direct import Ask, Refused
from engine.kit.errors import DomainError, NotFound, Unauthenticated, Unavailable
from engine.kit.idempotency import Claim, IdempotencyConflict, Stored
from engine.kit.identity import Identity
from engine.runtime import Runtime

Body = dict[str, Any]
Model = TypeVar("Model", bound=BaseModel)
Seen = TypeVar("Seen")
BODY_LIMIT: Final = 256 * 1024
WITH_KEY: Final = frozenset({"POST", "PUT"})
_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,60}")
_KEY: Final = re.compile(r"[\x20-\x7e]{1,255}")
_NUL: Final = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000|\x00")
_LARGE: Final = re.compile(rb"[0-9]{16}|[0-9][eE]")
"""What may be a number of more than 64 bits."""
_LARGEST: Final = 2**63
_MEMBER: Final = re.compile(r"[a-z_]{1,40}")
_DEEPEST: Final = 64
_PACE: Final = Pace()
_NO_BODY: Final = object()


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


@dataclass(frozen=True, slots=True)
class Point:
    """Where work that spans transactions can be taken up again; JSON that names rows, never a secret."""

    facts: Body


@dataclass(frozen=True, slots=True)
class Unfinished:
    """An answer for now: nobody knows yet how it ends. It is not kept; the next request goes on from the point."""

    body: Body


@dataclass(frozen=True, slots=True)
class Known:
    """An answer that needs no further look at the database."""

    body: Body


GoOn = Callable[[Body], Known | Callable[[Session], Body | Unfinished]]
"""From a point to what is to be answered, which is known or is drawn in the transaction that keeps it."""


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
            raw = await raw_of(request)
            return await run_in_threadpool(_handled, endpoint, request, raw, type(self))

        return handle


def acp_router(tag: str, *, route_class: type[Acp] = Acp, prefix: str = "") -> APIRouter:
    """A router whose routes pass the kernel."""
    return APIRouter(prefix=prefix, tags=[tag], route_class=route_class, dependencies=[Depends(BEARER)])


def plain(asked: Asked, body: Body, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    """An answer that is not kept: of a read."""
    return Reply(status, _dumps(asked, body), headers or {})


def at_once(asked: Asked, draw: Callable[[], tuple[Body, Sequence[Ask]]], *, status: int = 200) -> Reply | None:
    """Read in one trip, write in another, and keep the answer with that. ``None`` where anything is unusual: nothing
    has happened then, and ``once`` does it and tells why.
    """
    try:
        body, asks = draw()
        answer = Stored(status, _dumps(asked, body))
        kept = idempotency.kept_with(asked.tenant_id, asked.claim, answer)  # first, as everywhere: others wait for it
        asked.runtime.store.ask(asked.tenant_id, kept, *asks)
    except _UNUSUAL:
        return None
    return Reply(status, answer.body)


_UNUSUAL: Final = (Unusual, Refused, UniqueViolation, DomainError, ValidationError)


def once(
    asked: Asked,
    work: Callable[[Session], Body | Point],
    *,
    status: int = 200,
    go_on: GoOn | None = None,
) -> Reply:
    """Do ``work`` and keep its answer in the same transaction. A repeat gets the kept answer; a refusal that would be
    one again is kept too, and nothing of its work. Work that somebody else has to be asked about before it can be
    answered gives a ``Point``, from which ``go_on`` comes to the answer as in ``staged``.
    """
    asked.prove()
    try:
        with asked.runtime.unit_of_work(asked.tenant_id) as session:
            found = _begun(asked, session, lambda: work(session), status)
    except IdempotencyConflict:
        raise
    except Exception as error:  # noqa: BLE001 (what is not a lasting refusal is raised again)
        return _keep_refusal(asked, error)
    return _ended(asked, found, go_on, status)


def staged(
    asked: Asked,
    look: Callable[[], Seen],
    begin: Callable[[Session, Seen], Point | Body],
    go_on: GoOn,
    *,
    quick: Callable[[], Body] | None = None,
    status: int = 200,
) -> Reply:
    """Work that spans transactions, done once. ``look`` asks the world and changes nothing; ``begin`` commits with the
    key either the answer or a point, from which ``go_on`` comes to the answer: now, or at the next request with
    the key when this one died. While one is at it, others are told ``InFlight``. ``quick`` may come to a point at once.
    """
    found: Stored | Reply | Body | None
    if quick is not None and (point := _begun_at_once(quick)) is not None:
        return _finish(asked, point, go_on, status)
    asked.prove()
    try:
        found = None
        if not idempotency.is_new(asked.runtime.store, asked.tenant_id, asked.claim):
            with asked.runtime.unit_of_work(asked.tenant_id) as session:
                found = idempotency.seen(session, asked.tenant_id, asked.claim)
        if found is None:
            looked = look()
            with asked.runtime.unit_of_work(asked.tenant_id) as session:
                found = _begun(asked, session, lambda: begin(session, looked), status)
    except IdempotencyConflict:
        raise
    except Exception as error:  # noqa: BLE001 (what is not a lasting refusal is raised again)
        return _keep_refusal(asked, error)
    return _ended(asked, found, go_on, status)


def _begun(asked: Asked, session: Session, begin: Callable[[], Point | Body], status: int) -> Stored | Reply | Body:
    """What is kept under the key, else the first commit's answer, else the point to go on from."""
    found = idempotency.claim_staged(session, asked.tenant_id, asked.claim)
    if found is not None:
        return found
    begun = begin()
    if isinstance(begun, Point):
        idempotency.keep_point(session, asked.tenant_id, asked.claim, begun.facts)
        return begun.facts
    body = _dumps(asked, begun)
    idempotency.store(session, asked.tenant_id, asked.claim, Stored(status, body))
    return Reply(status, body)


def _ended(
    asked: Asked,
    found: Stored | Reply | Body,
    go_on: GoOn | None,
    status: int,
) -> Reply:
    if isinstance(found, Reply):
        return found
    if isinstance(found, Stored):
        return _again(found)
    assert go_on is not None, "work that ends in a point says how to go on"
    return _finish(asked, found, go_on, status)


def _begun_at_once(quick: Callable[[], Body]) -> Body | None:
    """The facts of a point that is committed; ``None`` where anything is unusual, and nothing has happened."""
    try:
        return quick()
    except Unavailable:  # nobody is asked twice who did not answer
        raise
    except _UNUSUAL:
        return None


def _finish(asked: Asked, facts: Body, go_on: GoOn, status: int) -> Reply:
    """From the point to the answer. What went wrong for now leaves the point to the next request."""
    tenant_id, claim = asked.tenant_id, asked.claim
    try:
        ending = go_on(facts)
        if isinstance(ending, Known):
            return _finished(asked, Stored(status, _dumps(asked, ending.body)))
        with asked.runtime.unit_of_work(tenant_id) as session:
            done = ending(session)
            if isinstance(done, Unfinished):
                idempotency.let_go(session, tenant_id, claim)
                return plain(asked, done.body, status=status, headers={"Retry-After": "2"})
            answer = Stored(status, _dumps(asked, done))
            return _reply(idempotency.store_once(session, tenant_id, claim, answer))
    except Exception as error:
        fault = fault_of(error)
        if not _lasting(fault):
            _let_go(asked)
            raise
        answer = Stored(fault.status, orjson.dumps(asked.speak(fault)))
    with asked.runtime.unit_of_work(tenant_id) as session:
        kept = idempotency.store_once(session, tenant_id, claim, answer)
    return _reply(kept)


def _finished(asked: Asked, answer: Stored) -> Reply:
    """Keep what is known, unless somebody who took the work over has kept the answer already."""
    tenant_id, claim = asked.tenant_id, asked.claim
    try:
        asked.runtime.store.ask(tenant_id, idempotency.finish_with(tenant_id, claim, answer))
    except Refused:
        with asked.runtime.unit_of_work(tenant_id) as session:
            return _reply(idempotency.store_once(session, tenant_id, claim, answer))
    return _reply(answer)


def _let_go(asked: Asked) -> None:
    with asked.runtime.unit_of_work(asked.tenant_id) as session:
        idempotency.let_go(session, asked.tenant_id, asked.claim)


def _keep_refusal(asked: Asked, error: Exception) -> Reply:
    """The work was rolled back; the refusal stays with the key, unless it was only for now."""
    fault = fault_of(error)
    if not _lasting(fault):
        raise error
    answer = Stored(fault.status, orjson.dumps(asked.speak(fault)))
    with asked.runtime.unit_of_work(asked.tenant_id) as session:
        kept = idempotency.claim(session, asked.tenant_id, asked.claim)
        if kept is not None:  # an equal request was faster
            return _again(kept)
        idempotency.store(session, asked.tenant_id, asked.claim, answer)
    return _reply(answer, fault.headers)


def _lasting(fault: Fault) -> bool:
    return fault.lasting and fault.status < 500


def _again(kept: Stored) -> Reply:
    return _reply(kept, {"Idempotent-Replayed": "true"})


def _reply(kept: Stored, headers: Mapping[str, str] | None = None) -> Reply:
    allow = {"Allow": "GET"} if kept.status == 405 else {}
    return Reply(kept.status, kept.body, {**allow, **(headers or {})})


def _dumps(asked: Asked, body: Body) -> bytes:
    return orjson.dumps(versions.project(asked.version, body, browser=asked.browser()))


async def raw_of(request: Request) -> bytes | Fault:
    """The body, or why there is none."""
    try:
        return await request.body()
    except HTTPException:
        return Fault(413, "payload_too_large", "The request is too large.", headers={"Connection": "close"})
    except ClientDisconnect:
        return Fault(400, "invalid_request", "The body did not arrive.")


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
    body = _json(headers, raw) if request.method != "GET" else None
    _check_ids(request.path_params)
    return Asked(
        site=site,
        identity=identity,
        merchant=merchant,
        version=version,
        operation=f"{request.method} {request.url.path}",
        key=key,
        request_hash=_hash(body) if with_key else "",
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


def _json(headers: Mapping[str, str], raw: bytes | Fault) -> Any:
    """The body's JSON; ``None`` for no body at all. Raises ``AcpError``."""
    if isinstance(raw, Fault):
        raise AcpError(raw.status, raw.code, raw.message, headers=raw.headers)
    if not raw:
        return None
    if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise AcpError(415, "unsupported_media_type", "Send JSON (Content-Type: application/json).")
    return json_of(raw)


def json_of(raw: bytes) -> Any:
    """What a body says. Raises ``AcpError`` for what we could not answer with, or could not keep."""
    if _NUL.search(raw):
        raise AcpError(400, "invalid_request", "Text cannot hold the character NUL.", param="$")
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise AcpError(400, "invalid_json", "The body is not JSON.", param="$") from None
    doubtful = raw.count(b"{") + raw.count(b"[") > _DEEPEST or _LARGE.search(raw)
    if doubtful and (place := _too_much(body)) is not None:
        raise AcpError(400, "invalid_json", "The body is nested too deeply, or holds too large a number.", param=place)
    return body


def _too_much(value: Any, place: str = "$", depth: int = 0) -> str | None:
    """Where there is something that we could not answer with as well: so deep we write no JSON, and whole numbers have
    64 bits. Names that are surely no schema's are not told.
    """
    if isinstance(value, dict | list):
        if depth >= _DEEPEST:
            return "$"
        inner = value.items() if isinstance(value, dict) else enumerate(value)
        found = (_too_much(one, _under(place, name), depth + 1) for name, one in inner)
        return next((one for one in found if one is not None), None)
    return place if isinstance(value, int | float) and abs(value) >= _LARGEST else None


def _under(place: str, name: str | int) -> str:
    if isinstance(name, int):
        return f"{place}[{name}]"
    return f"{place}.{name}" if _MEMBER.fullmatch(name) else place


def _hash(body: Any) -> str:
    try:
        return idempotency.fingerprint(body)
    except (ValueError, RecursionError):
        raise AcpError(400, "invalid_json", "The body is nested too deeply, or holds no number.", param="$") from None


def _check_ids(params: Mapping[str, Any]) -> None:
    if not all(_ID.fullmatch(str(value)) for value in params.values()):
        raise NotFound("There is no such thing here.")
