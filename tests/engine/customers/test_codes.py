"""A code opens what it was sent for, once, to the session that asked; a typed e-mail opens nothing."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from engine.customers import codes, verifying
from engine.customers.errors import AlreadyKnown, CodeWrong
from engine.customers.models import Customer, EmailCode, Shopper
from engine.kit import clock
from engine.kit.audit import AuditRow
from engine.kit.errors import Forbidden, RateLimited
from engine.kit.outbox import OutboxRow
from tests.engine.customers.people import code_for, customer_of, known, staff
from tests.shop import Shop


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 1_000_000:06d}"


def test_a_right_code_makes_a_guest_known(shop: Shop) -> None:
    guest = shop.shopper()

    who = known(shop, "Ada@Example.com", guest)

    assert (who.id, who.customer_id is not None) == (guest.id, True)
    with shop.uow() as session:
        row = session.scalars(select(Customer).where(Customer.tenant_id == shop.tenant.id)).one()
        assert (row.id, row.email, row.email_verified_at is not None) == (who.customer_id, "Ada@example.com", True)


def test_the_same_address_leads_to_the_same_customer_however_it_is_written(shop: Shop) -> None:
    assert known(shop, "Ada@example.com").customer_id == known(shop, "ADA@EXAMPLE.COM").customer_id


def test_a_code_is_used_once(shop: Shop) -> None:
    guest = shop.shopper()
    code = code_for(shop, guest, "ada@example.com")
    code_id = codes.check(shop.runtime, guest, "ada@example.com", code)
    with shop.uow() as session:
        verifying.verify(session, guest, code_id)

    with pytest.raises(CodeWrong), shop.uow() as session:
        verifying.verify(session, guest, code_id)
    with pytest.raises(CodeWrong):
        codes.check(shop.runtime, guest, "ada@example.com", code)


def test_another_session_or_address_cannot_use_it(shop: Shop) -> None:
    guest, other = shop.shopper(), shop.shopper()
    code = code_for(shop, guest, "ada@example.com")

    for who, email in ((other, "ada@example.com"), (guest, "eve@example.com")):
        with pytest.raises(CodeWrong):
            codes.check(shop.runtime, who, email, code)
    with pytest.raises(CodeWrong), shop.uow() as session:
        verifying.verify(session, other, session.scalars(select(EmailCode.id)).one())
    with shop.uow() as session:
        assert session.scalars(select(Customer)).all() == []
        assert session.scalars(select(Shopper.customer_id)).all() == [None, None]


def test_five_tries_end_a_code_also_when_each_fails(shop: Shop) -> None:
    guest = shop.shopper()
    code = code_for(shop, guest, "ada@example.com")
    for _ in range(codes.TRIES_PER_CODE):
        with pytest.raises(CodeWrong):
            codes.check(shop.runtime, guest, "ada@example.com", wrong(code))

    with pytest.raises(CodeWrong):
        codes.check(shop.runtime, guest, "ada@example.com", code)


def test_a_code_runs_out_and_a_newer_one_ends_it(shop: Shop) -> None:
    guest = shop.shopper()
    first = code_for(shop, guest, "ada@example.com")
    with clock.shifted(codes.CODE_LIFE + timedelta(seconds=1)), pytest.raises(CodeWrong):
        codes.check(shop.runtime, guest, "ada@example.com", first)
    second = code_for(shop, guest, "ada@example.com")
    if first != second:
        with pytest.raises(CodeWrong):
            codes.check(shop.runtime, guest, "ada@example.com", first)

    assert codes.check(shop.runtime, guest, "ada@example.com", f" {second[:3]}-{second[3:]} ")


def test_asking_is_limited_for_each_session(shop: Shop) -> None:
    guest = shop.shopper()
    for number in range(6):
        codes.limit_asking(shop.runtime, guest, f"ada{number}@example.com")

    with pytest.raises(RateLimited):
        codes.limit_asking(shop.runtime, guest, "ada7@example.com")


def test_nobody_uses_up_the_tries_of_somebody_elses_code(shop: Shop) -> None:
    """Any number of sessions that type wrong codes for an address: whoever got a fresh one there is let in."""
    ada = shop.shopper()
    code = code_for(shop, ada, "ada@example.com")
    for _ in range(codes.MISSES_PER_ADDRESS + 10):
        with pytest.raises(CodeWrong):
            codes.check(shop.runtime, shop.shopper(), "ada@example.com", wrong(code))

    assert codes.check(shop.runtime, ada, "ada@example.com", code)


def test_where_many_guess_a_code_bears_one_try(shop: Shop) -> None:
    for _ in range(codes.MISSES_PER_ADDRESS):
        with pytest.raises(CodeWrong):
            codes.check(shop.runtime, shop.shopper(), "ada@example.com", "000000")
    thief = shop.shopper()
    code = code_for(shop, thief, "ada@example.com")

    for typed in (wrong(code), code):
        with pytest.raises(CodeWrong):
            codes.check(shop.runtime, thief, "ada@example.com", typed)
    bob = shop.shopper()
    told = code_for(shop, bob, "bob@example.com")
    with pytest.raises(CodeWrong):
        codes.check(shop.runtime, bob, "bob@example.com", wrong(told))
    assert codes.check(shop.runtime, bob, "bob@example.com", told)


def test_one_session_tries_so_often_and_no_more(shop: Shop) -> None:
    thief, ada = shop.shopper(), shop.shopper()
    for _ in range(15):
        with pytest.raises(CodeWrong):
            codes.check(shop.runtime, thief, "ada@example.com", "000000")
    with pytest.raises(RateLimited):
        codes.check(shop.runtime, thief, "ada@example.com", "000000")

    assert codes.check(shop.runtime, ada, "ada@example.com", code_for(shop, ada, "ada@example.com"))


def test_an_address_that_was_asked_about_too_often_waits_minutes_and_not_hours(shop: Shop) -> None:
    at = clock.now().replace(minute=1, second=0, microsecond=0) + timedelta(hours=1)
    with clock.shifted(at - clock.now()):
        for _ in range(11):
            codes.limit_asking(shop.runtime, shop.shopper(), "ada@example.com")
        with pytest.raises(RateLimited) as refused:
            codes.limit_asking(shop.runtime, shop.shopper(), "ada@example.com")
    assert (refused.value.retry_after_seconds or 0) <= 300
    with clock.shifted(at + timedelta(minutes=5) - clock.now()):
        codes.limit_asking(shop.runtime, shop.shopper(), "ada@example.com")


def test_the_same_is_answered_for_an_address_that_is_known_and_one_that_is_not(shop: Shop) -> None:
    known(shop, "ada@example.com")
    said = []
    for email in ("ada@example.com", "nobody@example.com"):
        guest = shop.shopper()
        code = code_for(shop, guest, email)
        with pytest.raises(CodeWrong) as refused:
            codes.check(shop.runtime, guest, email, wrong(code))
        said.append((refused.value.code, str(refused.value), refused.value.param))
    assert said[0] == said[1]


def test_a_key_proves_no_address(shop: Shop) -> None:
    with pytest.raises(Forbidden):
        codes.limit_asking(shop.runtime, staff(shop), "ada@example.com")
    with pytest.raises(Forbidden):
        codes.check(shop.runtime, staff(shop), "ada@example.com", "123456")


def test_somebody_known_does_not_become_somebody_else(shop: Shop) -> None:
    ada = known(shop, "ada@example.com")
    code_id = codes.check(shop.runtime, ada, "eve@example.com", code_for(shop, ada, "eve@example.com"))

    with pytest.raises(AlreadyKnown), shop.uow() as session:
        verifying.verify(session, ada, code_id)

    with shop.uow() as session:
        assert session.scalars(select(Customer.id)).all() == [ada.customer_id]


def test_nothing_kept_tells_the_code(shop: Shop) -> None:
    guest = shop.shopper()
    code = code_for(shop, guest, "ada@example.com")

    with shop.uow() as session:
        row = session.scalars(select(EmailCode)).one()
        told = session.scalars(select(OutboxRow.payload).where(OutboxRow.topic == codes.TOPIC)).one()
        noted = session.scalars(select(AuditRow).where(AuditRow.action == "customer.code_requested")).one()
        assert code not in f"{row.code_hash}{told}{noted.facts}{noted.subject}"
        assert "ada@example.com" not in f"{told}{noted.facts}{noted.subject}"


def test_old_codes_are_forgotten(shop: Shop) -> None:
    code_for(shop, shop.shopper(), "ada@example.com")
    with clock.shifted(timedelta(days=2)), shop.uow() as session:
        codes.forget_old(session, shop.tenant.id)

    with shop.uow() as session:
        assert session.scalars(select(EmailCode)).all() == []


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("my code is 123456", "my code is ••••••"),
        ("123-456", "••••••"),
        ("it costs 123456.50 or 1234567", "it costs 123456.50 or 1234567"),
        ("order TS10023", "order TS10023"),
    ],
)
def test_a_code_in_the_conversation_is_masked_while_one_is_awaited(shop: Shop, said: str, kept: str) -> None:
    guest = shop.shopper()
    with shop.uow() as session:
        assert codes.mask_codes(session, guest, said) == said
    code_for(shop, guest, "ada@example.com")
    with shop.uow() as session:
        assert codes.mask_codes(session, guest, said) == kept


@pytest.mark.parametrize(
    ("typed", "proven"),
    [
        ("Ada@Example.COM", "Ada@example.com"),
        ("\u0130da@example.com", "i\u0307da@example.com"),
        ("\u0391\u03a3@example.com", "\u03b1\u03c3@example.com"),
        ("\u03f4@example.com", "\u03b8@example.com"),
        ("\u212aate@example.com", "Kate@example.com"),
    ],
)
def test_what_is_written_to_is_what_is_proven_in_one_spelling(shop: Shop, typed: str, proven: str) -> None:
    assert codes.limit_asking(shop.runtime, shop.shopper(), typed) == proven
    who = known(shop, typed)
    assert (customer_of(shop, who).email, known(shop, typed).customer_id) == (proven, who.customer_id)


def test_nobody_becomes_somebody_else_by_a_letter_that_some_fold(shop: Shop) -> None:
    victim = known(shop, "ida@example.com")
    thief = known(shop, "\u0130da@example.com")
    assert thief.customer_id != victim.customer_id
