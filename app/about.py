"""``/about``: the system at a glance, for who builds with it: its picture, how it is now, and where each door is."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Final

from fastapi import APIRouter, Request, Response

from app.pages import render
from app.routing import SiteDep
from app.site import Site
from app.theme import look
from app.wording import chosen, remember

router: Final = APIRouter(include_in_schema=False)
_DOORS: Final = (
    ("chat", "/"),
    ("account", "/account"),
    ("staff", "/staff"),
    ("docs", "/docs"),
    ("openapi", "/openapi.json"),
    ("acp", "/.well-known/acp.json"),
    ("embed", "/embed.js"),
    ("metrics", "/metrics"),
    ("alive", "/healthz"),
    ("ready", "/readyz"),
)


@router.get("/about")
def page(request: Request, site: SiteDep) -> Response:
    """Also while the shop is opening: then it says so."""
    wording = chosen(request)
    answer = render(
        "site/about.html",
        wording=wording,
        look=look(request),
        shop=None,
        to=str,
        state=_state(site),
        step=site.step,
        release=_release(),
        mail=_mail(site),
        doors=[*_DOORS, *([("outbox", "/outbox")] if site.opened is not None and site.opened.demo else [])],
    )
    remember(request, answer, wording)
    return answer


def _state(site: Site) -> str:
    if site.closing:
        return "closing"
    return "isReady" if site.ready else "starting"


def _mail(site: Site) -> str:
    """Where letters go: to a server, to the demo's outbox, nowhere."""
    if site.opened is None:
        return "mailUnknown"
    if site.opened.mailer is not None:
        return "mailServer"
    return "mailOutbox" if site.opened.demo else "mailNowhere"


def _release() -> str:
    try:
        return version("icommerce")
    except PackageNotFoundError:
        return "0"
