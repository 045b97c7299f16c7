"""``/confirm/{cnf_id}``: the hosted card, for shoppers whose assistant may prepare an order and not agree to it.

The link alone shows the shop and the total: programs that look at links before people do learn no more, and hold
nothing. The first press makes this browser the card's; from then on it alone sees the whole order and decides.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from typing import Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from fastapi.routing import APIRoute
from sqlalchemy import select

from app.identity import COOKIE, SESSION_LIFE, Merchant, authenticate, check_same_site, cookie_at, new_session
from app.origins import known_origin, shop_origins
from app.pages import render
from app.problems import STATUS
from app.routing import client_address, own_origin, site_of
from app.site import Site
from app.wording import DEFAULT, Wording, chosen, locale
from engine.agentic import hosted, links
from engine.agentic.hosted import Shown
from engine.checkout.schemas import ConsentView
from engine.customers import service as customers
from engine.kit.errors import DomainError, NotFound, Unauthenticated
from engine.kit.identity import Identity
from engine.kit.ids import is_id
from engine.kit.money import format_minor
from engine.kit.tenancy import Tenant

HOLDER: Final = "ic_confirm"
"""The cookie of a browser that holds a card and is nobody in the shop's chat."""
_PATH: Final = "/confirm"
_OPEN_FIRST: Final = "Open the order in this browser first."


class Readable(APIRoute):
    """Tells people what went wrong, on a page."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def readable(request: Request) -> Response:
            try:
                return await handle(request)
            except DomainError as error:
                return _said(request, error.code, error.message, STATUS[error.kind])
            except RequestValidationError:
                words = "This link is not complete. Ask your assistant for a fresh one."
                return _said(request, "invalid_request", words, 400)

        return readable


router: Final = APIRouter(prefix=_PATH, include_in_schema=False, route_class=Readable)


class Visit:
    """Who looks at which card of which shop."""

    def __init__(self, consent_id: str, request: Request, t: Annotated[str, Query(max_length=200)]) -> None:
        self.site: Site = site_of(request)
        self.site.hit(f"confirm:{client_address(request)}", self.site.limits.confirms_per_address)
        if not is_id(consent_id, "consent"):
            raise NotFound("There is no such confirmation.")
        if request.method == "POST":
            check_same_site(request.headers, own_origin(request))
        self.request, self.consent_id, self.ticket = request, consent_id, t
        self.merchant = _merchant(self.site, links.tenant_of(self.site.runtime, consent_id, t))
        known = _shoppers(self.site, request, self.merchant)
        self.shopper = hosted.deciding(self.site.runtime, self.merchant.id, known, consent_id)

    @property
    def holder(self) -> Identity:
        """Raises ``Unauthenticated`` for a browser that is nobody yet."""
        if self.shopper is None:
            raise Unauthenticated(_OPEN_FIRST)
        return self.shopper

    @property
    def wording(self) -> Wording:
        return chosen(self.request, self.merchant.settings)

    def to(self, verb: str = "") -> str:
        """An address of this card."""
        return f"{_PATH}/{self.consent_id}{f'/{verb}' if verb else ''}?{urlencode({'t': self.ticket})}"

    def move(self, fresh: ConsentView) -> None:
        """Go on with the card that took the place of this one."""
        path = links.path_of(self.site.runtime, self.merchant.id, fresh.id, fresh.expires_at)
        self.consent_id, self.ticket = fresh.id, path.partition("?t=")[2]


VisitDep = Annotated[Visit, Depends(Visit)]


@router.get("/{consent_id}")
def page(visit: VisitDep) -> Response:
    """The card as it stands."""
    return _page(visit)


@router.post("/{consent_id}/open")
def open_card(visit: VisitDep) -> Response:
    """Let this browser hold the card, if it is the first."""
    answer = RedirectResponse(visit.to(), 303)
    with visit.site.runtime.unit_of_work(visit.merchant.id) as session:
        shopper = visit.shopper
        if shopper is None:
            shopper = customers.new_shopper(session, visit.merchant.id)
            session.flush()
            _remember(answer, visit.request, new_session(session, shopper))
        hosted.take(session, shopper, visit.consent_id)
    return answer


@router.post("/{consent_id}/pay")
def pay(visit: VisitDep) -> Response:
    """Yes. Pressing it twice pays once."""
    runtime, holder = visit.site.runtime, visit.holder
    try:
        done = hosted.pay(runtime, holder, visit.consent_id)
        if done.challenge_url:
            visit.move(hosted.again(runtime, holder, visit.consent_id))
            said = visit.wording.problem("authentication_required", done.message)
            return _page(visit, said=said, bank=done.challenge_url)
    except DomainError as error:
        return _page(visit, said=visit.wording.problem(error.code, error.message))
    return RedirectResponse(visit.to(), 303)


@router.post("/{consent_id}/decline")
def decline(visit: VisitDep) -> Response:
    """No."""
    try:
        hosted.decline(visit.site.runtime, visit.holder, visit.consent_id)
    except DomainError as error:
        return _page(visit, said=visit.wording.problem(error.code, error.message))
    return RedirectResponse(visit.to(), 303)


@router.post("/{consent_id}/card")
def use_card(visit: VisitDep, card_token: Annotated[str, Form(max_length=80)]) -> Response:
    """Another way to pay, just entered on the payment provider's own page."""
    visit.site.hit(f"card-entry:{visit.holder.id}", visit.site.limits.cards_per_identity)
    try:
        visit.move(hosted.use_card(visit.site.runtime, visit.holder, visit.consent_id, card_token))
    except DomainError as error:
        return _page(visit, said=visit.wording.problem(error.code, error.message))
    return RedirectResponse(visit.to(), 303)


