"""``/v1/staff/cases`` and ``/v1/staff/macros``: what the shop's people do for who waits for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator
from sqlalchemy.orm import Session

from app.identity import Caller
from app.once import Asked, AskedDep, answer_once
from app.routing import CallerDep, Guarded, SiteDep
from app.site import Site
from engine.kit.identity import Identity
from engine.support import cases, desk, glances, macros, queries, queue
from engine.support.glances import Doing
from engine.support.models import Case, Priority
from engine.support.schemas import CaseView, MacroView, Rendered

router: Final = APIRouter(prefix="/v1/staff", tags=["support"], route_class=Guarded)
Words = Annotated[str, Field(min_length=1, max_length=4_000)]
Who = Annotated[str, Field(min_length=1, max_length=80)]
Name = Annotated[str, Field(min_length=1, max_length=80, pattern=r"^\S(.*\S)?$")]
Id = Annotated[str, Field(min_length=1, max_length=40)]


class Given(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NewCase(Given):
    subject: Annotated[str, Field(min_length=1, max_length=120)]
    summary: Annotated[str, Field(max_length=2_000)] = ""
    priority: Priority = Priority.NORMAL
    order_id: Id | None = None


class Assignment(Given):
    assignee: Who | None
    """A person, ``me``, or null: nobody."""
    expected: Who | None
    """Who has it as far as the caller knows: refused when that is no longer so."""


class NewCaseNote(Given):
    text: Words


class Reply(Given):
    """Own words, or a macro's."""

    text: Words | None = None
    macro_id: Id | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Reply:
        if (self.text is None) == (self.macro_id is None):
            raise ValueError("give text or macro_id")
        return self


class Resolution(Given):
    then: Literal["agents", "close"] = "agents"
    """The agents answer again and the shopper may bring the case back, or nothing does."""
    text: Words | None = None
    """Last words to the shopper."""
    summary: Words | None = None
    """What was done, for the agents to go on from; kept as a note."""


class Presence(Given):
    doing: Doing


class NewPriority(Given):
    priority: Priority


class NewMacro(Given):
    name: Name
    body: Words


class MacroChange(Given):
    name: Name | None = None
    body: Words | None = None
    version: Annotated[int, Field(strict=True, ge=1)] | None = None
    """Which one is changed: refused when there is a later one. Without it, whatever there is."""


class OfCase(Given):
    case_id: Id


def _write(
    site: Site, caller: Caller, asked: Asked, work: Callable[[Session, Identity], BaseModel], *, status: int = 200
) -> Response:
    identity = caller.staff
    return answer_once(site.runtime, identity, asked, lambda session: work(session, identity), status=status)


def _act(site: Site, caller: Caller, asked: Asked, act: Callable[[Session, Identity], Case]) -> Response:
    """Do something with a case; the answer is the case as it is then, with its notes."""

    def work(session: Session, identity: Identity) -> CaseView:
        row = act(session, identity)
        session.flush()
        return queries.case(session, identity, row.id)

    return _write(site, caller, asked, work)


@router.post("/cases", status_code=201, responses={201: {"model": CaseView}}, response_class=Response)
def open_case(site: SiteDep, caller: CallerDep, asked: AskedDep, given: NewCase) -> Response:
    """Write a case down by hand."""

    def work(session: Session, identity: Identity) -> CaseView:
        row = cases.open_by_hand(session, identity, **given.model_dump())
        return queries.case(session, identity, row.id)

    return _write(site, caller, asked, work, status=201)


@router.post("/cases/next", responses={200: {"model": CaseView}}, response_class=Response)
def take_next(site: SiteDep, caller: CallerDep, asked: AskedDep) -> Response:
    """Take the case that is due first of those that nobody has. 409 ``queue_empty`` when there is none."""
    return _act(site, caller, asked, queue.claim_next)


@router.post("/cases/{case_id}/assign", responses={200: {"model": CaseView}}, response_class=Response)
def assign(case_id: str, site: SiteDep, caller: CallerDep, asked: AskedDep, given: Assignment) -> Response:
    """Give a case to a person, who answers in its conversation from then on. 409 ``case_taken`` when ``expected`` is
    not who has it.
    """

    def act(session: Session, identity: Identity) -> Case:
        names = {"me": identity.who}
        to = names.get(given.assignee or "", given.assignee)
        expected = names.get(given.expected or "", given.expected)
        return desk.assign(session, identity, case_id, to, expected=expected)

    return _act(site, caller, asked, act)


