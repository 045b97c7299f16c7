"""``/staff/sign-in``, ``/staff/join``, ``/staff/sign-out``: the door of the console. Plain forms, which need no script.

A wrong address, a wrong code and a stranger see the same page.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any, Final

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.identity import STAFF_COOKIE, Caller, CrossSite, Merchant, check_same_site, shop_named
from app.problems import STATUS
from app.routing import SiteDep, client_address, own_origin, who
from app.site import Site
from app.staff.pages import ROLES, SIGN_IN, plain_page
from engine.kit.errors import DomainError, NotFound
from engine.kit.identity import Identity, Role
from engine.kit.members import MemberStatus, StaffMember
from engine.kit.tenancy import Tenant
from engine.staff import codes, members, sessions
from engine.staff.errors import SignInWrong

router: Final = APIRouter(prefix="/staff", include_in_schema=False)
_ASKED: Final = "ic_staff_asked"
"""The cookie of the window that asked for a code."""
_NEXT: Final = re.compile(r"/(?:staff|ops)(?:[/?][A-Za-z0-9._~/?=&%+-]*)?")
Slug = Annotated[str, Query(max_length=80)]
Next = Annotated[str, Query(alias="next", max_length=500)]
Field = Annotated[str, Form(max_length=254)]
Work = Callable[[Merchant], Response]


@router.get("/sign-in")
def sign_in_page(request: Request, site: SiteDep, shop: Slug = "", wanted: Next = "") -> Response:
    """The form; who is signed in goes on."""
    try:
        caller, merchant = _shop(site, request, shop)
        if caller.identity is not None and not shop:
            return _go(_safe(wanted))
        return _page(site, merchant, wanted)
    except DomainError as error:
        return plain_page("staff/closed.html", STATUS[error.kind], said=error.message)


@router.post("/sign-in")
def ask_code(request: Request, site: SiteDep, email: Field = "", shop: Slug = "", wanted: Next = "") -> Response:
    """Send a code, if the address is one of the shop's people; the answer is the same if it is not."""

    def work(merchant: Merchant) -> Response:
        kept = codes.ask(site.runtime, merchant.id, email, address=client_address(request))
        answer = _page(site, merchant, wanted, step="code", email=email)
        _set(request, answer, _ASKED, kept, path=SIGN_IN, seconds=codes.CODE_LIFE.total_seconds())
        return answer

    return _attempt(request, site, shop, wanted, work, email=email)


@router.post("/sign-in/code")
def enter_code(
    request: Request, site: SiteDep, code: Field = "", email: Field = "", shop: Slug = "", wanted: Next = ""
) -> Response:
    """The code: who typed it right, in the window that asked, is in."""

    def work(merchant: Merchant) -> Response:
        kept = request.cookies.get(_ASKED) or ""
        token = codes.sign_in(site.runtime, merchant.id, kept, code, address=client_address(request))
        return _let_in(request, site, token, wanted)

    return _attempt(request, site, shop, wanted, work, step="code", email=email)


@router.post("/sign-in/demo")
def as_demo(request: Request, site: SiteDep, member: Field = "", shop: Slug = "", wanted: Next = "") -> Response:
    """In demo mode, and in a demo shop: whoever presses the button is that demo person."""

    def work(merchant: Merchant) -> Response:
        if not (site.runtime.demo and merchant.demo):
            raise NotFound("There is no such page.")
        with site.runtime.unit_of_work(merchant.id) as session:
            row = members.locked(session, merchant.id, member)
            if not row.demo or not row.active:
                raise SignInWrong
            token = members.sign_in(session, row, by="demo")
        return _let_in(request, site, token, wanted)

    return _attempt(request, site, shop, wanted, work)


@router.get("/join")
def join_page(request: Request, site: SiteDep, shop: Slug = "", token: Slug = "") -> Response:
    """What an invitation leads to. Looking uses nothing up: mail programs look."""
    try:
        _, merchant = _shop(site, request, shop)
        with site.runtime.unit_of_work(merchant.id) as session:
            row = members.by_link(session, merchant.id, token)
            return plain_page("staff/join.html", member=row, role=ROLES[row.role], merchant=merchant, token=token)
    except DomainError as error:
        return plain_page("staff/closed.html", STATUS[error.kind], said=error.message)


@router.post("/join")
def join(request: Request, site: SiteDep, token: Field = "", shop: Slug = "") -> Response:
    """Take the invitation: the link is used up, and its owner is in."""

    def work(merchant: Merchant) -> Response:
        site.hit(f"staff-join:{client_address(request)}", 30)
        with site.runtime.unit_of_work(merchant.id) as session:
            cookie = members.accept(session, merchant.id, token)
        return _let_in(request, site, cookie, "")

    return _attempt(request, site, shop, "", work)


