"""What staff do with a case: take it, answer, note, resolve. A conversation is locked before its case, always."""

from __future__ import annotations

from typing import Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.conversations import events, log
from engine.conversations.masking import mask_cards
from engine.conversations.models import Mode, Thread
from engine.kit import clock, people
from engine.kit.errors import InvalidInput, NotFound
from engine.kit.identity import Identity
from engine.kit.ids import new_id
from engine.kit.policies import policy_of
from engine.payments.alerts import resolve_alert
from engine.support import cases, returned, sla
from engine.support.errors import CaseOver, CaseTaken, NoConversation
from engine.support.models import Case, CaseNote, CaseStatus, Priority
from engine.support.policy import SupportPolicy
from engine.support.states import LIVE
from engine.support.watch import LATE_ANSWER, LATE_SOLUTION


def assign(session: Session, identity: Identity, case_id: str, assignee: str | None, *, expected: str | None) -> Case:
    """Give a case to a person, or to nobody, if ``expected`` is who has it now. From then on that person answers in
    its conversation. To do again what is done already changes nothing.

    Raises ``CaseTaken`` when somebody else was faster, ``CaseOver``, ``InvalidInput`` for who is not of the shop's
    people, ``NotFound``.
    """
    case, thread = locked(session, identity.tenant_id, case_id)
    if case.assignee == assignee:
        return case
    if case.assignee != expected:
        raise CaseTaken(f"The case is {_words(case.assignee)} now.")
    if assignee is not None:
        _known(session, identity, assignee)
    hand_over(session, identity, case, thread, assignee)
    return case


def hand_over(session: Session, identity: Identity, case: Case, thread: Thread | None, assignee: str | None) -> None:
    """``assignee`` has the case from now on. The caller holds the locks. Raises ``CaseOver``."""
    if case.status not in LIVE:
        raise CaseOver(f"This case is {case.status}.")
    policy = policy_of(session, case.tenant_id, SupportPolicy)
    case.assignee = assignee
    waits = CaseStatus.WAITING_CUSTOMER if assignee and case.status == CaseStatus.WAITING_CUSTOMER else None
    to = waits or (CaseStatus.WAITING_STAFF if assignee else CaseStatus.OPEN)
    sla.move(case, to, policy)
    cases.touch(case)
    _set_mode(session, thread, cases.mode_of(case), case)
    _told(session, thread, "case.assigned", {"to": assignee, "by": identity.who})
    cases.record(session, case, identity.id, "case.assigned", {"to": _words_of(identity, assignee)})


def note(session: Session, identity: Identity, case_id: str, text: str) -> Case:
    """Write something down for the shop's people alone. Raises ``NotFound``."""
    case, thread = locked(session, identity.tenant_id, case_id)
    _note(session, identity, case, thread, text)
    cases.touch(case)
    return case


def _note(session: Session, identity: Identity, case: Case, thread: Thread | None, text: str) -> None:
    """The conversation's log has the note's place among what was said, for staff alone, and not its words."""
    row = CaseNote(
        tenant_id=case.tenant_id, id=new_id("note"), case_id=case.id, author=identity.who, text=mask_cards(text)
    )
    session.add(row)
    _told(session, thread, "case.note", {"id": row.id, "by": identity.who})
    cases.record(session, case, identity.id, "case.noted", {"note": row.id})


def reply(session: Session, identity: Identity, case_id: str, text: str) -> Case:
    """Answer the shopper in the case's conversation: then it is the shopper's turn. Who answers first takes the case.

    Raises ``CaseTaken`` when it is somebody else's, ``CaseOver``, ``NoConversation``, ``NotFound``.
    """
    case, thread = locked(session, identity.tenant_id, case_id)
    if case.status not in LIVE:
        raise CaseOver(f"This case is {case.status}: reopen it first.")
    if thread is None:
        raise NoConversation("This case has no conversation.")
    if case.assignee is None:
        hand_over(session, identity, case, thread, identity.who)
    elif case.assignee != identity.who:
        raise CaseTaken(f"The case is {_words(case.assignee)}: take it over first.")
    policy = policy_of(session, case.tenant_id, SupportPolicy)
    say(session, identity, case, thread, text)
    sla.answered(case)
    sla.move(case, CaseStatus.WAITING_CUSTOMER, policy)
    resolve_alert(session, case.tenant_id, LATE_ANSWER, case.id)
    cases.touch(case)
    cases.record(session, case, identity.id, "case.answered")
    return case


