"""What the shop's plain pages share: whose shop it is, in which language and look, and where its other doors are."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from sqlalchemy.orm import Session

from app.chat.threads import remember as keep
from app.identity import Caller, CrossSite, Merchant, authenticate, check_same_site, new_session, session_of, shop_named
from app.origins import known_origin, shop_origins
from app.pages import render
from app.problems import STATUS
from app.routing import client_address, own_origin
from app.site import Site
from app.theme import address, look, voice
from app.wording import DEFAULT, Wording, chosen, locale, remember
from engine.customers import service as customers
from engine.kit.envelope import derive
from engine.kit.errors import DomainError
from engine.kit.identity import Actor, Identity

Slug = Annotated[str, Query(max_length=80)]
"""Which shop, where the host is no shop's own."""
PRIVATE: Final = {"Cache-Control": "private, no-store"}
_FORM: Final = "ic_form"
"""The cookie of a browser that was given a form: what the form sends must fit it."""
_DAY_SECONDS: Final = 24 * 3600


@dataclass(frozen=True, slots=True)
class Visit:
    """One look at one page of one shop."""

    site: Site
    request: Request
    caller: Caller
    named: str
    """The shop's slug where the address has to name it, else nothing."""

    @property
    def merchant(self) -> Merchant:
        return self.caller.merchant

    @property
    def shopper(self) -> Identity | None:
        """Who this browser is in the shop: keys are for programs, and people of the shop have their own pages."""
        found = self.caller.identity
        return found if found and found.actor == Actor.SHOPPER else None

    @property
    def wording(self) -> Wording:
        return chosen(self.request, self.merchant.settings)

    @property
    def locale(self) -> str:
        return locale(str(self.merchant.settings.get("locale") or DEFAULT), self.wording.language)

    @property
    def origin(self) -> str:
        """Scheme and host of the shop's pages: the browser's own, where it is one of them."""
        settings, host = self.site.settings, self.merchant.host
        return known_origin(settings, host, own_origin(self.request)) or shop_origins(settings, host)[-1]

    def to(self, path: str, **query: str) -> str:
        """An address of this shop's."""
        asked = ({"shop": self.named} if self.named else {}) | query
        return f"{path}?{urlencode(asked)}" if asked else path

    def page(self, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
        """A page in the shop's look and the visitor's language."""
        wording = self.wording
        shop = {
            "name": self.merchant.name,
            "slug": self.merchant.slug,
            "currency": self.merchant.currency,
            "theme": address(self.merchant),
            **voice(self.merchant, wording.language),
        }
        known = {"shop": shop, "to": self.to, "day": lambda when: wording.day(when, self.locale)}
        answer = render(template, wording=wording, look=look(self.request), **known, **values)
        answer.status_code = status
        answer.headers["Referrer-Policy"] = "same-origin"  # else Chromium sends forms from nowhere
        remember(self.request, answer, wording)
        return answer

    def refused(self, error: DomainError) -> HTMLResponse:
        """What cannot be shown, said in the shop's look."""
        said = self.wording.problem(error.code, error.message)
        answer = self.page("site/said.html", status=STATUS[error.kind], kind=str(error.kind), said=said)
        answer.headers.update(PRIVATE)
        return answer

    def check_form(self, token: str | None = None) -> None:
        """A form of ours, sent from a page of ours; with a ``token``, by the browser that was given it. Raises
        ``CrossSite``.
        """
        headers = self.request.headers
        if "origin" not in headers:
            raise CrossSite("This request does not say where it comes from.")
        check_same_site(headers, own_origin(self.request))
        kept = self.request.cookies.get(_FORM, "")
        if token is not None and not (kept and hmac.compare_digest(token.encode(), self._sign(kept).encode())):
            raise CrossSite("This form is too old. Open the page again.")

    def give_form(self) -> tuple[str, str]:
        """The browser's own secret, and what a form has to send with it."""
        kept = self.request.cookies.get(_FORM, "")[:64] or secrets.token_urlsafe(24)
        return kept, self._sign(kept)

    def keep_form(self, answer: Response, kept: str) -> None:
        """Have the browser keep what its form must fit."""
        secure = self.request.url.scheme == "https"
        answer.set_cookie(_FORM, kept, _DAY_SECONDS, httponly=True, samesite="strict", secure=secure)

    def _sign(self, kept: str) -> str:
        key = derive(self.site.runtime.secret_key, "form")
        return hmac.new(key, f"{self.merchant.id}|{kept}".encode(), hashlib.sha256).hexdigest()

    def enter(self, session: Session) -> tuple[Identity, str | None]:
        """Who this browser is; a new guest, with a cookie's value to ``keep``, if it is nobody yet."""
        if self.shopper is not None:
            return self.shopper, None
        guest = customers.new_shopper(session, self.merchant.id)
        session.flush()
        return guest, new_session(session, guest)

    def keep(self, answer: Response, token: str | None) -> None:
        """Have the browser keep the session of a new guest, or of who has just signed in."""
        if token is not None:
            keep(self.site, self.request, answer, self.merchant, token)

    def limit_guests(self) -> None:
        """New guests are counted as new conversations are. Raises ``RateLimited``."""
        if self.shopper is None:
            self.site.hit(f"threads:{client_address(self.request)}", self.site.limits.threads_per_address)


def visit(site: Site, request: Request, slug: str) -> Visit:
    """Who looks, and at which shop. Raises ``NotFound``, ``ShopSuspended``."""
    host = request.headers.get("host", "")
    caller = authenticate(site.runtime, authorization=None, cookie=session_of(request.cookies, slug), host=host)
    merchant = shop_named(site.runtime, caller, slug, host)
    if merchant.id != caller.merchant.id:
        caller = Caller(merchant)
    return Visit(site, request, caller, "" if merchant.host else merchant.slug)


def closed(request: Request, error: DomainError, template: str = "site/said.html", **more: Any) -> HTMLResponse:
    """What is said where no shop is known whose look it could have."""
    wording = chosen(request)
    said = wording.problem(error.code, error.message)
    values: Mapping[str, Any] = {"shop": None, "to": _as_it_is, "kind": str(error.kind), "said": said}
    answer = render(template, wording=wording, look=look(request), **values, **more)
    answer.status_code = STATUS[error.kind]
    answer.headers.update(PRIVATE | {"Referrer-Policy": "same-origin"})
    return answer


def go(path: str) -> RedirectResponse:
    """To another page of ours, by GET."""
    return RedirectResponse(path, 303, PRIVATE)


def _as_it_is(path: str, **_query: str) -> str:
    return path
