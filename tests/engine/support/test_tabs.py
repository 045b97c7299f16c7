"""The desk's tabs, their counts, their order, and what a case is found by."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import event, select, text

from engine.conversations import complaining, handoff, service
from engine.kit import clock
from engine.kit.errors import InvalidInput
from engine.support import desk as acts
from engine.support import queries
from engine.support.models import CaseWord
from engine.support.queries import CaseFilter
from tests.engine.orders.desk import buy
from tests.engine.support.conftest import Desk, Waiting, staff


def seen(desk: Desk, who=None, **wanted) -> list[str]:
    with desk.shop.uow() as session:
        page = queries.cases(session, who or desk.ann, wanted=CaseFilter(**wanted), limit=50, cursor=None)
    return [one.id for one in page.items]


def take(desk: Desk, waiting: Waiting, who) -> None:
    with desk.shop.uow() as session:
        acts.assign(session, who, waiting.case.id, who.who, expected=None)


def test_each_tab_has_its_cases_in_the_order_of_work(desk: Desk) -> None:
    slow, fast, mine, done, over = (desk.waiting(reason=r) for r in ("other", "complaint", "other", "other", "other"))
    take(desk, mine, desk.ann)
    with desk.shop.uow() as session:
        acts.reply(session, desk.ann, mine.case.id, "One moment")
        acts.resolve(session, desk.bob, done.case.id, then="agents")
        acts.resolve(session, desk.bob, over.case.id, then="close")

    assert seen(desk, view="waiting") == [fast.case.id, slow.case.id]
    assert seen(desk, view="mine") == [mine.case.id]
    assert seen(desk, who=desk.bob, view="mine") == []
    assert set(seen(desk, view="all")) == {slow.case.id, fast.case.id, mine.case.id, done.case.id}
    with desk.shop.uow() as session:
        assert queries.counts(session, desk.ann).model_dump() == {
            "waiting": 2,
            "mine": 1,
            "all": 4,
            "unowned": 2,
            "late": 0,
        }
    with clock.shifted(timedelta(days=9)), desk.shop.uow() as session:
        assert queries.counts(session, desk.ann).late == 2
    with pytest.raises(InvalidInput), desk.shop.uow() as session:
        queries.cases(session, desk.ann, wanted=CaseFilter(view="nonsense"), limit=5, cursor=None)


@pytest.mark.parametrize("wanted", [{"view": "waiting"}, {"view": "mine"}, {"view": "all"}, {"q": "zip"}])
def test_pages_go_on_where_the_last_ended(desk: Desk, wanted: dict[str, str]) -> None:
    made = [desk.waiting() for _ in range(5)]
    for one in made:
        take(desk, one, desk.ann)
    found, cursor = [], None
    for _ in range(3):
        with desk.shop.uow() as session:
            page = queries.cases(session, desk.ann, wanted=CaseFilter(**wanted), limit=2, cursor=cursor)
        found += [one.id for one in page.items]
        cursor = page.next_cursor
    assert cursor is None
    assert (len(found), set(found)) == (5, {one.case.id for one in made})


def test_one_statement_for_a_page_and_one_for_the_counts(desk: Desk) -> None:
    for _ in range(4):
        desk.waiting()
    asked: list[str] = []
    with desk.shop.uow() as session:
        connection = session.connection()
        event.listen(connection, "before_cursor_execute", lambda *given: asked.append(given[2]))
        queries.cases(session, desk.ann, wanted=CaseFilter(view="waiting"), limit=50, cursor=None)
        queries.counts(session, desk.ann)
    assert len(asked) == 2


def test_a_case_is_found_by_number_name_order_and_words(desk: Desk) -> None:
    desk.shop.add("TENT")
    order = buy(desk.shop, "TENT")
    shopper = order.buyer
    with desk.shop.uow() as session:
        thread_id = service.create_thread(session, shopper).id
    waiting = Waiting(desk, shopper, thread_id)
    waiting.writes("El toldo está roto, peacock-blue")
    with desk.shop.uow() as session:
        handoff.request(session, shopper, thread_id, reason="other", summary="A shopper's awning")
    waiting.writes("It smells of gasoline too")
    desk.waiting(summary="Something else entirely")
    case, number = waiting.case, order.look().number

    assert case.shopper_name == "Ada Buyer"
    for q in (case.number, case.number[2:].lower(), "ada buy", "ada@example.com", "ADA@exam", number, "está", "esta",
              "peacock", "blue", "gasol awning", "gasoline"):  # fmt: skip
        assert seen(desk, q=q) == [case.id], q
    for q in ("gasoline elsewhere", "asoline", "zzz"):
        assert seen(desk, q=q) == [], q
    with pytest.raises(InvalidInput), desk.shop.uow() as session:
        queries.cases(session, desk.ann, wanted=CaseFilter(q=" !? "), limit=5, cursor=None)


def test_an_order_placed_since_leads_to_its_shoppers_case(desk: Desk) -> None:
    desk.shop.add("TENT")
    order = buy(desk.shop, "TENT")
    waiting = desk.waiting()
    with desk.shop.uow() as session:
        session.execute(text("UPDATE app.cases SET shopper_id = :one"), {"one": order.buyer.id})
    assert seen(desk, q=order.look().number) == [waiting.case.id]


def test_what_is_looked_for_is_a_range_of_an_index(desk: Desk) -> None:
    """Also for the runtime role, behind row-level security."""
    desk.waiting()
    query = """EXPLAIN SELECT case_id FROM app.case_words
        WHERE tenant_id = :tenant AND word >= 'gas' AND word < 'gat' ORDER BY word"""
    with desk.shop.uow() as session:
        for other in ("seqscan", "bitmapscan", "sort"):  # of few rows any plan is as good
            session.execute(text(f"SET LOCAL enable_{other} = off"))
        plan = "\n".join(session.execute(text(query), {"tenant": desk.shop.tenant.id}).scalars())
    assert "pk_case_words" in plan
    assert "Index Cond" in plan
    assert ">= 'gas'" in plan.split("Index Cond")[1].split("\n")[0]


def test_a_complaint_is_heard_while_the_agents_go_on_and_after_somebody_took_it(desk: Desk) -> None:
    shopper, thread_id = desk.conversation()
    waiting = Waiting(desk, shopper, thread_id)
    with desk.shop.uow() as session:
        complaining.complain(session, shopper, thread_id, words="The pole broke.")
    waiting.writes("And it was awful, useless rubbish")
    assert (waiting.thread.mode, waiting.case.sentiment) == ("agent", "angry")
    with desk.shop.uow() as session:
        acts.reply(session, desk.ann, waiting.case.id, "I am sorry")
    assert (waiting.case.status, waiting.case.last_words, waiting.case.last_speaker) == (
        "waiting_customer", "I am sorry", "shop",
    )  # fmt: skip
    assert waiting.case.waits_since is None
    waiting.writes("Hello?")
    assert waiting.case.status == "waiting_staff"
    assert waiting.case.waits_since is not None


def test_words_of_one_shop_are_not_of_another(desk: Desk, make_tenant) -> None:
    desk.waiting(summary="Peculiarly")
    other = make_tenant()
    with desk.shop.runtime.unit_of_work(other.id) as session:
        assert session.scalars(select(CaseWord.word)).all() == []
        page = queries.cases(session, staff(other, "eve"), wanted=CaseFilter(q="peculiarly"), limit=5, cursor=None)
    assert page.items == []
