"""The chat on other people's pages: ``/embed.js`` puts a button there, ``/embed/{shop}`` is what its frame shows.

Only pages of origins that the shop's rule ``embed`` names may frame it, and of all our pages only this one. In a frame
of another site a cookie is a third party's: the session there is a cookie of its own, which the browser keeps for that
site alone (``Partitioned``) and shows to no other. Paying is no frame's business: it opens our own page in a new tab.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select

from app.chat.threads import keep_framed
from app.identity import FRAMED, Merchant, authenticate, host_name, new_session, shop_named
from app.middleware import content_policy
from app.once import json_response
from app.pages import STATIC, chat_page
from app.problems import STATUS
from app.routing import CallerDep, Guarded, SiteDep, client_address
from app.shopfront import Slug, Visit, closed, go, visit
from app.site import Site
from app.theme import style, theme_of, voice
from app.wording import offered, words
from engine.agentic import hosted, links
from engine.checkout.models import Consent, ConsentKind
from engine.checkout.schemas import ConsentView
from engine.conversations import service as conversations
from engine.customers import service as customers
from engine.kit.errors import DomainError, Forbidden, NotFound
from engine.kit.identity import Actor, Identity
from engine.kit.policies import read_policy
from engine.kit.views import View
from engine.runtime import Runtime
from engine.theme.policy import EmbedPolicy

router: Final = APIRouter(include_in_schema=False)
paying: Final = APIRouter(prefix="/v1/checkout/page", tags=["payment"], route_class=Guarded)
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_HOUR: Final = "public, max-age=3600"


class CardPage(View):
    """Where a payment card can be decided on outside the conversation, and how it stands."""

    url: str
    """A page of ours; it opens in one browser alone."""
    card: str
    """The card that stands in its place by now, or itself."""
    status: str
    """open, approved, declined, expired, superseded, claimed."""


class PageWanted(BaseModel):
    """The conversation that hears what becomes of it."""

    model_config = ConfigDict(extra="forbid")
    thread_id: Annotated[str, Field(max_length=60)] | None = None


@router.get("/embed.js")
def script(request: Request, site: SiteDep, shop: Slug = "") -> Response:
    """The one script that another site's page takes in: it may be fetched from everywhere."""
    merchant = _merchant(site, request, shop)
    speaks = [words(tag) for tag in offered(merchant.settings)]
    told = {
        "frame": f"/embed/{merchant.slug}",
        "accent": _accent(merchant),
        "languages": [one.language for one in speaks],
        "words": {one.language: {**one.part("hosted.embed"), "dir": one.direction} for one in speaks},
        "name": voice(merchant, "").get("assistant", merchant.name),
    }
    text = _source().replace('"__TOLD__"', json.dumps(told, ensure_ascii=True).replace("<", "\\u003c"))
    headers = {"Cache-Control": _HOUR, "Cross-Origin-Resource-Policy": "cross-origin"}
    return Response(text, media_type="text/javascript", headers=headers)


@router.get("/embed/{slug}")
def framed(slug: str, request: Request, site: SiteDep) -> Response:
    """The chat, for a frame on a page that the shop allows; whoever opens it by itself is led to the shop."""
    seen: Visit | None = None
    try:
        seen = visit(site, request, slug)
        if request.headers.get("sec-fetch-dest") == "document":
            return go(seen.to("/"))
        return _framed(seen)
    except DomainError as error:
        return _refused(seen, error) if seen else closed(request, error)


@paying.get("", responses={200: {"model": CardPage}}, response_class=Response)
def card_page(site: SiteDep, caller: CallerDep, card: Annotated[str, Query(max_length=60)]) -> Response:
    """The page on which the caller's own payment card can be decided on, for where the chat itself may not."""
    identity, runtime = caller.for_thing(), site.runtime
    with runtime.unit_of_work(identity.tenant_id) as session:
        row = session.get(Consent, (identity.tenant_id, card))
        if row is None or row.owner_id != identity.id or row.kind != ConsentKind.PAYMENT:
            raise NotFound("There is no such card.")
        query = select(Consent).where(Consent.tenant_id == identity.tenant_id, Consent.session_id == row.session_id)
        newest = session.scalars(query.order_by(Consent.created_at.desc(), Consent.id.desc()).limit(1)).one()
        return _told(runtime, identity, newest)


