"""``/account``: signing in outside a conversation, one's own orders, signing out. Plain forms: no script is needed.

An address that the shop knows and one that it does not are answered alike. What the guest had (cart, orders, the
conversation) goes on: it is the same shopper, who is somebody from now on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Final

from fastapi import APIRouter, Form, Request, Response
from sqlalchemy.orm import Session

from app.chat.threads import forget
from app.identity import end_everywhere, end_session, rotate_session
from app.problems import STATUS
from app.routing import SiteDep
from app.shopfront import PRIVATE, Slug, Visit, closed, go, visit
from app.site import Site
from app.wording import money
from engine.conversations import asking, events
from engine.conversations import service as conversations
from engine.conversations.schemas import Action, ActionName, RunInput
from engine.customers import codes, verifying
from engine.customers import service as customers
from engine.kit.errors import DomainError, Unauthenticated
from engine.kit.identity import Identity
from engine.orders import queries

router: Final = APIRouter(prefix="/account", include_in_schema=False)
Field = Annotated[str, Form(max_length=254)]
Cursor = Annotated[str, Form(max_length=300)]
_ORDERS: Final = 20
_ASK_FIRST: Final = "Ask for a code in this browser first."


@router.get("")
def page(request: Request, site: SiteDep, shop: Slug = "", cursor: str = "") -> Response:
    """Who is signed in sees their orders; a guest sees what this browser bought, and the way in."""
    return _attempt(request, site, shop, lambda seen: _page(seen, cursor=cursor[:300]))


@router.post("/code")
def ask_code(request: Request, site: SiteDep, email: Field = "", form: Field = "", shop: Slug = "") -> Response:
    """Send a six-digit code; the answer is the same whoever the address belongs to."""

    def work(seen: Visit) -> Response:
        seen.check_form(form)
        seen.limit_guests()
        runtime = site.runtime
        with runtime.unit_of_work(seen.merchant.id) as session:
            shopper, token = seen.enter(session)
        try:
            address = codes.limit_asking(runtime, shopper, email)
            with runtime.unit_of_work(seen.merchant.id) as session:
                codes.ask(session, runtime, shopper, address)
            answer = _page(seen, step="code", email=address)
        except DomainError as error:
            said = seen.wording.problem(error.code, error.message)
            answer = _page(seen, said=said, status=STATUS[error.kind], email=email)
        seen.keep(answer, token)
        return answer

    return _attempt(request, site, shop, work)


@router.post("/sign-in")
def sign_in(
    request: Request, site: SiteDep, code: Field = "", email: Field = "", form: Field = "", shop: Slug = ""
) -> Response:
    """The code: this browser is the customer's from now on, under a new cookie; every older one opens nothing."""

    def work(seen: Visit) -> Response:
        seen.check_form(form)
        if seen.shopper is None:
            raise Unauthenticated(_ASK_FIRST)
        token, thread_id = _signed_in(seen, seen.shopper, email, code)
        if thread_id:
            site.wake(seen.merchant.id, thread_id)
        answer = go(seen.to("/account"))
        seen.keep(answer, token)
        return answer

    return _attempt(request, site, shop, work, step="code", email=email)


@router.post("/sign-out")
def sign_out(request: Request, site: SiteDep, everywhere: Field = "", form: Field = "", shop: Slug = "") -> Response:
    """End this browser's session, or those of all browsers of this customer."""

    def work(seen: Visit) -> Response:
        seen.check_form(form)
        if seen.shopper is not None:
            with site.runtime.unit_of_work(seen.merchant.id) as session:
                (end_everywhere if everywhere else end_session)(session, seen.shopper)
        answer = go(seen.to("/account"))
        forget(request, answer, seen.merchant)
        return answer

    return _attempt(request, site, shop, work)


def _signed_in(seen: Visit, shopper: Identity, email: str, code: str) -> tuple[str, str | None]:
    """The new cookie's value, and the conversation that is told: it asks anew for what waits to be paid.

    Raises ``CodeWrong``, ``AlreadyKnown``, ``ContactInvalid``, ``RateLimited``.
    """
    runtime = seen.site.runtime
    code_id = codes.check(runtime, shopper, email, code)
    with runtime.unit_of_work(seen.merchant.id) as session:
        known = verifying.verify(session, shopper, code_id)
        return rotate_session(session, known), _tell(session, seen, known)


def _tell(session: Session, seen: Visit, known: Identity) -> str | None:
    thread = conversations.newest_thread(session, known)
    if thread is None:
        return None
    waiting = [card for card in asking.open_cards(session, known, thread.id) if card.reason == events.CONFIRMATION]
    for name in (ActionName.SIGNED_IN, *([ActionName.REQUEST_CONFIRMATION] if waiting else ())):
        told = RunInput(action=Action(name=name), language=seen.wording.language)
        conversations.submit(session, known, thread.id, told, channel="web")
    return thread.id


def _attempt(request: Request, site: Site, slug: str, work: Callable[[Visit], Response], **page: Any) -> Response:
    """Do what a form asks; what is refused is said on the form."""
    seen: Visit | None = None
    try:
        seen = visit(site, request, slug)
        return work(seen)
    except DomainError as error:
        if seen is None:
            return closed(request, error)
        status = STATUS[error.kind]
        if status in {403, 404}:
            return seen.refused(error)
        return _page(seen, said=seen.wording.problem(error.code, error.message), status=status, **page)


def _page(
    seen: Visit, *, step: str = "email", email: str = "", said: str = "", status: int = 200, cursor: str = ""
) -> Response:
    kept, token = seen.give_form()
    shopper, person, orders = seen.shopper, "", None
    if shopper is not None:
        with seen.site.runtime.unit_of_work(seen.merchant.id) as session:
            profile = customers.profile(session, shopper)
            person = profile.email if profile else ""
            orders = queries.own_orders(session, shopper, limit=_ORDERS, cursor=cursor or None)
    answer = seen.page(
        "site/account.html",
        status=status,
        person=person,
        orders=orders,
        step=step,
        email=email,
        said=said,
        form=token,
        outbox=seen.site.runtime.demo and seen.merchant.demo,
        state=seen.wording.state,
        price=lambda total: money(total.amount, total.currency, seen.locale),
    )
    answer.headers.update(PRIVATE)
    seen.keep_form(answer, kept)
    return answer