@router.post("/cases/{case_id}/notes", responses={200: {"model": CaseView}}, response_class=Response)
def add_case_note(case_id: str, site: SiteDep, caller: CallerDep, asked: AskedDep, given: NewCaseNote) -> Response:
    """Write something down for the shop's people; it is never changed, and never shown to the shopper."""
    return _act(site, caller, asked, lambda session, identity: desk.note(session, identity, case_id, given.text))


@router.post("/cases/{case_id}/reply", responses={200: {"model": CaseView}}, response_class=Response)
def reply(case_id: str, site: SiteDep, caller: CallerDep, asked: AskedDep, given: Reply) -> Response:
    """Answer the shopper in the conversation, in own words or a macro's. Who answers first takes the case."""

    def act(session: Session, identity: Identity) -> Case:
        text = given.text or ""
        if given.macro_id is not None:
            case, _ = desk.locked(session, identity.tenant_id, case_id)
            text = macros.render(session, macros.find(session, identity.tenant_id, given.macro_id), case)
        return desk.reply(session, identity, case_id, text)

    return _act(site, caller, asked, act)


@router.post("/cases/{case_id}/resolve", responses={200: {"model": CaseView}}, response_class=Response)
def resolve(case_id: str, site: SiteDep, caller: CallerDep, asked: AskedDep, given: Resolution) -> Response:
    """It is done: the agents have the conversation again."""
    return _act(
        site,
        caller,
        asked,
        lambda session, identity: desk.resolve(session, identity, case_id, **given.model_dump()),
    )


@router.post("/cases/{case_id}/reopen", responses={200: {"model": CaseView}}, response_class=Response)
def reopen(case_id: str, site: SiteDep, caller: CallerDep, asked: AskedDep) -> Response:
    """Take a resolved case up again."""
    return _act(site, caller, asked, lambda session, identity: desk.reopen(session, identity, case_id))


@router.post("/cases/{case_id}/priority", responses={200: {"model": CaseView}}, response_class=Response)
def set_priority(case_id: str, site: SiteDep, caller: CallerDep, asked: AskedDep, given: NewPriority) -> Response:
    """How urgent it is; what is due moves with it."""
    return _act(
        site, caller, asked, lambda session, identity: desk.set_priority(session, identity, case_id, given.priority)
    )


@router.post("/cases/{case_id}/presence", status_code=204, response_class=Response)
def presence(case_id: str, site: SiteDep, caller: CallerDep, given: Presence) -> Response:
    """Look at a case, write in it, or go: the others see it, and nothing of it is kept."""
    identity = caller.staff
    with site.runtime.unit_of_work(identity.tenant_id) as session:
        glances.note(session, identity, case_id, given.doing)
    return Response(status_code=204)


@router.post("/macros", status_code=201, responses={201: {"model": MacroView}}, response_class=Response)
def create_macro(site: SiteDep, caller: CallerDep, asked: AskedDep, given: NewMacro) -> Response:
    """A new macro; a name in double braces is replaced by what it stands for."""
    return _write(
        site,
        caller,
        asked,
        lambda session, identity: MacroView.of(macros.create(session, identity, name=given.name, body=given.body)),
        status=201,
    )


@router.patch("/macros/{macro_id}", responses={200: {"model": MacroView}}, response_class=Response)
def change_macro(macro_id: str, site: SiteDep, caller: CallerDep, asked: AskedDep, given: MacroChange) -> Response:
    """Another name, or other words; 409 ``macro_changed`` when ``version`` is not the one there is."""
    return _write(
        site,
        caller,
        asked,
        lambda session, identity: MacroView.of(macros.change(session, identity, macro_id, **given.model_dump())),
    )


@router.delete("/macros/{macro_id}", responses={200: {"model": MacroView}}, response_class=Response)
def delete_macro(macro_id: str, site: SiteDep, caller: CallerDep, asked: AskedDep) -> Response:
    """Take a macro away; answers with what it was."""
    return _write(
        site, caller, asked, lambda session, identity: MacroView.of(macros.delete(session, identity, macro_id))
    )


@router.post("/macros/{macro_id}/render", responses={200: {"model": Rendered}}, response_class=Response)
def render_macro(macro_id: str, site: SiteDep, caller: CallerDep, asked: AskedDep, given: OfCase) -> Response:
    """A macro's words for one case, said to nobody."""

    def work(session: Session, identity: Identity) -> Rendered:
        macro = macros.find(session, identity.tenant_id, macro_id)
        case, _ = desk.locked(session, identity.tenant_id, given.case_id)
        return Rendered(text=macros.render(session, macro, case))

    return _write(site, caller, asked, work)
