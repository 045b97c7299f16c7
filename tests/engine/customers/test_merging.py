"""Two customers become one: everything moves, nothing is left, and nobody else sees more than before."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import func, select, text

from engine.customers import consents, loyalty, merging
from engine.customers.book import add_address
from engine.customers.errors import NotMergeable
from engine.customers.merging import STAY, movable
from engine.customers.models import Address, ConsentTopic, Customer, CustomerMerge
from engine.kit.errors import Forbidden, NotFound
from engine.kit.identity import Identity
from engine.kit.tenancy import AppendOnly, Base
from engine.migrate import load_models
from engine.orders import queries
from engine.payments import stored_value
from engine.payments.stored_value_models import StoredValueKind
from tests.engine.customers.people import known, staff
from tests.engine.customers.test_loyalty import give_points
from tests.engine.customers.test_verifying import bought, seen
from tests.shop import ADDRESS, Shop


def merge(shop: Shop, source: Identity, target: Identity) -> CustomerMerge:
    with shop.uow() as session:
        return merging.merge(
            session, staff(shop), source_id=source.customer_id or "", target_id=target.customer_id or ""
        )


def again(shop: Shop, who: Identity) -> Identity:
    """The same session, as it is known now."""
    from engine.customers import service

    with shop.uow() as session:
        found = service.shopper(session, shop.tenant.id, who.id)
    assert found is not None
    return found


def say(shop: Shop, who: Identity, channel: str, *, granted: bool) -> None:
    with shop.uow() as session:
        consents.say(session, who, topic=ConsentTopic.MARKETING, channel=channel, granted=granted, text_version="1")


def test_everything_moves(shop: Shop) -> None:
    source, target = known(shop, "ada@example.com"), known(shop, "ada@work.example")
    theirs, mine = bought(shop, source), bought(shop, target)
    with shop.uow() as session:
        add_address(session, source, ADDRESS, default=True)
        stored_value.issue(
            session, shop.tenant.id, secret_key=b"x", kind=StoredValueKind.STORE_CREDIT, amount=500, currency="USD",
            customer_id=source.customer_id, actor="test",
        )  # fmt: skip
    give_points(shop, source.customer_id or "", 30)
    give_points(shop, target.customer_id or "", 12)

    row = merge(shop, source, target)

    assert row.moved == {"orders": 1, "stored_value_accounts": 1, "addresses": 1, "shoppers": 1, "points": 30}
    one, two = again(shop, source), again(shop, target)
    assert one.customer_id == two.customer_id == target.customer_id
    assert seen(shop, one) == seen(shop, two) == {theirs, mine}
    with shop.uow() as session:
        assert [account.balance for account in stored_value.own_accounts(session, two)] == [500]
        assert loyalty.balance(session, shop.tenant.id, target.customer_id or "") == 42
        assert loyalty.balance(session, shop.tenant.id, source.customer_id or "") == 0
        assert session.scalars(select(Address.customer_id)).all() == [target.customer_id]


def test_the_old_address_leads_to_the_one_that_is_left(shop: Shop) -> None:
    source, target = known(shop, "ada@example.com"), known(shop, "ada@work.example")
    merge(shop, source, target)

    assert known(shop, "ada@example.com").customer_id == target.customer_id


def test_of_two_words_the_no_counts_and_what_was_never_said_comes_along(shop: Shop) -> None:
    source, target = known(shop, "ada@example.com"), known(shop, "ada@work.example")
    say(shop, source, "email", granted=False)
    say(shop, target, "email", granted=True)
    say(shop, source, "sms", granted=True)
    say(shop, target, "post", granted=False)
    say(shop, source, "post", granted=True)

    merge(shop, source, target)

    with shop.uow() as session:
        assert {
            channel: consents.may_send(session, shop.tenant.id, target.customer_id or "", channel=channel)
            for channel in ("email", "sms", "post", "chat")
        } == {"email": False, "sms": True, "post": False, "chat": False}


def test_nobody_else_sees_more(shop: Shop) -> None:
    source, target = known(shop, "ada@example.com"), known(shop, "ada@work.example")
    eve, guest = known(shop, "eve@example.com"), shop.shopper()
    order = bought(shop, source)
    merge(shop, source, target)

    for other in (eve, guest):
        assert seen(shop, other) == set()
        with pytest.raises(NotFound), shop.uow() as session:
            queries.own_order(session, other, order)


@pytest.mark.parametrize("case", ["itself", "nobody", "shopper", "twice"])
def test_what_cannot_be_merged_is_refused_and_nothing_moves(shop: Shop, case: str) -> None:
    ada, eve, third = (known(shop, f"{name}@example.com") for name in ("ada", "eve", "zoe"))
    bought(shop, ada)
    asked: dict[str, Any] = {
        "itself": (staff(shop), ada.customer_id, ada.customer_id, NotMergeable),
        "nobody": (staff(shop), ada.customer_id, "cus_x", NotFound),
        "shopper": (ada, ada.customer_id, eve.customer_id, Forbidden),
        "twice": (staff(shop), third.customer_id, ada.customer_id, NotMergeable),
    }
    merge(shop, third, eve)
    by, source, target, error = asked[case]

    with pytest.raises(error), shop.uow() as session:
        merging.merge(session, by, source_id=source, target_id=target)

    with shop.uow() as session:
        assert session.scalar(select(func.count()).select_from(CustomerMerge)) == 1
        assert session.scalars(select(Customer.merged_into).where(Customer.id == ada.customer_id)).one() is None


def test_the_record_of_a_merge_is_not_changed(shop: Shop) -> None:
    merge(shop, known(shop, "ada@example.com"), known(shop, "ada@work.example"))
    with pytest.raises(Exception, match="permission denied"), shop.uow() as session:
        session.execute(text("UPDATE app.customer_merges SET merged_by = 'nobody'"))


def test_every_table_with_a_customer_is_moved_or_named(shop: Shop) -> None:
    load_models()
    with shop.uow() as session:
        known_tables = set(movable(session))
    tables = {table.name for table in Base.metadata.tables.values() if "customer_id" in table.c}
    history = {m.local_table.name for m in Base.registry.mappers if issubclass(m.class_, AppendOnly)}  # type: ignore[attr-defined] # all are tables

    assert tables - STAY == known_tables
    assert not known_tables & history
