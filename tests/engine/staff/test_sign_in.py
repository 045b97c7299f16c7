"""Signing in by e-mail, and how long a session lasts."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from engine.customers.errors import ContactInvalid
from engine.jobs import forget_codes
from engine.kit import clock
from engine.kit.errors import RateLimited
from engine.kit.identity import Actor, Identity, Role, Scope
from engine.mail import consumer
from engine.mail.models import Mail
from engine.staff import codes, letters, members, sessions
from engine.staff.errors import SignInWrong
from engine.staff.models import StaffCode
from tests.engine.staff.people import ADDRESS, audited, code_mailed, come_in, hire, mailed, sessions_of
from tests.shop import Shop

SAM = "sam@people.example"


def ask(shop: Shop, email: str = SAM, address: str = ADDRESS) -> str:
    return codes.ask(shop.runtime, shop.tenant.id, email, address=address)


def enter(shop: Shop, browser: str, code: str) -> str:
    return codes.sign_in(shop.runtime, shop.tenant.id, browser, code, address=ADDRESS)


def who(shop: Shop, cookie: str) -> Identity | None:
    with shop.runtime.store.without_tenant() as session:
        return sessions.who(session, cookie)


def other_than(code: str) -> str:
    return f"{(int(code) + 1) % 1_000_000:06d}"


def test_a_code_lets_in_once_in_the_window_that_asked(shop: Shop) -> None:
    sam = hire(shop, "Sam", Role.SUPERVISOR)
    browser, other = ask(shop, "SAM@people.example "), ask(shop)
    first = letters.code
    with shop.uow() as session:
        code = first(session, shop.runtime, mailed(shop, letters.CODE_ASKED)[0])
    assert code is not None
    assert code.to == SAM

    for wrong in (other, "", "x" * 300):
        with pytest.raises(SignInWrong):
            enter(shop, wrong, code.code)
    cookie = enter(shop, browser, f" {code.code[:3]} {code.code[3:]} ")
    with pytest.raises(SignInWrong):
        enter(shop, browser, code.code)

    found = who(shop, cookie)
    assert found is not None
    assert (found.actor, found.id, found.person, found.name) == (Actor.MEMBER, sam.id, "sam", "Sam")
    assert (found.role, found.scopes) == (Role.SUPERVISOR, {Scope.STAFF})
    assert sessions_of(shop.runtime, sam) == 1


def test_a_stranger_and_a_member_are_answered_alike_and_only_the_member_is_written_to(shop: Shop) -> None:
    hire(shop, "Sam")
    known, unknown = ask(shop), ask(shop, "nobody@people.example")

    assert len(known) == len(unknown)
    assert len(mailed(shop, letters.CODE_ASKED)) == 1
    with pytest.raises(SignInWrong) as refused:
        enter(shop, unknown, code_mailed(shop))
    with pytest.raises(SignInWrong) as mistyped:
        enter(shop, known, other_than(code_mailed(shop)))
    assert refused.value.message == mistyped.value.message


def test_nothing_says_an_address_in_clear(shop: Shop) -> None:
    sam = hire(shop, "Sam")
    browser = ask(shop)
    with pytest.raises(SignInWrong):
        enter(shop, browser, other_than(code_mailed(shop)))
    with pytest.raises(SignInWrong):
        enter(shop, ask(shop, "nobody@people.example"), "123456")

    rows = audited(shop)
    assert not [row for row in rows if "@" in "".join(row)]
    actions = [action for _, action, _ in rows]
    asked, failed = "staff.code_requested", "staff.sign_in_failed"
    assert actions == ["staff.invited", asked, failed, asked, failed]
    assert [subject for _, _, subject in rows[1:3]] == [sam.id, sam.id]
    assert rows[4][2] == "unknown"


def test_five_tries_are_all_a_code_bears(shop: Shop) -> None:
    hire(shop, "Sam")
    browser = ask(shop)
    code = code_mailed(shop)
    for _ in range(codes.TRIES_PER_CODE):
        with pytest.raises(SignInWrong):
            enter(shop, browser, other_than(code))

    with pytest.raises(SignInWrong):
        enter(shop, browser, code)


def test_ten_minutes_are_all_it_lasts(shop: Shop) -> None:
    hire(shop, "Sam")
    browser = ask(shop)
    code = code_mailed(shop)

    with clock.shifted(codes.CODE_LIFE), pytest.raises(SignInWrong):
        enter(shop, browser, code)
    with clock.shifted(timedelta(days=2)):
        forget_codes(shop.runtime, shop.tenant.id)
    with shop.uow() as session:
        assert session.scalar(select(func.count()).select_from(StaffCode)) == 0


def test_who_left_meanwhile_gets_no_letter_and_is_not_let_in(shop: Shop) -> None:
    sam = hire(shop, "Sam")
    browser = ask(shop)
    code = code_mailed(shop)
    with shop.uow() as session:
        members.disable(session, shop.tenant.id, sam.id, actor="test")

    with pytest.raises(SignInWrong):
        enter(shop, browser, code)
    with shop.uow() as session:
        assert letters.code(session, shop.runtime, mailed(shop, letters.CODE_ASKED)[0]) is None
    ask(shop)
    assert len(mailed(shop, letters.CODE_ASKED)) == 1


def test_one_address_asks_so_often_and_for_one_person_it_goes_slowly(shop: Shop) -> None:
    with clock.stopped():
        for number in range(codes.ASKED_PER_ADDRESS):
            ask(shop, f"p{number}@people.example")
        with pytest.raises(RateLimited):
            ask(shop, "more@people.example")
        for number in range(codes.ASKED_PER_EMAIL + 1):
            ask(shop, SAM, f"198.51.100.{number}")
        with pytest.raises(RateLimited):
            ask(shop, "Sam@People.example", "198.51.100.99")
        with clock.shifted(timedelta(minutes=5)):
            ask(shop, SAM, "198.51.100.98")


def test_one_address_tries_so_often(shop: Shop) -> None:
    with clock.stopped():
        for _ in range(codes.TRIED_PER_ADDRESS):
            with pytest.raises(SignInWrong):
                enter(shop, "none", "123456")
        with pytest.raises(RateLimited):
            enter(shop, "none", "123456")


def test_what_is_no_address_is_said_to_be_none(shop: Shop) -> None:
    with pytest.raises(ContactInvalid):
        ask(shop, "sam")


def test_both_letters_are_written(shop: Shop) -> None:
    hire(shop, "Sam")
    ask(shop)
    code = code_mailed(shop)
    consumer.write_letters(shop.runtime, shop.tenant.id)

    with shop.uow() as session:
        rows = session.scalars(select(Mail).where(Mail.tenant_id == shop.tenant.id).order_by(Mail.template)).all()
    assert [(row.template, row.to_address, row.secret) for row in rows] == [
        ("staff_code", SAM, True),
        ("staff_invite", SAM, True),
    ]
    assert code in rows[0].text
    assert "/staff/join?shop=" in rows[1].text


def test_a_session_ends_by_idleness_and_by_age(shop: Shop) -> None:
    sam = hire(shop, "Sam")
    with clock.stopped():
        idle, busy = come_in(shop, sam), come_in(shop, sam)
        for hours in (11, 22, 33, 44, 55, 66, 71):
            with clock.shifted(timedelta(hours=hours)):
                assert who(shop, busy) is not None, hours
        with clock.shifted(sessions.IDLE):
            assert who(shop, idle) is None
        with clock.shifted(sessions.LIFE):
            assert who(shop, busy) is None
            with shop.runtime.store.without_tenant() as session:
                sessions.forget_old(session)
    assert sessions_of(shop.runtime, sam) == 0


def test_signing_out_ends_one_and_everywhere_ends_all(shop: Shop) -> None:
    sam = hire(shop, "Sam")
    first, second, third = (come_in(shop, sam) for _ in range(3))
    identity = who(shop, first)
    assert identity is not None
    with shop.uow() as session:
        members.sign_out(session, identity, first, everywhere=False)
    assert [who(shop, one) is None for one in (first, second, third)] == [True, False, False]
    with shop.uow() as session:
        members.sign_out(session, identity, second, everywhere=True)
    assert [who(shop, one) is None for one in (first, second, third)] == [True, True, True]
    assert [action for _, action, _ in audited(shop)][-2:] == ["staff.signed_out"] * 2
