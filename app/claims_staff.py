"""``/v1/staff/claims/…``: what the shop's people do about a fault."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Final

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from app.once import Asked, AskedDep, answer_once
from app.routing import CallerDep, Guarded, SiteDep
from app.site import Site
from app.telling import tell_now
from engine.approvals.asking import Performed, perform
from engine.approvals.models import ApprovalKind
from engine.kit.identity import Identity
from engine.warranties import deciding, queries, resolving
from engine.warranties.models import ClaimStatus, Resolution
from engine.warranties.schemas import ClaimView, DecisionView

router: Final = APIRouter(prefix="/v1/staff/claims/{claim_id}", tags=["staff"], route_class=Guarded)
Words = Annotated[str, Field(min_length=1, max_length=500)]
Note = Annotated[str, Field(max_length=500)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Question(_Body):
    question: Words
    """Its shopper reads it."""


class Yes(_Body):
    offers: Annotated[list[Resolution], Field(min_length=1, max_length=3)]
    """What is done; with more than one the shopper chooses."""
    message: Note = ""
    """For the shopper."""
    note: Note = ""
    """For the shop's people alone."""
    comes_back: bool | None = None
    """Whether the unit is sent in first; without it the shop's rule says so."""


class No(_Body):
    message: Words
    """Why not: its shopper reads it."""
    note: Note = ""


class Said(_Body):
    message: Note = ""
    note: Note = ""


@router.post("/review", responses={200: {"model": ClaimView}}, response_class=Response)
def review(claim_id: str, site: SiteDep, caller: CallerDep, asked: AskedDep) -> Response:
    """Take it up; a denied claim once more."""
    identity = caller.staff
    return _do(
        site,
        identity,
        asked,
        claim_id,
        lambda session, found: deciding.review(session, identity.tenant_id, found, actor=identity.id),
    )


@router.post("/ask", responses={200: {"model": ClaimView}}, response_class=Response)
def ask(claim_id: str, given: Question, site: SiteDep, caller: CallerDep, asked: AskedDep) -> Response:
    """Ask its shopper something."""
    identity = caller.staff

    def act(session: Session, found: str) -> None:
        deciding.ask(session, identity.tenant_id, found, question=given.question, actor=identity.id)

    return _do(site, identity, asked, claim_id, act)


@router.post(
    "/approve", responses={200: {"model": DecisionView}, 202: {"model": DecisionView}}, response_class=Response
)
def approve(claim_id: str, given: Yes, site: SiteDep, caller: CallerDep, asked: AskedDep) -> Response:
    """Yes, and what is done about it. A refund above what one person may give waits for somebody else's yes (202)."""
    identity = caller.staff
    done: list[Performed] = []

    def work(session: Session) -> DecisionView:
        found = queries.find_claim(session, identity, claim_id).id
        args = {"claim_id": found} | given.model_dump()
        done.append(
            perform(session, site.runtime, identity, ApprovalKind.WARRANTY, args, reason=given.note or given.message)
        )
        session.flush()
        waits = done[0].approval
        return DecisionView(claim=queries.one_claim(session, identity, found), waits_for=waits.id if waits else None)

    def status(view: BaseModel) -> int:
        return 202 if isinstance(view, DecisionView) and view.waits_for else 200

    answer = answer_once(site.runtime, identity, asked, work, status=status)
    for one in done:
        one.after_commit(site.runtime, identity.tenant_id)
    tell_now(site.runtime, identity.tenant_id)
    return answer


@router.post("/deny", responses={200: {"model": ClaimView}}, response_class=Response)
def deny(claim_id: str, given: No, site: SiteDep, caller: CallerDep, asked: AskedDep) -> Response:
    """No, in words for the shopper."""
    identity = caller.staff

    def act(session: Session, found: str) -> None:
        deciding.deny(session, identity.tenant_id, found, message=given.message, note=given.note, actor=identity.id)

    return _do(site, identity, asked, claim_id, act)


@router.post("/receive", responses={200: {"model": ClaimView}}, response_class=Response)
def receive(claim_id: str, given: Said, site: SiteDep, caller: CallerDep, asked: AskedDep) -> Response:
    """The unit is here."""
    identity = caller.staff

    def act(session: Session, found: str) -> None:
        resolving.receive(session, identity.tenant_id, found, actor=identity.id, note=given.note)

    return _do(site, identity, asked, claim_id, act, carry_out=True)


@router.post("/resolve", responses={200: {"model": ClaimView}}, response_class=Response)
def resolve(claim_id: str, given: Said, site: SiteDep, caller: CallerDep, asked: AskedDep) -> Response:
    """A repaired unit goes back to its owner; what was decided and could not be done is tried again."""
    identity = caller.staff

    def act(session: Session, found: str) -> None:
        if queries.find_claim(session, identity, found).status != ClaimStatus.APPROVED:
            resolving.send_back(session, identity.tenant_id, found, actor=identity.id, message=given.message)

    return _do(site, identity, asked, claim_id, act, carry_out=True)


@router.post("/close", responses={200: {"model": ClaimView}}, response_class=Response)
def close(claim_id: str, given: Said, site: SiteDep, caller: CallerDep, asked: AskedDep) -> Response:
    """Nothing is left to do about it."""
    identity = caller.staff

    def act(session: Session, found: str) -> None:
        deciding.close(session, identity.tenant_id, found, message=given.message, actor=identity.id)

    return _do(site, identity, asked, claim_id, act)


def _do(
    site: Site,
    identity: Identity,
    asked: Asked,
    claim_id: str,
    act: Callable[[Session, str], object],
    *,
    carry_out: bool = False,
) -> Response:
    """One step, its answer kept with it. What is carried out by it is so within the same transaction; money goes out
    when it is committed.
    """
    made: list[str] = []

    def work(session: Session) -> ClaimView:
        found = queries.find_claim(session, identity, claim_id).id
        act(session, found)
        session.flush()
        if carry_out:
            made.extend(resolving.make_good(session, identity.tenant_id, found, actor=identity.id))
        return queries.one_claim(session, identity, found)

    answer = answer_once(site.runtime, identity, asked, work, status=200)
    resolving.send_money(site.runtime, identity.tenant_id, made)
    tell_now(site.runtime, identity.tenant_id)
    return answer
