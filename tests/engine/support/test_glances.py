"""Who looks at a case: seen by the shop's people, short-lived, and no name for the shopper."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from engine.conversations.models import Event
from engine.jobs import due_now, end_glances
from engine.kit import clock
from engine.kit.errors import NotFound
from engine.support import desk as acts
from engine.support import glances
from engine.support.glances import Doing
from engine.support.models import CaseGlance
from tests.engine.support.conftest import Desk, Waiting, staff


def look(desk: Desk, who, case_id: str, doing: Doing = Doing.HERE) -> None:
    with desk.shop.uow() as session:
        glances.note(session, who, case_id, doing)


def there(desk: Desk) -> list[tuple[str, bool]]:
    with desk.shop.uow() as session:
        return [(one.who, one.typing) for one in glances.present(session, desk.shop.tenant.id)]


def told(desk: Desk, waiting: Waiting) -> list[bool]:
    with desk.shop.uow() as session:
        query = select(Event.payload).where(Event.thread_id == waiting.thread_id).order_by(Event.seq)
        return [one["value"]["typing"] for one in session.scalars(query) if one.get("name") == "presence"]


def test_they_come_write_and_go(desk: Desk) -> None:
    case_id = desk.waiting().case.id
    look(desk, desk.ann, case_id)
    look(desk, desk.bob, case_id, Doing.TYPING)
    assert there(desk) == [("ann", False), ("bob", True)]
    with clock.shifted(glances.TYPES_FOR + timedelta(seconds=1)):
        assert there(desk) == [("ann", False), ("bob", False)]
    with clock.shifted(glances.SEEN_FOR + timedelta(seconds=1)):
        assert there(desk) == []
    look(desk, desk.bob, case_id, Doing.GONE)
    assert there(desk) == [("ann", False)]
    with clock.shifted(timedelta(hours=1)):
        look(desk, desk.bob, case_id)
        with desk.shop.uow() as session:
            assert session.scalar(select(func.count()).select_from(CaseGlance)) == 1


def test_the_shopper_learns_only_that_who_answers_writes(desk: Desk) -> None:
    waiting = desk.waiting()
    case_id = waiting.case.id
    look(desk, desk.bob, case_id, Doing.TYPING)
    assert told(desk, waiting) == []
    with desk.shop.uow() as session:
        acts.assign(session, desk.ann, case_id, "ann", expected=None)
    look(desk, desk.ann, case_id)
    for _ in range(3):
        look(desk, desk.ann, case_id, Doing.TYPING)
    look(desk, desk.bob, case_id, Doing.TYPING)
    look(desk, desk.ann, case_id)
    assert told(desk, waiting) == [True, False]


def test_who_leaves_without_a_word_is_gone_for_everybody(desk: Desk) -> None:
    waiting = desk.waiting()
    case_id = waiting.case.id
    with desk.shop.uow() as session:
        acts.assign(session, desk.ann, case_id, "ann", expected=None)
    look(desk, desk.ann, case_id, Doing.TYPING)
    look(desk, desk.bob, case_id)

    def ended(after: timedelta) -> int:
        with clock.shifted(after), desk.shop.uow() as session:
            return glances.end_old(session, desk.shop.tenant.id)

    assert ended(timedelta(seconds=1)) == 0
    assert told(desk, waiting) == [True]
    assert ended(glances.TYPES_FOR + timedelta(seconds=1)) == 1
    assert told(desk, waiting) == [True, False]
    assert there(desk) == [("ann", False), ("bob", False)]
    assert ended(glances.SEEN_FOR + timedelta(seconds=1)) == 2
    assert there(desk) == []
    assert told(desk, waiting) == [True, False]


def test_the_watch_sees_it_when_it_is_due(desk: Desk) -> None:
    look(desk, desk.ann, desk.waiting().case.id)
    assert end_glances not in due_now(desk.shop.runtime, desk.shop.tenant.id)
    with clock.shifted(glances.SEEN_FOR + timedelta(seconds=1)):
        assert end_glances in due_now(desk.shop.runtime, desk.shop.tenant.id)


def test_a_case_of_another_shop_is_not_there(desk: Desk, make_tenant) -> None:
    case_id = desk.waiting().case.id
    other = make_tenant()
    with pytest.raises(NotFound), desk.shop.runtime.unit_of_work(other.id) as session:
        glances.note(session, staff(other, "eve"), case_id, Doing.HERE)
    assert there(desk) == []
