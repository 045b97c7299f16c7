"""Starting a conversation, and the guest who starts it."""

from __future__ import annotations

from fastapi import Request, Response
from sqlalchemy.orm import Session

from app.chat.schemas import NewThread, ThreadView
from app.identity import (
    COOKIE,
    FRAMED,
    SESSION_LIFE,
    Caller,
    Merchant,
    authenticate,
    cookie_at,
    merchant_by_slug,
    new_session,
)
from app.once import Asked, answer_once, json_response
from app.routing import client_address
from app.site import Site
from engine.conversations import service
from engine.customers import service as customers
from engine.kit.errors import InvalidInput, NotFound
from engine.kit.identity import Actor, Identity


def start_thread(site: Site, request: Request, caller: Caller, asked: Asked, given: NewThread) -> Response:
    """A conversation for this identity; who has none (in that shop) becomes a new guest with a new cookie."""
    site.hit(f"threads:{client_address(request)}", site.limits.threads_per_address)
    merchant = _merchant(site, caller, given)
    identity = caller.identity if caller.merchant.id == merchant.id else None
    kept = None
    if identity is None:
        kept, identity = _guest_before(site, request, merchant)
    if identity is None:
        return _as_guest(site, request, merchant)

    def work(session: Session) -> ThreadView:
        return _create(session, identity, merchant)

    response = answer_once(site.runtime, identity, asked, work, status=201)
    if kept:
        _remember(response, request, COOKIE, kept)
    return response


def _guest_before(site: Site, request: Request, merchant: Merchant) -> tuple[str | None, Identity | None]:
    """Who this browser was in that demo shop before it went to another, with the cookie's value."""
    kept = request.cookies.get(cookie_at(merchant.slug)) if site.runtime.demo else None
    if not kept or "authorization" in request.headers:
        return None, None
    found = authenticate(site.runtime, authorization=None, cookie=kept, host=request.headers.get("host", ""))
    return (kept, found.identity) if found.identity and found.merchant.id == merchant.id else (None, None)


def _merchant(site: Site, caller: Caller, given: NewThread) -> Merchant:
    if given.tenant is None or given.tenant == caller.merchant.slug:
        return caller.merchant
    if caller.identity is not None and caller.identity.actor != Actor.SHOPPER:
        raise NotFound("There is no such shop.")
    if not site.runtime.demo:
        raise InvalidInput("The shop cannot be chosen here.", param="tenant")
    return merchant_by_slug(site.runtime, given.tenant)


def _as_guest(site: Site, request: Request, merchant: Merchant) -> Response:
    with site.runtime.unit_of_work(merchant.id) as session:
        guest = customers.new_shopper(session, merchant.id)
        session.flush()
        view = _create(session, guest, merchant)
        token = new_session(session, guest)
    response = json_response(view, 201)
    remember(site, request, response, merchant, token)
    return response


def remember(site: Site, request: Request, response: Response, merchant: Merchant, token: str) -> None:
    """Have the browser keep this session; in demo mode also as the one of this shop, for when it comes back to it. A
    frame on another site's page keeps its own.
    """
    if FRAMED in request.cookies and COOKIE not in request.cookies:
        keep_framed(response, token)
        return
    _remember(response, request, COOKIE, token)
    if site.runtime.demo:
        _remember(response, request, cookie_at(merchant.slug), token)


def keep_framed(response: Response, token: str) -> None:
    """The session of a frame, for the site alone whose page it is on."""
    life = int(SESSION_LIFE.total_seconds())
    said = f"{FRAMED}={token}; Max-Age={life}; Path=/; HttpOnly; Secure; SameSite=None; Partitioned"
    response.headers.append("Set-Cookie", said)


def forget(request: Request, response: Response, merchant: Merchant) -> None:
    """Have the browser drop its session in this shop, and no other's on this host."""
    here, last = request.cookies.get(cookie_at(merchant.slug)), request.cookies.get(COOKIE)
    if here:
        response.delete_cookie(cookie_at(merchant.slug))
    if here in {None, last}:
        response.delete_cookie(COOKIE)


def _remember(response: Response, request: Request, name: str, token: str) -> None:
    response.set_cookie(
        name,
        token,
        max_age=int(SESSION_LIFE.total_seconds()),
        path="/",
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )


def _create(session: Session, identity: Identity, merchant: Merchant) -> ThreadView:
    thread = service.create_thread(session, identity)
    return ThreadView(id=thread.id, mode=thread.mode, tenant=merchant.slug)
