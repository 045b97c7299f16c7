"""Starting a conversation, and the guest who starts it."""

from __future__ import annotations

from fastapi import Request, Response
from sqlalchemy.orm import Session

from app.chat.schemas import NewThread, ThreadView
from app.identity import COOKIE, SESSION_LIFE, Caller, Merchant, merchant_by_slug, new_session
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
    if identity is None:
        return _as_guest(site, request, merchant)

    def work(session: Session) -> ThreadView:
        return _create(session, identity, merchant)

    return answer_once(site.runtime, identity, asked, work, status=201)


def _merchant(site: Site, caller: Caller, given: NewThread) -> Merchant:
    if given.tenant is None or given.tenant == caller.merchant.slug:
        return caller.merchant
    if caller.identity is not None and caller.identity.actor == Actor.API_KEY:
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
    response.set_cookie(
        COOKIE,
        token,
        max_age=int(SESSION_LIFE.total_seconds()),
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )
    return response


def _create(session: Session, identity: Identity, merchant: Merchant) -> ThreadView:
    thread = service.create_thread(session, identity)
    return ThreadView(id=thread.id, mode=thread.mode, tenant=merchant.slug)
