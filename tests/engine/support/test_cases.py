"""A case from the hand-off to the end: who has it, what the shopper sees, and the clock."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from engine.conversations import complaining, handoff
from engine.jobs import close_old_cases, tell_late_cases
from engine.kit import clock
from engine.kit.audit import AuditRow
from engine.kit.errors import InvalidInput, NotFound
from engine.kit.state_machine import IllegalTransition
from engine.payments.models import Alert
from engine.support import cases, macros, queries, queue
from engine.support import desk as acts
from engine.support.errors import CaseOver, CaseTaken, MacroBroken, MacroNameTaken, NoConversation, NothingWaits
from engine.support.models import Case, CaseNote, CaseStatus, Priority
from engine.support.queries import CaseFilter
from tests.engine.support.conftest import Desk, Waiting, staff

HOUR = timedelta(hours=1)


def near(moment, wanted) -> bool:
    return abs(moment - wanted) < timedelta(seconds=30)


def test_a_handoff_opens_one_case_and_the_shopper_knows_its_number(desk: Desk) -> None:
    waiting = desk.waiting(reason="complaint", summary="Broken zip.\nWants money back.")
    with desk.shop.uow() as session:
        again = handoff.request(session, waiting.shopper, waiting.thread_id, reason="other", summary="Again")
    case = waiting.case

    assert (case.number, again.reference) == (waiting.thread.handoff["reference"], case.number)
    assert (case.status, case.priority, case.assignee) == (CaseStatus.OPEN, Priority.HIGH, None)
    assert (case.subject, case.reason, case.shopper_id) == ("Broken zip.", "complaint", waiting.shopper.id)
    assert near(case.due_at, clock.now() + HOUR)
    assert near(case.resolution_due_at, clock.now() + 8 * HOUR)
    with desk.shop.uow() as session:
        assert session.scalar(select(func.count()).select_from(Case)) == 1


def test_a_person_who_came_for_a_complaint_can_be_asked_for(desk: Desk) -> None:
    shopper, thread_id = desk.conversation()
    waiting = Waiting(desk, shopper, thread_id)
    with desk.shop.uow() as session:
        complaining.complain(session, shopper, thread_id, words="The pole broke.")
    case_id = waiting.case.id
    with desk.shop.uow() as session:
        desk_assign(session, desk, case_id, "ann", None)
    with desk.shop.uow() as session, pytest.raises(NotFound):
        handoff.current(session, shopper, thread_id)
    with desk.shop.uow() as session:
        asked = handoff.request(session, shopper, thread_id, reason="other", summary="Is anybody there?")
        assert handoff.current(session, shopper, thread_id) == asked
    assert (asked.mode, asked.reference, waiting.case.id) == ("human", waiting.case.number, case_id)
    assert (waiting.thread.human, waiting.case.assignee) == ("ann", "ann")


def test_taking_it_makes_the_conversation_a_persons_and_the_answer_reaches_the_shopper(desk: Desk) -> None:
    waiting = desk.waiting()
    case_id = waiting.case.id
    with desk.shop.uow() as session:
        desk_case = desk_assign(session, desk, case_id, "ann", None)
        assert desk_case.status == CaseStatus.WAITING_STAFF
    assert (waiting.thread.mode, waiting.thread.human) == ("human", "ann")
    with desk.shop.uow() as session:
        acts.note(session, desk.ann, case_id, "He is nice. Card 4242 4242 4242 4242")
        acts.reply(session, desk.ann, case_id, "Hello, I am looking into it. 4242424242424242")

    assert waiting.reads() == [("assistant", "Hello, I am looking into it. •••• 4242")]
    case = desk.case(case_id)
    assert (case.status, case.due_at) == (CaseStatus.WAITING_CUSTOMER, None)
    assert case.first_response_at is not None
    with desk.shop.uow() as session:
        view = queries.case(session, desk.bob, case.number)
        assert [(one.author, one.text) for one in view.notes or ()] == [("ann", "He is nice. Card •••• 4242")]


def desk_assign(session, desk: Desk, case_id: str, who: str | None, expected: str | None) -> Case:

    return acts.assign(session, desk.ann, case_id, who, expected=expected)


def test_only_who_looked_at_the_present_case_may_give_it_away(desk: Desk) -> None:
    case_id = desk.waiting().case.id
    with desk.shop.uow() as session:
        desk_assign(session, desk, case_id, "bob", None)
    with pytest.raises(CaseTaken, match="with bob"), desk.shop.uow() as session:
        desk_assign(session, desk, case_id, "ann", None)
    with pytest.raises(InvalidInput), desk.shop.uow() as session:
        desk_assign(session, desk, case_id, "eve", "bob")
    assert (desk.case(case_id).assignee, desk.case(case_id).version) == ("bob", 2)

    with desk.shop.uow() as session:
        desk_assign(session, desk, case_id, None, "bob")
    assert (desk.case(case_id).status, desk.case(case_id).assignee) == (CaseStatus.OPEN, None)


def test_an_answer_from_somebody_else_is_refused(desk: Desk) -> None:
    waiting = desk.waiting()
    with desk.shop.uow() as session:
        desk_assign(session, desk, waiting.case.id, "bob", None)
    with pytest.raises(CaseTaken), desk.shop.uow() as session:
        reply(session, desk.ann, waiting.case.id, "Me!")
    assert waiting.reads() == []


def reply(session, who, case_id: str, text: str) -> Case:

    return acts.reply(session, who, case_id, text)


def resolve(session, who, case_id: str, then="agents", text: str | None = None) -> Case:

    return acts.resolve(session, who, case_id, then=then, text=text)


def test_the_clock_stands_still_while_the_shopper_is_asked(desk: Desk) -> None:
    waiting = desk.waiting()
    with desk.shop.uow() as session:
        reply(session, desk.ann, waiting.case.id, "Which one?")
    due = waiting.case.resolution_due_at
    with clock.shifted(5 * HOUR):
        waiting.writes("The red one")
        case = waiting.case
        assert (case.status, case.assignee) == (CaseStatus.WAITING_STAFF, "ann")
        assert near(case.resolution_due_at, due + 5 * HOUR)
        assert case.due_at == case.resolution_due_at


def test_resolved_gives_the_conversation_back_and_a_word_brings_the_case_back(desk: Desk) -> None:
    desk.rule(reopen_on="message")
    waiting = desk.waiting()
    with desk.shop.uow() as session:
        reply(session, desk.ann, waiting.case.id, "Done.")
        resolve(session, desk.ann, waiting.case.id, text="All good now.")
    assert (waiting.thread.mode, waiting.thread.human) == ("agent", None)
    assert waiting.case.status == CaseStatus.RESOLVED
    assert [words for _, words in waiting.reads()] == ["Done.", "All good now."]

    with clock.shifted(timedelta(days=6)):
        waiting.writes("It broke again")
        case = waiting.case
        assert (case.status, case.assignee, case.reopened) == (CaseStatus.WAITING_STAFF, "ann", 1)
        assert near(case.due_at, clock.now() + 4 * HOUR)
        assert waiting.thread.mode == "agent"


def test_only_asking_for_a_person_brings_it_back(desk: Desk) -> None:
    waiting = desk.waiting()
    number = waiting.case.number
    with desk.shop.uow() as session:
        reply(session, desk.ann, waiting.case.id, "Done.")
        resolve(session, desk.ann, waiting.case.id)
    waiting.writes("Show me tents")
    assert waiting.case.status == CaseStatus.RESOLVED

    with desk.shop.uow() as session:
        view = handoff.request(session, waiting.shopper, waiting.thread_id, reason="other", summary="Again")
    assert (view.reference, view.mode) == (number, "human")
    assert (waiting.case.status, waiting.case.reopened, waiting.thread.human) == (CaseStatus.WAITING_STAFF, 1, "ann")


def test_what_was_resolved_long_ago_is_closed_and_the_next_is_a_new_case(desk: Desk) -> None:
    waiting = desk.waiting()
    old = waiting.case.id
    with desk.shop.uow() as session:
        resolve(session, desk.ann, old)
    with clock.shifted(timedelta(days=8)):
        waiting.writes("Hello again")
        assert desk.case(old).status == CaseStatus.RESOLVED
        close_old_cases(desk.shop.runtime, desk.shop.tenant.id)
        assert desk.case(old).status == CaseStatus.CLOSED
        with pytest.raises(CaseOver), desk.shop.uow() as session:
            reopen(session, desk, old)
        with desk.shop.uow() as session:
            handoff.request(session, waiting.shopper, waiting.thread_id, reason="other", summary="New")
    assert waiting.case.id != old
    assert (waiting.case.status, waiting.case.reopened) == (CaseStatus.OPEN, 0)


def reopen(session, desk: Desk, case_id: str) -> Case:

    return acts.reopen(session, desk.ann, case_id)


def test_closed_for_good_is_not_reopened_by_a_word(desk: Desk) -> None:
    waiting = desk.waiting()
    with desk.shop.uow() as session:
        resolve(session, desk.ann, waiting.case.id, then="close")
    waiting.writes()
    assert (waiting.case.status, waiting.thread.mode) == (CaseStatus.CLOSED, "agent")
    with pytest.raises(IllegalTransition), desk.shop.uow() as session:
        resolve(session, desk.ann, waiting.case.id)


def test_reopened_by_staff_it_is_theirs_again(desk: Desk) -> None:
    waiting = desk.waiting()
    with desk.shop.uow() as session:
        reply(session, desk.ann, waiting.case.id, "Done.")
        resolve(session, desk.ann, waiting.case.id)
        reopen(session, desk, waiting.case.id)
    assert (waiting.case.status, waiting.thread.mode, waiting.thread.human) == ("waiting_staff", "human", "ann")


def test_what_is_more_urgent_is_due_sooner(desk: Desk) -> None:
    waiting = desk.waiting()
    before = waiting.case
    with desk.shop.uow() as session:
        acts.set_priority(session, desk.ann, before.id, Priority.URGENT)
    after = waiting.case
    assert (after.priority, after.rank) == (Priority.URGENT, 0)
    assert before.due_at - after.due_at == timedelta(minutes=210)
    assert before.resolution_due_at - after.resolution_due_at == timedelta(minutes=1200)


def test_late_is_told_once_and_taken_back_by_the_answer(desk: Desk) -> None:
    waiting = desk.waiting()
    tenant_id = desk.shop.tenant.id
    tell_late_cases(desk.shop.runtime, tenant_id)
    assert open_alerts(desk) == []
    with clock.shifted(5 * HOUR):
        for _ in range(2):
            tell_late_cases(desk.shop.runtime, tenant_id)
        assert open_alerts(desk) == ["case_answer_late"]
        with desk.shop.uow() as session:
            reply(session, desk.ann, waiting.case.id, "Sorry!")
        assert open_alerts(desk) == []
        waiting.writes()
    with clock.shifted(40 * HOUR):
        tell_late_cases(desk.shop.runtime, tenant_id)
        assert open_alerts(desk) == ["case_solution_late"]
        with desk.shop.uow() as session:
            resolve(session, desk.ann, waiting.case.id)
        assert open_alerts(desk) == []
    with desk.shop.uow() as session:
        assert session.scalar(select(func.count()).select_from(AuditRow).where(AuditRow.action == "case.late")) == 2


def open_alerts(desk: Desk) -> list[str]:
    with desk.shop.uow() as session:
        return list(session.scalars(select(Alert.kind).where(Alert.resolved_at.is_(None))))


def test_the_queue_is_what_is_due_first_then_what_is_more_urgent(desk: Desk) -> None:
    late, urgent, complaint, normal = (
        desk.waiting(reason=reason).case.id for reason in ("other", "other", "complaint", "other")
    )
    with desk.shop.uow() as session:
        acts.set_priority(session, desk.ann, urgent, Priority.URGENT)
        due = session.get_one(Case, (desk.shop.tenant.id, complaint)).due_at
        session.get_one(Case, (desk.shop.tenant.id, normal)).due_at = due
    seen, cursor = [], None
    while True:
        with desk.shop.uow() as session:
            page = queries.cases(session, desk.ann, wanted=CaseFilter(queue=True), limit=1, cursor=cursor)
        seen += [one.id for one in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == [urgent, complaint, normal, late]


def test_everybody_who_asks_at_once_gets_another_case(desk: Desk) -> None:
    wanted = {desk.waiting().case.id for _ in range(12)}
    got: list[str] = []
    gate = threading.Barrier(12)

    def ask(number: int) -> None:
        who = staff(desk.shop.tenant, f"person-{number}")
        gate.wait()
        with desk.shop.uow() as session:
            got.append(queue.claim_next(session, who).id)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(got) == sorted(wanted)
    with pytest.raises(NothingWaits), desk.shop.uow() as session:
        queue.claim_next(session, desk.ann)


def test_a_case_whose_conversation_is_busy_is_passed_over(desk: Desk) -> None:
    first, second = desk.waiting(), desk.waiting()
    with desk.shop.uow() as busy:
        from engine.conversations.models import Thread

        busy.get_one(Thread, (desk.shop.tenant.id, first.thread_id), with_for_update=True)
        with desk.shop.uow() as session:
            assert queue.claim_next(session, desk.ann).id == second.case.id


def test_macros_say_what_a_case_knows_and_nothing_is_run(desk: Desk) -> None:
    with desk.shop.uow() as session:
        macro = macros.create(session, desk.ann, name="Hello", body="Case {{case.number}} at {{ shop.name }}.")
        case = cases.open_by_hand(session, desk.ann, subject="{{shop.name}} {{7*7}}", summary="")
        said = macros.create(session, desk.ann, name="Subject", body="About {{ case.subject }}")
        late = macros.create(session, desk.ann, name="Order", body="{{order.number}}")
        assert macros.render(session, macro, case) == f"Case {case.number} at Test Shop."
        assert macros.render(session, said, case) == "About {{shop.name}} {{7*7}}"
        with pytest.raises(MacroBroken, match=r"no order\.number"):
            macros.render(session, late, case)
        with pytest.raises(NoConversation):
            reply(session, desk.ann, case.id, "Hello")


@pytest.mark.parametrize(
    "body", ["{{ 7*7 }}", "{{ case.__class__ }}", "{% for x in y %}", "{{ case.number", "}}", "{{{{shop.name}}}}"]
)
def test_a_macro_that_names_what_there_is_not_is_refused(desk: Desk, body: str) -> None:
    with pytest.raises(MacroBroken), desk.shop.uow() as session:
        macros.create(session, desk.ann, name="Bad", body=body)


def test_macros_have_names_of_their_own(desk: Desk) -> None:
    with desk.shop.uow() as session:
        one = macros.create(session, desk.ann, name="One", body="1")
        two = macros.create(session, desk.ann, name="Two", body="2")
        with pytest.raises(MacroNameTaken):
            macros.change(session, desk.ann, two.id, name="One", body=None)
        macros.change(session, desk.ann, one.id, name=None, body="1!")
        macros.delete(session, desk.ann, two.id)
        page = queries.macros(session, desk.ann, limit=10, cursor=None)
        assert [(row.name, row.body, row.version) for row in page.items] == [("One", "1!", 2)]
        with pytest.raises(NotFound):
            macros.find(session, desk.shop.tenant.id, two.id)


def test_notes_stay_as_they_were_written(desk: Desk) -> None:
    from sqlalchemy.exc import ProgrammingError

    case_id = desk.waiting().case.id
    with desk.shop.uow() as session:
        acts.note(session, desk.ann, case_id, "First")
    with pytest.raises(ProgrammingError, match="permission denied"), desk.shop.uow() as session:
        session.scalars(select(CaseNote)).one().author = "bob"