def _page(visit: Visit, *, said: str = "", bank: str = "") -> HTMLResponse:
    """The page, of plain forms: a browser that may not say where it comes from would send them as from nowhere."""
    shown = hosted.look(visit.site.runtime, visit.merchant.id, visit.shopper, visit.consent_id)
    currency = shown.summary.total.currency
    wording = visit.wording
    where = locale(str(visit.merchant.settings.get("locale") or DEFAULT), wording.language)
    answer = render(
        "confirm.html",
        wording=wording,
        sums=wording.sums,
        day=lambda when: wording.day(when, where),
        moment=lambda when: wording.moment(when, where),
        merchant=visit.merchant.name,
        shown=shown,
        summary=shown.summary,
        state=_state(shown),
        said=said or _told(wording, shown),
        order=shown.outcome.order.number if shown.outcome and shown.outcome.order else "",
        money=lambda amount: format_minor(amount, currency),
        bank=bank,
        action=visit.to,
        config_json=json.dumps({"entry": _entry(visit, shown), "paying": wording.say("hosted.confirm.paying")}),
        psp_origin=visit.site.psp_origin,
    )
    answer.headers["Referrer-Policy"] = "same-origin"
    return answer


def _told(wording: Wording, shown: Shown) -> str:
    """What became of the card, where it was used."""
    done = shown.outcome
    return wording.problem(done.code or done.result, done.message) if done else ""


def _state(shown: Shown) -> str:
    """What the page offers: look, open, paid, waiting, declined, over."""
    if shown.outcome:
        return {"paid": "paid", "unknown": "waiting"}.get(shown.outcome.result, "failed")
    if shown.card.status == "declined":
        return "declined"
    if shown.card.status not in {"open", "approved"} or not shown.payable:
        return "over"
    return "open" if shown.held else "look"


def _entry(visit: Visit, shown: Shown) -> str:
    """The address of the form to enter a card in, for who may; empty where there is none."""
    if not shown.held or not shown.payable or _state(shown) not in {"open", "failed"}:
        return ""
    try:
        offered = hosted.card_entry(visit.site.runtime, visit.holder, visit.consent_id)
    except DomainError:  # this shop takes no cards here: the page offers what the card holds already
        return ""
    settings, host = visit.site.settings, visit.merchant.host
    ours = known_origin(settings, host, own_origin(visit.request)) or shop_origins(settings, host)[0]
    told = {"origin": ours, "lang": chosen(visit.request, visit.merchant.settings).language}
    return f"{visit.site.psp_origin}{offered.path}&{urlencode(told)}"


def _merchant(site: Site, tenant_id: str) -> Merchant:
    with site.runtime.store.without_tenant() as session:
        row = session.scalar(select(Tenant).where(Tenant.id == tenant_id, Tenant.status == "active"))
        if row is None:
            raise NotFound("This shop is closed at the moment.")
        return Merchant.of(row)


def _shoppers(site: Site, request: Request, merchant: Merchant) -> list[Identity]:
    """Who this browser is in the shop: in its chat, and on a card it opened before."""
    known, host = [], request.headers.get("host", "")
    names = (cookie_at(merchant.slug), COOKIE, HOLDER)
    for cookie in dict.fromkeys(request.cookies[name] for name in names if request.cookies.get(name)):
        found = authenticate(site.runtime, authorization=None, cookie=cookie, host=host)
        if found.identity and found.merchant.id == merchant.id:
            known.append(found.identity)
    return known


def _remember(answer: Response, request: Request, token: str) -> None:
    answer.set_cookie(
        HOLDER,
        token,
        max_age=int(SESSION_LIFE.total_seconds()),
        path=_PATH,
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )


def _said(request: Request, code: str, words: str, status: int) -> HTMLResponse:
    wording = chosen(request)
    answer = render("confirm_over.html", wording=wording, said=wording.problem(code, words))
    answer.status_code = status
    return answer
