"""The five operations on a checkout session, as REST and the MCP binding share them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from sqlalchemy.orm import Session

from app.protocols.acp import render
from app.protocols.acp.errors import AcpError
from app.protocols.acp.kernel import Asked, AskedDep, Body, Reply, acp_router, plain, remembering
from app.protocols.acp.once import Known, Point, Unfinished, at_once, once, staged, with_work
from app.protocols.acp.openapi import described
from app.protocols.acp.requests import CancelRequest, CompleteRequest, CreateRequest, UpdateRequest
from engine.agentic import paying, quick, quick_paying, sessions
from engine.agentic.errors import SessionClosed
from engine.agentic.order_shape import Shop
from engine.agentic.paying import Attempt, Looked
from engine.agentic.quick_paying import Agreed
from engine.agentic.seen import Door, Seen
from engine.checkout import taxing
from engine.checkout.models import SessionStatus
from engine.checkout.settlement import Rows
from engine.kit import idempotency
from engine.kit.direct import Ask
from engine.kit.ids import new_id
from engine.kit.policies import read_policy
from engine.tax.policy import TaxPolicy

router: Final = acp_router("acp")
_ONE: Final = "/checkout_sessions/{session_id}"


@router.post("/checkout_sessions", **described("CheckoutSessionCreateRequest", "CheckoutSession", status=201))
@remembering
def create(asked: AskedDep) -> Reply:
    """Open a checkout session."""

    def draw() -> tuple[Body, Sequence[Ask]]:
        done = quick.create(asked.runtime, asked.identity, asked.read(CreateRequest).opening(), asked.first)
        return told(asked, done.seen), done.asks

    def work(session: Any) -> Body | Point:
        opening = asked.read(CreateRequest).opening()
        return _worked(asked, sessions.create(session, door(asked), asked.identity, opening))

    return at_once(asked, draw, status=201) or once(asked, work, status=201, go_on=lambda facts: _taxed(asked, facts))


@router.get(_ONE, **described(None, "CheckoutSession"))
def get(asked: AskedDep) -> Reply:
    """The session as it is."""
    with asked.runtime.unit_of_work(asked.tenant_id) as session:
        seen = sessions.get(session, door(asked), asked.identity, asked.ids["session_id"])
        return plain(asked, told(asked, seen))


@router.post(_ONE, **described("CheckoutSessionUpdateRequest", "CheckoutSession"))
@remembering
def update(asked: AskedDep) -> Reply:
    """Change what is said in the session."""

    def draw() -> tuple[Body, Sequence[Ask]]:
        wish = asked.read(UpdateRequest).wish()
        done = quick.update(asked.runtime, asked.identity, asked.ids["session_id"], wish, asked.first)
        return told(asked, done.seen), done.asks

    def work(session: Any) -> Body | Point:
        wish = asked.read(UpdateRequest).wish()
        return _worked(asked, sessions.update(session, door(asked), asked.identity, asked.ids["session_id"], wish))

    return at_once(asked, draw) or once(asked, work, go_on=lambda facts: _taxed(asked, facts))


@router.post(f"{_ONE}/cancel", **described("CancelSessionRequest", "CheckoutSession", body_needed=False))
def cancel(asked: AskedDep) -> Reply:
    """Drop the session; one that has ended is not canceled (405)."""

    def work(session: Any) -> Body:
        given = CancelRequest() if asked.body is None else asked.read(CancelRequest)
        intent = given.intent_trace.known() if given.intent_trace else None
        try:
            seen = sessions.cancel(session, door(asked), asked.identity, asked.ids["session_id"], intent=intent)
        except SessionClosed as closed:
            raise AcpError(405, closed.code, closed.message, headers={"Allow": "GET"}) from None
        return told(asked, seen)

    return once(asked, work)


@router.post(f"{_ONE}/complete", **described("CheckoutSessionCompleteRequest", "CheckoutSession"))
@remembering
def complete(asked: AskedDep) -> Reply:
    """Pay for the session by a delegated token."""
    session_id, at = asked.ids["session_id"], door(asked)
    agreed: Attempt | None = None
    at_once: Agreed | None = None

    def quickly() -> Body:
        payment = asked.read(CompleteRequest).payment()
        nonlocal at_once
        found = quick_paying.find(asked.runtime, asked.identity, session_id, payment, asked.first)
        looked = paying.look(at, asked.identity, session_id, payment, demo=asked.merchant.demo)
        point = {"consent": new_id("consent")}
        kept = idempotency.point_with(asked.tenant_id, asked.claim, point)
        who = asked.identity
        consent_id = point["consent"]
        at_once = quick_paying.agree(asked.runtime, who, found, payment, looked, point=kept, consent_id=consent_id)
        return point

    def look() -> Looked | None:
        payment = asked.read(CompleteRequest).payment()
        _ask_taxes(asked, session_id)
        return paying.look(at, asked.identity, session_id, payment, demo=asked.merchant.demo)

    def begin(session: Any, looked: Looked | None) -> Point | Body:
        payment = asked.read(CompleteRequest).payment()
        nonlocal agreed
        attempt = agreed = paying.attempt(session, at, asked.identity, session_id, payment, looked)
        return Point({"consent": attempt.consent_id}) if attempt.consent_id else told(asked, attempt.seen)

    def go_on(facts: Body) -> Known | Callable[[Session], Body | Unfinished]:
        if at_once is not None:
            agreement = at_once
            kept: list[Body] = []

            def answer(rows: Rows) -> Ask:
                kept[:] = [told(asked, quick_paying.placed_as(agreement, rows, home_of(asked)))]
                return with_work(asked, kept[0])

            done = quick_paying.pay(asked.runtime, asked.identity, agreement, answer=answer)
            if done.answered:
                return Known(kept[0])
            ending = paying.ending(at, asked.identity, session_id, done)
        else:
            ending = paying.go_on(at, asked.identity, session_id, facts["consent"], agreed=agreed)

        def draw(session: Session) -> Body | Unfinished:
            seen = ending(session)
            body = told(asked, seen)
            return Unfinished(body) if seen.status == SessionStatus.IN_PROGRESS else body

        return draw

    return staged(asked, look, begin, go_on, quick=quickly)


def _worked(asked: Asked, seen: Seen) -> Body | Point:
    """The answer; where somebody else's tax engine has to be asked first, where to go on from."""
    return told(asked, seen) if seen.asks is None else Point({"session": seen.checkout.id})