@router.post("/sign-out")
def sign_out(request: Request, site: SiteDep, everywhere: Field = "") -> Response:
    """End this session, or all of this person's."""
    try:
        check_own(request)
        caller = who(site, request)
        if caller.identity is not None:
            with site.runtime.unit_of_work(caller.identity.tenant_id) as session:
                _end(session, request, caller.identity, everywhere=bool(everywhere))
    except DomainError as error:
        return plain_page("staff/closed.html", STATUS[error.kind], said=error.message)
    answer = _go(SIGN_IN)
    answer.delete_cookie(STAFF_COOKIE, path="/", httponly=True, samesite="strict")
    return answer


def check_own(request: Request) -> None:
    """A form of ours, sent from a page of ours: what does not say where it comes from does not count.

    Raises ``CrossSite``.
    """
    if "origin" not in request.headers:
        raise CrossSite("This request does not say where it comes from.")
    check_same_site(request.headers, own_origin(request))


def _end(session: Session, request: Request, identity: Identity, *, everywhere: bool) -> None:
    members.sign_out(session, identity, request.cookies[STAFF_COOKIE], everywhere=everywhere)


def _attempt(
    request: Request, site: Site, slug: str, wanted: str, work: Callable[[Merchant], Response], **page: Any
) -> Response:
    """Do what a form asks; what is refused is said on the form."""
    merchant: Merchant | None = None
    try:
        check_own(request)
        _, merchant = _shop(site, request, slug)
        return work(merchant)
    except DomainError as error:
        status = STATUS[error.kind]
        if merchant is None or status in {403, 404}:
            return plain_page("staff/closed.html", status, said=error.message)
        return _page(site, merchant, wanted, status=status, said=error.message, **page)


def _shop(site: Site, request: Request, slug: str) -> tuple[Caller, Merchant]:
    """Who looks, and which shop is meant: the one that is named, the host's, or the first."""
    caller = who(site, request)
    merchant = shop_named(site.runtime, caller, slug, request.headers.get("host", ""))
    return caller, merchant


def _page(
    site: Site,
    merchant: Merchant,
    wanted: str,
    *,
    step: str = "email",
    email: str = "",
    said: str = "",
    status: int = 200,
) -> Response:
    demo = site.runtime.demo and merchant.demo
    shown = {"merchant": merchant, "next": _safe(wanted), "step": step, "email": email, "said": said, "roles": ROLES}
    people = _demo_people(site, merchant) if demo else []
    return plain_page("staff/sign_in.html", status, **shown, demo=demo, people=people, shops=_shops(site))


def _demo_people(site: Site, merchant: Merchant) -> list[StaffMember]:
    with site.runtime.unit_of_work(merchant.id) as session:
        query = select(StaffMember).where(
            StaffMember.tenant_id == merchant.id, StaffMember.demo, StaffMember.status == MemberStatus.ACTIVE
        )
        return sorted(session.scalars(query), key=lambda row: (list(Role).index(Role(row.role)), row.person))


def _shops(site: Site) -> list[Merchant]:
    """In demo mode, the demo shops one may choose from; elsewhere a page says nothing of other shops."""
    if not site.runtime.demo:
        return []
    with site.runtime.store.without_tenant() as session:
        query = select(Tenant).where(Tenant.status == "active", Tenant.demo).order_by(Tenant.number).limit(20)
        return [Merchant.of(row) for row in session.scalars(query)]


def _let_in(request: Request, site: Site, token: str, wanted: str) -> Response:
    """A new cookie. What this browser was signed in with before opens nothing any more."""
    if before := request.cookies.get(STAFF_COOKIE):
        with site.runtime.store.without_tenant() as session:
            sessions.end(session, before)
    answer = _go(_safe(wanted))
    _set(request, answer, STAFF_COOKIE, token, path="/", seconds=sessions.LIFE.total_seconds())
    answer.delete_cookie(_ASKED, path=SIGN_IN, httponly=True, samesite="strict")
    return answer


def _set(request: Request, answer: Response, name: str, value: str, *, path: str, seconds: float) -> None:
    secure = request.url.scheme == "https"
    answer.set_cookie(name, value, int(seconds), path=path, httponly=True, samesite="strict", secure=secure)


def _safe(wanted: str) -> str:
    """Where to go on: a page of the console, or its first."""
    return wanted if _NEXT.fullmatch(wanted) and "//" not in wanted and ".." not in wanted else "/staff"


def _go(path: str) -> RedirectResponse:
    return RedirectResponse(path, 303, {"Cache-Control": "private, no-store"})
