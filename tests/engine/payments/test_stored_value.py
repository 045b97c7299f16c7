"""Gift cards and store credit: balances never negative, codes only as hashes, holds, expiry, the books."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import text

from engine.kit import clock
from engine.kit.errors import InvalidInput, NotFound, RateLimited
from engine.kit.ids import new_id
from engine.kit.policies import change_policy
from engine.kit.tenancy import Tenant
from engine.payments import captures, stored_value, voids
from engine.payments.errors import StoredValueShort
from engine.payments.policy import PaymentsPolicy
from engine.payments.stored_value_models import StoredValueKind
from tests.engine.payments.paying import Till


def hold(till: Till, account_id: str, amount: int, payment_id: str) -> None:
    with till.shop.uow() as session:
        stored_value.hold(
            session, till.tenant_id, account_id=account_id, amount=amount, currency="USD", payment_id=payment_id
        )


def test_a_gift_card_is_found_by_its_code_which_is_kept_nowhere(till: Till) -> None:
    account, code = till.gift_card(2500)
    buyer = till.shop.shopper()
    spelled = f" {code[:4].lower()}-{code[4:8]} {code[8:]} "
    assert stored_value.find_by_code(till.runtime, buyer, spelled).id == account.id
    assert (account.last4, till.balance(account.id)) == (code[-4:], 2500)
    assert till.books() == {"promotions": 2500, "gift_card_liability": -2500}
    with till.shop.uow() as session:
        for table in ("stored_value_accounts", "stored_value_entries", "audit", "outbox"):
            rows = session.execute(text(f"SELECT t::text FROM app.{table} t")).scalars()  # noqa: S608 (our own)
            assert not any(code in row for row in rows)
    till.assert_clean()


def test_guessing_codes_is_limited(till: Till) -> None:
    buyer = till.shop.shopper()
    for _ in range(10):
        with pytest.raises(NotFound):
            stored_value.find_by_code(till.runtime, buyer, stored_value.new_code())
    with pytest.raises(RateLimited):
        stored_value.find_by_code(till.runtime, buyer, stored_value.new_code())


def test_twenty_holds_at_once_never_pass_the_balance(till: Till) -> None:
    account, _ = till.gift_card(1000)

    def attempt(_: int) -> str:
        try:
            hold(till, account.id, 150, new_id("payment"))
        except StoredValueShort as error:
            return error.code
        return "held"

    with ThreadPoolExecutor(20) as pool:
        ends = list(pool.map(attempt, range(20)))
    assert (ends.count("held"), till.balance(account.id)) == (6, 100)


def test_a_hold_is_released_once_but_for_what_was_taken(till: Till) -> None:
    account, _ = till.gift_card(1000)
    hold(till, account.id, 800, "pay_1")
    for expected in (600, 0):
        with till.shop.uow() as session:
            assert stored_value.release(session, till.tenant_id, payment_id="pay_1", keep=200) == expected
    assert till.balance(account.id) == 800


def test_blocked_expired_or_foreign_money_is_not_held(till: Till) -> None:
    account, code = till.gift_card(1000)
    with till.shop.uow() as session, pytest.raises(StoredValueShort):
        stored_value.hold(session, till.tenant_id, account_id=account.id, amount=1, currency="EUR", payment_id="pay_1")
    for amount in (0, -5, 1001):
        with pytest.raises(StoredValueShort):
            hold(till, account.id, amount, "pay_1")
    with till.shop.uow() as session:
        stored_value.block(session, till.tenant_id, account.id, actor="key_staff")
    with pytest.raises(StoredValueShort):
        hold(till, account.id, 1, "pay_1")
    with pytest.raises(NotFound):
        stored_value.find_by_code(till.runtime, till.shop.shopper(), code)
    assert till.balance(account.id) == 1000
    till.assert_clean()


def test_nothing_is_issued_for_nothing(till: Till) -> None:
    with pytest.raises(InvalidInput):
        till.gift_card(0)
    assert till.books() == {}


def test_what_expires_is_owed_no_more(till: Till) -> None:
    with till.runtime.store.without_tenant() as session:
        change_policy(session.get_one(Tenant, till.tenant_id), PaymentsPolicy, {"gift_card_days": 30})
    account, code = till.gift_card(1000)
    hold(till, account.id, 400, "pay_1")
    with clock.shifted(timedelta(days=31)):
        with pytest.raises(NotFound):
            stored_value.find_by_code(till.runtime, till.shop.shopper(), code)
        assert stored_value.expire(till.runtime, till.tenant_id) == 1
        assert stored_value.expire(till.runtime, till.tenant_id) == 0
    assert till.balance(account.id) == 0
    assert till.books() == {"promotions": 1000, "gift_card_liability": -400, "revenue": -600}


def test_a_gift_card_pays_part_and_a_void_gives_the_rest_back(till: Till) -> None:
    order_id, _ = till.sale()
    account, _ = till.gift_card(1000)
    payment_id = till.stored(account, 1000, order_id)
    till.assert_clean()
    captures.execute(till.runtime, till.tenant_id, till.capture(payment_id, 300, tax=30))
    assert till.balance(account.id) == 0
    assert till.books()["gift_card_liability"] == -700
    till.assert_clean()
    assert voids.void(till.runtime, till.tenant_id, payment_id).status == "captured"
    assert till.balance(account.id) == 700
    till.assert_clean()


def test_a_last_partial_capture_gives_the_rest_back(till: Till) -> None:
    order_id, _ = till.sale()
    account, _ = till.gift_card(1000)
    payment_id = till.stored(account, 1000, order_id)
    captures.execute(till.runtime, till.tenant_id, till.capture(payment_id, 300, final=True))
    assert till.balance(account.id) == 700
    till.assert_clean()


def test_a_refund_to_an_expired_card_keeps_it_alive(till: Till) -> None:
    with till.runtime.store.without_tenant() as session:
        change_policy(session.get_one(Tenant, till.tenant_id), PaymentsPolicy, {"gift_card_days": 30})
    order_id, _ = till.sale()
    account, code = till.gift_card(1000)
    payment_id = till.stored(account, 1000, order_id)
    captures.execute(till.runtime, till.tenant_id, till.capture(payment_id, 1000))
    with clock.shifted(timedelta(days=40)):
        till.refunded(order_id, 600, payment_id=payment_id)
        assert stored_value.find_by_code(till.runtime, till.shop.shopper(), code).balance == 600
        assert stored_value.expire(till.runtime, till.tenant_id) == 0
    till.assert_clean()


def test_store_credit_is_its_owners(till: Till) -> None:
    buyer, other = till.shop.shopper(), till.shop.shopper()
    with till.shop.uow() as session:
        stored_value.issue(
            session,
            till.tenant_id,
            secret_key=b"k",
            kind=StoredValueKind.STORE_CREDIT,
            amount=500,
            currency="USD",
            owner_id=buyer.id,
            actor="key_staff",
        )
    with till.shop.uow() as session:
        assert [account.balance for account in stored_value.own_accounts(session, buyer)] == [500]
        assert stored_value.own_accounts(session, other) == []
    till.assert_clean()