def _taxed(asked: Asked, facts: Body) -> Callable[[Session], Body | Unfinished]:
    taxing.ask(asked.runtime, asked.tenant_id, facts["session"])
    return lambda session: told(asked, sessions.taxed(session, door(asked), asked.identity, facts["session"]))


def _ask_taxes(asked: Asked, session_id: str) -> None:
    """Before it is paid: what was answered may have lapsed. A shop with taxes of its own has nobody to ask."""
    if not read_policy(dict(asked.merchant.settings), TaxPolicy).elsewhere:
        return
    with asked.runtime.unit_of_work(asked.tenant_id) as session:
        seen = sessions.get(session, door(asked), asked.identity, session_id)
    if seen.asks is not None:
        taxing.ask_about(asked.runtime, asked.tenant_id, session_id, seen.asks)


def door(asked: Asked) -> Door:
    """Where the shop is reached: an address of its own, else ours."""
    return Door(asked.runtime, origin_of(asked))


def origin_of(asked: Asked) -> str:
    """Scheme and host of the shop's pages."""
    host = asked.merchant.host
    return f"https://{host}" if host else asked.site.web_origin


def home_of(asked: Asked) -> Shop:
    """Where anybody finds the shop's pages and pictures: a shop without a host of its own is named in each address."""
    slug = "" if asked.merchant.host else asked.merchant.slug
    return Shop(origin_of(asked), slug, asked.merchant.settings)


def told(asked: Asked, seen: Seen) -> Body:
    """The session in the protocol's words."""
    gateway = paying.gateway_for(asked.runtime, demo=seen.shop.demo)
    return render.session(seen, shop=home_of(asked), gateway=gateway)