def resolve(
    session: Session,
    identity: Identity,
    case_id: str,
    *,
    then: Literal["agents", "close"],
    text: str | None = None,
    summary: str | None = None,
) -> Case:
    """The case is done, with last words to the shopper if there are any: the agents answer again, and go on from
    ``summary`` (kept as a note) and what was done. ``close`` lets nothing bring it back.

    Raises ``IllegalTransition``, ``NoConversation`` for words that nobody would read, ``NotFound``.
    """
    case, thread = locked(session, identity.tenant_id, case_id)
    policy = policy_of(session, case.tenant_id, SupportPolicy)
    if text is not None:
        if thread is None:
            raise NoConversation("This case has no conversation.")
        say(session, identity, case, thread, text)
        sla.answered(case)
    if summary is not None:
        _note(session, identity, case, thread, summary)
    if case.status != CaseStatus.RESOLVED or then != "close":
        sla.move(case, sla.checked(case, CaseStatus.RESOLVED), policy)
        case.resolved_at = clock.now()
        cases.record(session, case, identity.id, "case.resolved")
    for kind in (LATE_ANSWER, LATE_SOLUTION):
        resolve_alert(session, case.tenant_id, kind, case.id)
    if then == "close":
        cases.end(session, case, policy, actor=identity.id)
    cases.touch(case)
    if thread is not None:
        thread.handoff = returned.note(session, thread, case, summary=mask_cards(summary or ""))
    _told(session, thread, "case.resolved", {"by": identity.who, "then": then})
    _set_mode(session, thread, Mode.AGENT, case)
    return case


def reopen(session: Session, identity: Identity, case_id: str) -> Case:
    """Take a resolved case up again, for whoever had it. Raises ``CaseOver``, ``NotFound``."""
    case, thread = locked(session, identity.tenant_id, case_id)
    if case.status in LIVE:
        return case
    cases.wake(session, case, policy_of(session, case.tenant_id, SupportPolicy), actor=identity.id)
    _told(session, thread, "case.reopened", {"by": identity.who})
    _set_mode(session, thread, cases.mode_of(case), case)
    return case


def set_priority(session: Session, identity: Identity, case_id: str, priority: Priority) -> Case:
    """How urgent it is; what is due moves with it. Raises ``CaseOver``, ``NotFound``."""
    case, thread = locked(session, identity.tenant_id, case_id)
    if case.status not in LIVE:
        raise CaseOver(f"This case is {case.status}.")
    before = case.priority
    if before != priority:
        sla.set_priority(case, priority, policy_of(session, case.tenant_id, SupportPolicy))
        cases.touch(case)
        _told(session, thread, "case.priority", {"to": str(priority), "by": identity.who})
        cases.record(session, case, identity.id, "case.priority_set", {"from": str(before), "to": str(priority)})
    return case


def say(session: Session, identity: Identity, case: Case, thread: Thread, text: str) -> None:
    """Staff's words, for the shopper to read; who said them only staff see. Raises ``InvalidInput`` for none."""
    words = mask_cards(text).strip()
    if not words:
        raise InvalidInput("The message is empty.", param="text")
    message_id = events.new_message_id()
    spoke = events.staff_note("case.spoke", {"message": message_id, "by": identity.who})
    message = events.text(message_id, "assistant", words, name=returned.SPEAKER)
    log.append(session, thread.tenant_id, thread.id, None, [spoke, *message])
    cases.spoken(session, case, words)


def locked(session: Session, tenant_id: str, case_id: str) -> tuple[Case, Thread | None]:
    """The case and its conversation, both locked and as they are now. Raises ``NotFound``."""
    found = session.execute(select(Case.thread_id).where(Case.tenant_id == tenant_id, Case.id == case_id)).one_or_none()
    if found is None:
        raise NotFound("There is no such case.")
    thread = _thread(session, tenant_id, found.thread_id)
    case = session.get_one(Case, (tenant_id, case_id), with_for_update=True, populate_existing=True)
    return case, thread


def _thread(session: Session, tenant_id: str, thread_id: str | None) -> Thread | None:
    if thread_id is None:
        return None
    return session.get_one(Thread, (tenant_id, thread_id), with_for_update=True, populate_existing=True)


def _told(session: Session, thread: Thread | None, name: str, value: dict[str, str | None]) -> None:
    """What happened to a case, told in its conversation to staff alone."""
    if thread is not None:
        session.flush()
        log.append(session, thread.tenant_id, thread.id, None, [events.staff_note(name, dict(value))])


def _set_mode(session: Session, thread: Thread | None, mode: Mode, case: Case) -> None:
    """Who answers in the conversation; a change is told there."""
    if thread is None:
        return
    thread.human = case.assignee if mode == Mode.HUMAN else None
    if thread.mode != mode:
        thread.mode = mode
        session.flush()
        log.append(session, thread.tenant_id, thread.id, None, [events.mode_changed(mode, case.number)])


def _known(session: Session, identity: Identity, who: str) -> None:
    if who != identity.who and not people.works_here(session, identity.tenant_id, who):
        raise InvalidInput("None of this shop's people goes by that name.", param="assignee")


def _words_of(identity: Identity, assignee: str | None) -> str:
    """For the audit, which names nobody."""
    return "nobody" if assignee is None else "self" if assignee == identity.who else "another"


def _words(assignee: str | None) -> str:
    return f"with {assignee}" if assignee else "with nobody"
