"""Who works for a shop: invited once, given roles, let go, and never the last admin."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, text

from engine.agentic import keys
from engine.customers.errors import ContactInvalid
from engine.kit import clock, people
from engine.kit.audit import AuditRow
from engine.kit.errors import InvalidInput, NotFound
from engine.kit.identity import Role
from engine.kit.members import StaffMember
from engine.kit.tenancy import ApiKey, hash_secret
from engine.staff import letters, members
from engine.staff.errors import AlreadyMember, LastAdmin, LinkWrong, NameTaken
from tests.engine.staff.people import audited, come_in, hire, mailed, secret_of, sessions_of
from tests.shop import Shop


def invite(shop: Shop, email: str, role: Role = Role.SUPPORT, name: str = "") -> members.Invited:
    with shop.uow() as session:
        return members.invite(session, shop.runtime, shop.tenant.id, email=email, role=role, actor="test", name=name)


def read(shop: Shop, member: StaffMember) -> StaffMember:
    with shop.uow() as session:
        return members.locked(session, shop.tenant.id, member.id)


def test_an_invitation_is_a_link_of_which_the_hash_is_kept(shop: Shop) -> None:
    made = invite(shop, "Sam@People.Example", Role.SUPERVISOR, "Sam  Lee")

    row, secret = made.member, secret_of(made.link)
    assert (row.email, row.name, row.person, row.role) == ("sam@people.example", "Sam Lee", "sam lee", "supervisor")
    assert row.invite_hash == hash_secret(secret)
    assert made.link == f"http://127.0.0.1:8000/staff/join?shop={shop.tenant.slug}&token={secret}"
    assert secret not in repr(made)
    assert audited(shop) == [("test", "staff.invited", row.id)]


def test_the_letter_says_the_link_and_nothing_else_holds_it(shop: Shop) -> None:
    made = invite(shop, "sam@people.example", name="Sam")
    row = mailed(shop, letters.INVITED)[0]

    with shop.uow() as session:
        letter = letters.invitation(session, shop.runtime, row)
    assert letter is not None
    assert (letter.to, letter.facts) == (
        "sam@people.example", {"name": "Sam", "role": "support", "link": made.link, "days": 7}
    )  # fmt: skip
    assert secret_of(made.link) not in str(row.payload)


def test_a_link_lets_in_once(shop: Shop) -> None:
    made = invite(shop, "sam@people.example", name="Sam")
    secret = secret_of(made.link)
    with shop.uow() as session:
        assert members.by_link(session, shop.tenant.id, secret).name == "Sam"
        members.accept(session, shop.tenant.id, secret)

    with pytest.raises(LinkWrong), shop.uow() as session:
        members.accept(session, shop.tenant.id, secret)
    assert sessions_of(shop.runtime, made.member) == 1
    assert read(shop, made.member).joined_at is not None
    assert audited(shop)[-1] == (made.member.id, "staff.signed_in", made.member.id)


def test_two_who_press_at_once_are_one(shop: Shop) -> None:
    made = invite(shop, "sam@people.example", name="Sam")
    outcomes: list[Any] = []

    def press() -> None:
        try:
            with shop.uow() as session:
                outcomes.append(members.accept(session, shop.tenant.id, secret_of(made.link)))
        except LinkWrong as refused:
            outcomes.append(refused.code)

    pressing = [threading.Thread(target=press) for _ in range(4)]
    for one in pressing:
        one.start()
    for one in pressing:
        one.join()

    assert sorted(outcomes).count("invite_wrong") == 3
    assert sessions_of(shop.runtime, made.member) == 1


def test_a_link_is_over_after_a_week_and_another_ends_it_sooner(shop: Shop) -> None:
    first, second = invite(shop, "sam@people.example", name="Sam"), invite(shop, "sam@people.example")

    assert first.member.id == second.member.id
    with pytest.raises(LinkWrong), shop.uow() as session:
        members.accept(session, shop.tenant.id, secret_of(first.link))
    rows = mailed(shop, letters.INVITED)
    with shop.uow() as session:
        assert [letters.invitation(session, shop.runtime, row) is None for row in rows] == [True, False]
    with clock.shifted(timedelta(days=7, seconds=1)), pytest.raises(LinkWrong), shop.uow() as session:
        members.accept(session, shop.tenant.id, secret_of(second.link))
    assert sessions_of(shop.runtime, first.member) == 0


@pytest.mark.parametrize(
    ("email", "name", "error"),
    [
        ("sam@people.example", "Other", AlreadyMember),
        ("other@people.example", "SAM", NameTaken),
        ("nobody", "Nobody", ContactInvalid),
        ("other@people.example", "x" * 81, InvalidInput),
        ("other@people.example", "a\u0007b", InvalidInput),
    ],
)
def test_who_cannot_be_invited(shop: Shop, email: str, name: str, error: type[Exception]) -> None:
    come_in(shop, hire(shop, "Sam"))

    with pytest.raises(error):
        invite(shop, email, name=name)
    with shop.uow() as session:
        assert [row.person for row in members.everybody(session, shop.tenant.id)] == ["sam"]


def keys_that_work(shop: Shop) -> set[str]:
    with shop.uow() as session:
        theirs = select(ApiKey.label).where(ApiKey.tenant_id == shop.tenant.id, ApiKey.revoked_at.is_(None))
        return set(session.scalars(theirs))


def test_the_keys_of_who_leaves_end_and_another_role_ends_those_that_may_more(shop: Shop) -> None:
    ada, sam = hire(shop, "Ada", Role.ADMIN), hire(shop, "Sam", Role.OPS)
    with shop.uow() as session:
        for label, person, scopes in (
            ("sam's ops", "sam", ["ops"]), ("sam's staff", "sam", ["staff"]), ("ada's", "ada", ["staff"]),
            ("nobody's", None, ["admin"]),
        ):  # fmt: skip
            keys.create(session, shop.tenant.id, scopes=scopes, actor="test", label=label, person=person)
        members.set_role(session, shop.tenant.id, sam.id, Role.SUPPORT, actor=ada.id)
    assert keys_that_work(shop) == {"sam's staff", "ada's", "nobody's"}

    with shop.uow() as session:
        members.disable(session, shop.tenant.id, sam.id, actor=ada.id)
    assert keys_that_work(shop) == {"ada's", "nobody's"}
    with pytest.raises(keys.PersonLeft), shop.uow() as session:
        keys.create(session, shop.tenant.id, scopes=["staff"], actor="test", person="sam")
    with shop.uow() as session:
        ended = select(AuditRow.actor).where(AuditRow.tenant_id == shop.tenant.id, AuditRow.action == "key.revoked")
        assert list(session.scalars(ended)) == [ada.id, ada.id]
    with shop.uow() as session:
        members.enable(session, shop.tenant.id, sam.id, actor=ada.id)
    assert keys_that_work(shop) == {"ada's", "nobody's"}


def test_a_key_replaced_while_its_person_is_let_go_ends_with_the_others(shop: Shop) -> None:
    ada, sam = hire(shop, "Ada", Role.ADMIN), hire(shop, "Sam")
    with shop.uow() as session:
        old = keys.create(session, shop.tenant.id, scopes=["staff"], actor="test", person="sam")

    def let_go() -> None:
        with shop.uow() as session:
            members.disable(session, shop.tenant.id, sam.id, actor=ada.id)

    waits = text("SELECT count(*) FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))")
    with ThreadPoolExecutor(1) as pool:
        with shop.uow() as session:
            keys.rotate(session, shop.tenant.id, old.id, actor="test", overlap=timedelta(hours=1))
            gone = pool.submit(let_go)
            while not gone.done() and not session.scalar(waits):
                pass
        gone.result()
    assert keys_that_work(shop) == set()
    with pytest.raises(keys.PersonLeft), shop.uow() as session:
        keys.rotate(session, shop.tenant.id, old.id, actor="test", overlap=timedelta(hours=1))


def test_another_role_ends_every_session(shop: Shop) -> None:
    sam, ada = hire(shop, "Sam"), hire(shop, "Ada", Role.ADMIN)
    come_in(shop, sam)
    come_in(shop, sam)
    with shop.uow() as session:
        members.set_role(session, shop.tenant.id, sam.id, Role.SUPERVISOR, actor=ada.id)

    assert read(shop, sam).role == "supervisor"
    assert sessions_of(shop.runtime, sam) == 0
    assert audited(shop)[-1] == (ada.id, "staff.role_changed", sam.id)
    before = audited(shop)
    with shop.uow() as session:
        members.set_role(session, shop.tenant.id, sam.id, Role.SUPERVISOR, actor=ada.id)
    assert audited(shop) == before


def test_who_leaves_is_out_at_once_and_may_come_again(shop: Shop) -> None:
    made = invite(shop, "sam@people.example", name="Sam")
    come_in(shop, made.member)
    with shop.uow() as session:
        members.disable(session, shop.tenant.id, made.member.id, actor="test")

    row = read(shop, made.member)
    assert (row.status, row.invite_hash, sessions_of(shop.runtime, row)) == ("disabled", None, 0)
    with shop.uow() as session:
        members.enable(session, shop.tenant.id, row.id, actor="test")
    assert read(shop, row).active
    assert [action for _, action, _ in audited(shop)][-2:] == ["staff.disabled", "staff.enabled"]


def test_an_admin_is_left_whatever_is_done(shop: Shop) -> None:
    ada = hire(shop, "Ada", Role.ADMIN)
    attempts = (
        lambda session: members.disable(session, shop.tenant.id, ada.id, actor="test"),
        lambda session: members.set_role(session, shop.tenant.id, ada.id, Role.OPS, actor="test"),
        lambda session: members.invite(
            session, shop.runtime, shop.tenant.id, email=ada.email, role=Role.SUPPORT, actor="test"
        ),
    )
    for attempt in attempts:
        with pytest.raises(LastAdmin), shop.uow() as session:
            attempt(session)

    row = read(shop, ada)
    assert (row.role, row.status, row.invite_hash) == ("admin", "active", ada.invite_hash)
    assert len(audited(shop)) == 1


def test_two_admins_who_let_each_other_go_leave_one(shop: Shop) -> None:
    ada, eve = hire(shop, "Ada", Role.ADMIN), hire(shop, "Eve", Role.ADMIN)
    refused: list[str] = []

    def let_go(who: StaffMember, by: StaffMember) -> None:
        try:
            with shop.uow() as session:
                members.disable(session, shop.tenant.id, who.id, actor=by.id)
        except LastAdmin as error:
            refused.append(error.code)

    both = [threading.Thread(target=let_go, args=pair) for pair in ((ada, eve), (eve, ada))]
    for one in both:
        one.start()
    for one in both:
        one.join()

    assert refused == ["last_admin"]
    assert sorted([read(shop, ada).status, read(shop, eve).status]) == ["active", "disabled"]


def test_nobody_is_found_in_another_shop(shop: Shop, make_tenant: Any) -> None:
    sam, other = hire(shop, "Sam"), make_tenant()
    with shop.runtime.unit_of_work(other.id) as session:
        assert members.everybody(session, other.id) == []
        assert members.by_email(session, other.id, sam.email) is None
        for act in (members.disable, members.enable):
            with pytest.raises(NotFound):
                act(session, other.id, sam.id, actor="test")
    assert read(shop, sam).active


def test_a_member_and_the_keys_that_name_them_are_one_person(shop: Shop) -> None:
    from engine.agentic import keys

    sam = hire(shop, "Sam")
    with shop.uow() as session:
        key = keys.create(session, shop.tenant.id, scopes=["staff"], actor="test", person="sam")
        assert people.who_is(session, shop.tenant.id, sam.id) == "sam"
        assert people.is_one(session, shop.tenant.id, sam.id, key.id)
        assert people.keys_of(session, shop.tenant.id, sam.id) == [sam.id, key.id]
        assert people.keys_of(session, shop.tenant.id, key.id) == [key.id, sam.id]
        assert people.works_here(session, shop.tenant.id, "sam")
        assert not people.works_here(session, shop.tenant.id, "eve")
