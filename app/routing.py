"""Routes behind the door: who is asking is settled before a byte of the body is read."""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine
from typing import Annotated, Any, ClassVar, Final, cast

from fastapi import Depends, Request, Response
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from app.identity import STAFF_COOKIE, Caller, CrossSite, authenticate, check_same_site, session_of
from app.site import Site
from engine.kit.errors import InvalidInput, NotFound

WRITES: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
CONSOLES: Final = ("/staff", "/ops")
"""Where the pages of the shop's people are."""
_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,60}")
_NUL: Final = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000|\x00")
"""A NUL in JSON text, as it is or escaped: no text that is kept may hold one."""
_KEY: Final = re.compile(r"[\x21-\x7e][\x20-\x7e]{0,253}[\x21-\x7e]|[\x21-\x7e]")
Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class KeyRequired(InvalidInput):
    code = "idempotency_key_required"


class Guarded(APIRoute):
    """Authenticates, refuses cross-site writes, wants an idempotency key and JSON, and only then reads the body."""

    takes: ClassVar[frozenset[str]] = frozenset({"application/json"})
    reads: ClassVar[bool] = True
    names: ClassVar[re.Pattern[str]] = _ID
    """What an address may name."""

    def get_route_handler(self) -> Handler:
        handle = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            request.state.caller = await run_in_threadpool(who, site_of(request), request)
            _check_names(request, self.names)
            if request.method in WRITES:
                _check_write(request, self.takes)
                if self.reads and _NUL.search(await request.body()):
                    raise InvalidInput("Text cannot hold the character NUL.", param="body")
            return await handle(request)

        return guarded


class Filed(Guarded):
    """A door where the body is a file: its handler reads the stream itself, once it knows who sends it."""

    takes = frozenset({"text/csv", "application/json", "application/x-ndjson", "application/jsonl"})
    reads = False


def site_of(request: Request) -> Site:
    return cast("Site", request.app.state.site)


def caller_of(request: Request) -> Caller:
    return cast("Caller", request.state.caller)


SiteDep = Annotated[Site, Depends(site_of)]
CallerDep = Annotated[Caller, Depends(caller_of)]


def own_origin(request: Request) -> str:
    """Scheme and host as the client knows us."""
    return f"{request.url.scheme}://{request.headers.get('host', '')}"


def client_address(request: Request) -> str:
    return request.client.host if request.client else "unknown"


def as_staff(request: Request) -> bool:
    """Whether a request is the console's: then the staff's cookie counts, and the shopper's does not. The console says
    so by a header, which no form and no foreign page can send, or, where it reads what no script fetches (a picture, a
    file), in the address.
    """
    path = request.url.path
    if (
        path in CONSOLES
        or path.startswith(tuple(f"{one}/" for one in CONSOLES))
        or request.headers.get("x-staff") == "1"
    ):
        return True
    return request.method == "GET" and request.query_params.get("as") == "staff"


def shop_said(request: Request) -> str:
    """The shop whose page asks, where its host has several. It only says which of the browser's own cookies counts: who
    the browser is in another shop, it is not on this page.
    """
    return request.headers.get("x-shop") or request.query_params.get("shop", "")


def who(site: Site, request: Request) -> Caller:
    """Who asks. Raises what ``authenticate`` raises."""
    staff, shop = as_staff(request), shop_said(request)
    caller = authenticate(
        site.runtime,
        authorization=request.headers.get("authorization"),
        cookie=None if staff else session_of(request.cookies, shop),
        host=request.headers.get("host", ""),
        staff_cookie=request.cookies.get(STAFF_COOKIE) if staff else None,
    )
    by_cookie = not staff and "authorization" not in request.headers
    elsewhere = by_cookie and shop not in {"", caller.merchant.slug}
    return Caller(caller.merchant) if elsewhere else caller


def _check_names(request: Request, names: re.Pattern[str]) -> None:
    """What the address names could be ours. Raises ``NotFound``, ``InvalidInput``."""
    if not all(names.fullmatch(str(value)) for value in request.path_params.values()):
        raise NotFound("There is no such thing here.")
    if any("\0" in value for _, value in request.query_params.multi_items()):
        raise InvalidInput("Text cannot hold the character NUL.", param="query")


def _check_console(request: Request) -> None:
    """What is written with the staff's cookie says where it comes from. Raises ``CrossSite``."""
    if as_staff(request) and "origin" not in request.headers:
        raise CrossSite("This request does not say where it comes from.")


def _check_write(request: Request, takes: frozenset[str]) -> None:
    headers = request.headers
    if "authorization" not in headers:
        check_same_site(headers, own_origin(request))
        _check_console(request)
    key = headers.get("idempotency-key")
    if key is None:
        raise KeyRequired("Send an Idempotency-Key header with every write.", param="Idempotency-Key")
    if not _KEY.fullmatch(key):
        raise InvalidInput("An idempotency key has 1 to 255 printable characters.", param="Idempotency-Key")
    has_body = headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
    if has_body and headers.get("content-type", "").partition(";")[0].strip().lower() not in takes:
        raise HTTPException(415)
