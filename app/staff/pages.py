"""What every page of the console is made in: who looks, what they may open, the frame around it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from fastapi import Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from app.identity import Caller, Merchant, ShopSuspended
from app.middleware import content_policy
from app.pages import render
from app.routing import who
from app.site import Site
from engine.kit.identity import Identity, Role, Scope

SIGN_IN: Final = "/staff/sign-in"
_HEADERS: Final = {
    "Cache-Control": "private, no-store",
    "Referrer-Policy": "same-origin",  # else Chromium sends forms from nowhere
    "Content-Security-Policy": content_policy(),
    "X-Robots-Tag": "noindex",
}
ROLES: Final = {Role.SUPPORT: "Support", Role.SUPERVISOR: "Supervisor", Role.OPS: "Operations", Role.ADMIN: "Admin"}


@dataclass(frozen=True, slots=True)
class Place:
    """A page that the navigation leads to, for whoever has the scope."""

    path: str
    title: str
    roles: frozenset[Role]


_ALL: Final = frozenset(Role)
MANAGERS: Final = _ALL - {Role.SUPPORT}
"""Who looks after how the shop does."""
PLACES: Final = (
    Place("/staff", "Queue", _ALL),
    Place("/staff/approvals", "Approvals", _ALL),
    Place("/staff/orders", "Orders", _ALL),
    Place("/staff/macros", "Macros", _ALL),
    Place("/staff/reports", "Reports", MANAGERS),
    Place("/ops", "Operations", frozenset({Role.OPS, Role.ADMIN})),
    Place("/staff/catalog", "Catalog", frozenset({Role.OPS, Role.ADMIN})),
    Place("/staff/tenant", "Shop", frozenset({Role.ADMIN})),
    Place("/staff/people", "People", frozenset({Role.ADMIN})),
)


Fill = Callable[[Caller], Mapping[str, Any]]


def page_response(
    request: Request,
    site: Site,
    template: str,
    *,
    needs: Scope = Scope.STAFF,
    roles: frozenset[Role] = frozenset(Role),
    status: int = 200,
    fill: Fill | None = None,
    **values: Any,
) -> Response:
    """A page of ``app/templates`` for one of the shop's people; who is nobody is led to the sign-in, and comes back.

    The template gets ``me`` (the ``Identity``), ``shop`` (the ``Merchant``), ``places``, ``values`` and what ``fill``
    finds out once it is clear who looks. ``roles`` are those of who is signed in; a key has none.
    """
    try:
        caller = who(site, request)
    except ShopSuspended as error:
        return plain_page("staff/closed.html", 403, said=error.message)
    me = caller.identity
    if me is None or not me.is_staff:
        return RedirectResponse(sign_in_path(request), 303, _HEADERS)
    if not _may(me, needs) or (me.role and me.role not in roles):
        return _framed(request, caller, me, "staff/refused.html", 403)
    return _framed(request, caller, me, template, status, **values, **(fill(caller) if fill else {}))


def _may(me: Identity, needs: Scope) -> bool:
    return me.is_operations if needs == Scope.OPS else needs in me.scopes


def plain_page(template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """A page without the frame: nobody is signed in."""
    page = render(template, **values)
    page.status_code = status
    page.headers.update(_HEADERS)
    return page


def sign_in_path(request: Request) -> str:
    """The sign-in, which leads back to where the request wanted to go."""
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return SIGN_IN if wanted == "/staff" else f"{SIGN_IN}?next={quote(wanted, safe='/')}"


def places_of(request: Request, role: Role | None) -> Sequence[Place]:
    """What is in the navigation of this role: what is built, and theirs."""
    built = _built(request.app.routes)
    return [place for place in PLACES if role in place.roles and place.path in built]


def _built(routes: Iterable[Any]) -> set[str]:
    """The paths of an application, those of its included routers too."""
    found: set[str] = set()
    for route in routes:
        found.add(getattr(route, "path", ""))
        found |= _built(getattr(getattr(route, "original_router", None), "routes", ()))
    return found


def _framed(request: Request, caller: Caller, me: Identity, template: str, status: int, **values: Any) -> HTMLResponse:
    places = places_of(request, me.role)
    here = [place.path for place in places if _holds(place.path, request.url.path)]
    given: dict[str, Any] = {"me": me, "shop": caller.merchant, "places": places, "here": max(here, default="")}
    given |= {"role": ROLES[me.role] if me.role else "", "config_json": json.dumps(_config(me, caller.merchant))}
    return plain_page(template, status, **given, **values)


def _holds(place: str, path: str) -> bool:
    return (
        path == place
        or (place != "/staff" and path.startswith(f"{place}/"))
        or (place == "/staff" and path.startswith("/staff/cases/"))
    )


def _config(me: Identity, shop: Merchant) -> dict[str, Any]:
    """What the scripts of a page know: nothing secret."""
    mine = {"id": me.id, "name": me.name, "person": me.person, "role": me.role, "scopes": sorted(me.scopes)}
    ours = {"slug": shop.slug, "name": shop.name, "currency": shop.currency}
    return {"me": mine, "shop": ours | {"locale": shop.settings.get("locale") or "en-US"}}
