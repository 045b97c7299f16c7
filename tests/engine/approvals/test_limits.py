"""What people give away is added up: by currency, person and day, whatever it is called."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import func, select

from engine.approvals.errors import ApprovalOutdated, MayNotApprove, OwnRequest
from engine.approvals.gift_cards import mailed_to
from engine.approvals.models import ApprovalKind, ApprovalStatus
from engine.approvals.policy import ApprovalsPolicy
from engine.carts.models import Discount
from engine.customers import merging
from engine.kit.errors import InvalidInput
from engine.kit.identity import Identity
from engine.kit.policies import policy_of
from engine.kit.tenancy import ApiKey, Tenant
from engine.mail.models import Mail
from engine.orders.models import Order
from engine.payments.courtesy_models import Courtesy
from engine.payments.stored_value_models import StoredValueAccount
from engine.privacy import erasing
from tests.engine.approvals.conftest import Office
from tests.engine.customers.people import known
from tests.engine.orders.desk import broken
from tests.engine.support.conftest import staff


def keyed(office: Office, *people: Identity) -> None:
    with office.shop.runtime.store.without_tenant() as session:
        for one in people:
            session.add(
                ApiKey(id=one.id, key_hash=one.id, tenant_id=one.tenant_id, scopes=["staff"], person=one.person)
            )


def given_away(office: Office) -> list[tuple[str, int, str | None]]:
    with office.shop.uow() as session:
        rows = session.execute(select(Courtesy.kind, Courtesy.amount, Courtesy.approved).order_by(Courtesy.at))
        return [(str(kind), amount, approved) for kind, amount, approved in rows]


def test_a_bare_number_is_of_the_home_currency_and_any_other_takes_a_yes(office: Office) -> None:
    with office.shop.uow() as session:
        tenant = session.get_one(Tenant, office.shop.tenant.id)
        assert policy_of(session, tenant.id, ApprovalsPolicy).refund_limit == {tenant.currency: 2000}
        session.get_one(Order, (tenant.id, office.desk.order_id)).currency = "JPY"
    waiting = office.waiting(kind=ApprovalKind.GOODWILL, amount=1)
    assert (waiting.amount, waiting.currency, waiting.rule) == (1, "JPY", "approvals.goodwill_limit")
    assert given_away(office) == []


def test_a_limit_by_currency(office: Office) -> None:
    office.rule(goodwill_limit={"USD": 100, "JPY": 3000})
    office.rule(
        "payments", **{f"refund_limit_per_{one}": {"JPY": 5000} for one in ("customer_day", "person_day", "day")}
    )
    with office.shop.uow() as session:
        session.get_one(Order, (office.shop.tenant.id, office.desk.order_id)).currency = "JPY"
    assert office.ask(ApprovalKind.GOODWILL, amount=3000).outcome is not None
    assert office.waiting(kind=ApprovalKind.GOODWILL, amount=1).rule == "approvals.goodwill_limit"


@pytest.mark.parametrize("wrong", [{"XXX": 1}, {"usd": 1}, {"USD": -1}, {}, {"USD": "much"}, -1, True, 1.5])
def test_a_limit_that_cannot_be(office: Office, wrong: object) -> None:
    with pytest.raises(InvalidInput, match=r"approvals\.refund_limit"):
        office.rule(refund_limit=wrong)


def test_codes_are_added_up_for_a_person_and_a_day(office: Office) -> None:
    office.rule(discount_limit=2000)
    office.rule("payments", refund_limit_per_person_day=3000)
    second_key = staff(office.shop.tenant, "ann")
    keyed(office, office.ann, second_key, office.bob)
    assert office.ask(ApprovalKind.DISCOUNT, amount_off=2000).outcome is not None
    waiting = office.ask(ApprovalKind.DISCOUNT, by=second_key, amount_off=1001).approval
    assert waiting is not None
    assert (waiting.rule, waiting.amount) == ("refund_limit_per_person_day", 1001)
    assert office.ask(ApprovalKind.DISCOUNT, by=office.bob, amount_off=1001).outcome is not None
    assert office.waiting(amount=1500).rule == "refund_limit_per_person_day"
    assert office.decide(waiting, office.eve).status == ApprovalStatus.APPROVED
    assert given_away(office) == [("code", 2000, None), ("code", 1001, None), ("code", 1001, waiting.id)]
    with office.shop.uow() as session:
        assert session.scalar(select(func.count()).select_from(Discount)) == 3
    assert broken(office.shop) == []


def test_a_code_in_percent_counts_for_the_order_the_shop_says(office: Office) -> None:
    office.rule(percent_code_order=10_000)
    office.rule("payments", refund_limit_per_person_day=3000)
    assert office.ask(ApprovalKind.DISCOUNT, percent_off=20).outcome is not None
    assert office.waiting(kind=ApprovalKind.DISCOUNT, percent_off=11).amount == 1100
    assert office.ask(ApprovalKind.DISCOUNT, percent_off=10).outcome is not None
    assert given_away(office) == [("code", 2000, None), ("code", 1000, None)]


def test_store_credit_counts_with_refunds_for_one_customer(office: Office) -> None:
    office.rule("payments", refund_limit_per_customer_day=2500)
    assert office.ask(ApprovalKind.GOODWILL, amount=1500).outcome is not None
    assert office.waiting(amount=1001).rule == "refund_limit_per_customer_day"
    assert office.ask(amount=1000).outcome is not None


def test_a_customers_limit_outlives_the_proof_of_their_email_and_a_merge(office: Office) -> None:
    office.rule(goodwill_limit=5000)
    office.rule("payments", refund_limit_per_customer_day=2500)
    shop, desk = office.shop, office.desk
    assert office.ask(ApprovalKind.GOODWILL, amount=1500).outcome is not None
    ada = known(shop, who=desk.buyer)
    with shop.uow() as session:
        session.get_one(Order, (shop.tenant.id, desk.order_id)).customer_id = ada.customer_id
    assert office.waiting(kind=ApprovalKind.GOODWILL, amount=1001).rule == "refund_limit_per_customer_day"
    eve = known(shop, "eve@example.com")
    with shop.uow() as session:
        merging.merge(session, office.ann, source_id=ada.customer_id or "", target_id=eve.customer_id or "")
    assert office.waiting(kind=ApprovalKind.GOODWILL, amount=1002).rule == "refund_limit_per_customer_day"
    assert office.ask(amount=1000).outcome is not None
    assert office.waiting(amount=1).rule == "refund_limit_per_customer_day"


def test_of_many_who_give_at_once_no_more_than_the_limit_is_given(office: Office) -> None:
    office.rule("payments", refund_limit_per_person_day=3000)
    kinds = [
        (ApprovalKind.DISCOUNT, {"amount_off": 2000}),
        (ApprovalKind.GIFT_CARD, {"amount": 2000, "currency": "USD"}),
        (ApprovalKind.GOODWILL, {"amount": 2000}),
        (ApprovalKind.REFUND, {"amount": 2000}),
    ]
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda one: office.ask(one[0], **one[1]), kinds))
    assert sorted(one.outcome is not None for one in done) == [False, False, False, True]
    assert len([one for one in done if one.approval is not None]) == 3
    assert broken(office.shop) == []


def test_a_gift_card_above_the_limit_goes_out_by_mail_when_somebody_else_agrees(office: Office) -> None:
    to = mailed_to(office.shop.runtime.secret_key, office.shop.tenant.id, "friend@example.com")
    office.rule(gift_card_limit=2000)
    args = {"amount": 2001, "currency": "USD", **to}
    waiting = office.waiting(kind=ApprovalKind.GIFT_CARD, **args)
    assert (waiting.rule, given_away(office)) == ("approvals.gift_card_limit", [])
    assert "friend" not in str(waiting.args)
    done = office.decide(waiting, office.bob)
    assert done.outcome is not None
    assert set(done.outcome) == {"account_id", "last4"}
    with office.shop.uow() as session:
        account = session.get_one(StoredValueAccount, (done.tenant_id, done.outcome["account_id"]))
        assert (account.balance, account.currency) == (2001, "USD")
        assert session.scalars(select(Mail.id)).all() == []
    assert given_away(office) == [("gift_card", 2001, waiting.id)]
    assert broken(office.shop) == []


def test_a_gift_card_does_not_go_out_to_somebody_who_was_erased_before_the_yes(office: Office) -> None:
    shop = office.shop
    ada = known(shop, email="Ada@Example.com")
    office.rule(gift_card_limit=2000)
    waiting = {
        name: office.waiting(
            kind=ApprovalKind.GIFT_CARD,
            amount=2001,
            currency="USD",
            **mailed_to(shop.runtime.secret_key, shop.tenant.id, name),
        )
        for name in ("ada@example.COM", "friend@example.com")
    }
    with shop.uow() as session:
        erasing.request(session, shop.tenant.id, ada.customer_id or "", requested_by="key_test", reason="asked")
    assert not {"mail_to", "mail_key"} & set(office.now(waiting["ada@example.COM"]).args)
    with pytest.raises(ApprovalOutdated):
        office.decide(waiting["ada@example.COM"], office.bob)
    assert office.decide(waiting["friend@example.com"], office.bob).status == ApprovalStatus.APPROVED
    assert [worth for _, worth, _ in given_away(office)] == [2001]
    assert broken(shop) == []


@pytest.mark.parametrize("agrees", [True, False])
def test_whom_a_gift_card_was_meant_for_is_kept_no_longer_than_the_question(office: Office, *, agrees: bool) -> None:
    to = mailed_to(office.shop.runtime.secret_key, office.shop.tenant.id, "friend@example.com")
    office.rule(gift_card_limit=2000)
    waiting = office.waiting(kind=ApprovalKind.GIFT_CARD, amount=2001, currency="USD", **to)
    assert waiting.args.items() >= to.items()
    done = office.decide(waiting, office.bob, approve=agrees)
    assert done.args == {"amount": 2001, "currency": "USD", "expires_at": None}
    assert done.digest == waiting.digest


def test_where_no_order_is_said_a_code_in_percent_takes_a_yes(office: Office) -> None:
    office.rule(percent_code_order={"EUR": 20000})
    assert office.waiting(kind=ApprovalKind.DISCOUNT, percent_off=1).rule == "approvals.discount_percent_limit"
    assert given_away(office) == []
    office.rule(percent_code_order=None)
    assert office.ask(ApprovalKind.DISCOUNT, percent_off=1).outcome is not None


def test_gift_cards_are_added_up(office: Office) -> None:
    office.rule("payments", refund_limit_per_person_day=3000)
    first = office.ask(ApprovalKind.GIFT_CARD, amount=2000, currency="USD")
    assert first.outcome is not None
    assert len(first.outcome["code"]) == 16
    assert (
        office.waiting(kind=ApprovalKind.GIFT_CARD, amount=1001, currency="USD").rule == "refund_limit_per_person_day"
    )


def test_keys_that_name_nobody_are_one_and_decide_nothing(office: Office) -> None:
    one, other = staff(office.shop.tenant, None), staff(office.shop.tenant, None)
    keyed(office, one, other)
    waiting = office.waiting(by=one)
    with pytest.raises(MayNotApprove):
        office.decide(waiting, other)
    office.rule(named_people_only=False)
    for approve in (True, False):
        with pytest.raises(OwnRequest):
            office.decide(waiting, other, approve=approve)
    assert (office.now(waiting).status, office.refunds()) == (ApprovalStatus.PENDING, [])
    by_ann = office.waiting(by=office.ann, amount=2500)
    office.rule(approvers={"refund": 2})
    assert office.decide(waiting, office.bob).status == ApprovalStatus.APPROVED
    assert office.now(by_ann).status == ApprovalStatus.PENDING