@paying.post("", responses={200: {"model": CardPage}}, response_class=Response)
def card_page_for_checkout(site: SiteDep, caller: CallerDep, given: PageWanted) -> Response:
    """The page on which the caller's running checkout can be paid with a card that is entered there, for where the chat
    itself may take none.
    """
    identity, runtime = caller.known, site.runtime
    if identity.actor != Actor.SHOPPER:
        raise Forbidden("Only a shopper is led to a page to pay on.")
    site.hit(f"card-entry:{identity.id}", site.limits.cards_per_identity)
    if given.thread_id is not None:
        with runtime.unit_of_work(identity.tenant_id) as session:
            conversations.own_thread(session, identity, given.thread_id)
    return _told(runtime, identity, hosted.lead_out(runtime, identity, thread_id=given.thread_id))


def _told(runtime: Runtime, identity: Identity, card: Consent | ConsentView) -> Response:
    url = links.path_of(runtime, identity.tenant_id, card.id, card.expires_at)
    return json_response(CardPage(url=url, card=card.id, status=str(card.status)))


def _framed(seen: Visit) -> Response:
    """Raises ``Forbidden`` for a page that is not allowed, and where no browser would keep the frame's session."""
    allowed = read_policy(dict(seen.merchant.settings), EmbedPolicy).origins
    token = _session(seen, allowed)
    answer = chat_page(seen.site, seen.request, seen.merchant, alone=True, framed=True)
    answer.headers["Content-Security-Policy"] = content_policy(
        frames=[seen.site.psp_origin], ancestors=" ".join(allowed)
    )
    answer.headers["Cache-Control"] = "private, no-store"
    if token:
        keep_framed(answer, token)
    return answer


def _session(seen: Visit, allowed: list[str]) -> str | None:
    """The value of a new cookie for this frame; none where it has one, or where the browser sends it our usual one."""
    headers = seen.request.headers
    if FRAMED in seen.request.cookies and seen.shopper is not None and allowed:
        return None
    if _origin(headers.get("referer", "")) not in allowed:
        raise Forbidden("This page may not show the chat. Its owner can be named in the shop's rule embed.")
    if headers.get("sec-fetch-site") in {"same-origin", "same-site"}:
        return None
    if seen.request.url.scheme != "https" and host_name(headers.get("host", "")) not in _LOOPBACK:
        raise Forbidden("In a page of another site the chat needs https.")
    limit = seen.site.limits.threads_per_address
    seen.site.hit(f"threads:{client_address(seen.request)}", limit)
    with seen.site.runtime.unit_of_work(seen.merchant.id) as session:
        guest = customers.new_shopper(session, seen.merchant.id)
        session.flush()
        return new_session(session, guest)


def _refused(seen: Visit, error: DomainError) -> Response:
    """A page that nobody may frame: the browser shows none of it there."""
    values: dict[str, Any] = {"kind": str(error.kind), "said": seen.wording.problem(error.code, error.message)}
    return seen.page("site/said.html", status=STATUS[error.kind], **values)


def _merchant(site: Site, request: Request, slug: str) -> Merchant:
    host = request.headers.get("host", "")
    return shop_named(site.runtime, authenticate(site.runtime, authorization=None, cookie=None, host=host), slug, host)


def _origin(address: str) -> str:
    try:
        parts = urlsplit(address)
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.netloc}".lower()


def _accent(merchant: Merchant) -> str:
    """The color of the shop's buttons, as its style sheet has it."""
    return style(theme_of(merchant), merchant.settings).partition("--ic-accent: ")[2].partition(";")[0]


@cache
def _source() -> str:
    return (STATIC / "embed" / "embed.js").read_text(encoding="utf-8")
