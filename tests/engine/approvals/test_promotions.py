"""Promotions that give away more than one person may let them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import select

from engine.approvals.errors import ApprovalOutdated
from engine.approvals.models import ApprovalKind, ApprovalStatus
from engine.carts import promoting
from engine.carts.models import Discount
from engine.carts.promoting import Promotion
from engine.catalog.bulk.running import Report
from engine.catalog.bulk.streams import of_text
from engine.imports import kinds
from engine.kit.errors import Forbidden, OverLimit
from engine.payments.courtesy_models import Courtesy
from tests.engine.approvals.conftest import Office
from tests.engine.orders.desk import broken
from tests.shop import Shop

RULES = {"percent_without_approval": 30, "amount_without_approval": 2000, "total_without_approval": 10_000}
BIG: dict[str, tuple[dict[str, Any], str]] = {
    "percent": ({"percent_off": 31}, "percent_without_approval"),
    "all of it": ({"percent_off": 100, "usage_limit": 1}, "percent_without_approval"),
    "amount": ({"amount_off": 2001, "usage_limit": 1}, "amount_without_approval"),
    "amount elsewhere": (
        {"amount_off": 1, "usage_limit": 1, "amounts": {"EUR": {"amount_off": 1}}}, "amount_without_approval",
    ),
    "all its uses": ({"amount_off": 2000, "usage_limit": 6}, "total_without_approval"),
    "without end": ({"amount_off": 1}, "total_without_approval"),
    "one for one": ({"kind": "buy_get", "rules": {"buy": 1, "get": 1}}, "percent_without_approval"),
    "another product": (
        {"kind": "buy_get", "rules": {"buy": 9, "get": 1, "get_category": "tents"}}, "percent_without_approval",
    ),
}  # fmt: skip
SMALL: dict[str, dict[str, Any]] = {
    "percent": {"percent_off": 30},
    "amount": {"amount_off": 2000, "usage_limit": 5},
    "three and one": {"kind": "buy_get", "rules": {"buy": 3, "get": 1}},
    "shipping": {"kind": "free_shipping"},
}


@pytest.fixture
def desk(office: Office) -> Office:
    office.rule("promotions", **RULES)
    return office


def wanted(**said: Any) -> dict[str, Any]:
    return {"title": "Less", "code": "LESS"} | said


def promotions(desk: Office) -> list[tuple[str | None, int | None, int]]:
    with desk.shop.uow() as session:
        rows = session.scalars(select(Discount).order_by(Discount.id))
        return [(row.code, row.percent_off, row.version) for row in rows]


def counted(desk: Office) -> list[tuple[str, int, str | None]]:
    with desk.shop.uow() as session:
        rows = session.execute(select(Courtesy.kind, Courtesy.amount, Courtesy.approved).order_by(Courtesy.at))
        return [(str(kind), amount, approved) for kind, amount, approved in rows]


def bring(desk: Office, *rows: dict[str, Any], atomic: bool = False) -> Report:
    return kinds.run(
        desk.shop.runtime, desk.ann, of_text(json.dumps({"promotions": rows})), "json", kind="promotions",
        dry_run=False, atomic=atomic,
    )  # fmt: skip


@pytest.mark.parametrize("name", BIG)
def test_what_gives_away_too_much_waits_for_another_person(desk: Office, name: str) -> None:
    said, rule = BIG[name]
    waiting = desk.waiting(kind=ApprovalKind.PROMOTION, wanted=wanted(**said))
    assert (waiting.rule, waiting.status) == (f"promotions.{rule}", ApprovalStatus.PENDING)
    assert promotions(desk) == []
    assert counted(desk) == []
    assert desk.decide(waiting, desk.bob).status == ApprovalStatus.APPROVED
    assert promotions(desk) == [("LESS", said.get("percent_off"), 1)]
    assert all(approved == waiting.id for _, _, approved in counted(desk))
    assert broken(desk.shop) == []


@pytest.mark.parametrize("name", SMALL)
def test_what_gives_away_little_is_made_at_once(desk: Office, name: str) -> None:
    assert desk.ask(ApprovalKind.PROMOTION, wanted=wanted(**SMALL[name])).outcome is not None
    assert len(promotions(desk)) == 1
    assert counted(desk) == ([("promotion", 10_000, None)] if name == "amount" else [])


@pytest.mark.parametrize("name", BIG)
def test_a_file_goes_by_the_same_limits(desk: Office, name: str) -> None:
    report = bring(desk, wanted(**BIG[name][0]), wanted(code="FINE", percent_off=5))
    assert [str(row.verdict) for row in report.rows] == ["refused", "added"]
    [problem] = report.rows[0].problems
    assert problem.endswith("takes another person's approval.")
    assert promotions(desk) == [("FINE", 5, 1)]
    with desk.shop.uow() as session, pytest.raises(OverLimit):
        promoting.create(session, desk.ann, Promotion.model_validate(wanted(**BIG[name][0])))


def test_a_change_to_more_waits_and_one_to_less_does_not(desk: Office) -> None:
    made = desk.ask(ApprovalKind.PROMOTION, wanted=wanted(percent_off=20)).outcome
    assert made is not None
    found = {"discount_id": made["discount_id"]}
    waiting = desk.waiting(kind=ApprovalKind.PROMOTION, **found, changes={"percent_off": 60})
    report = bring(desk, {"code": "LESS", "percent_off": 60})
    assert report.rows[0].problems == ["More than 30 % off takes another person's approval."]
    assert promotions(desk) == [("LESS", 20, 1)]
    assert desk.decide(waiting, desk.bob).status == ApprovalStatus.APPROVED
    assert promotions(desk) == [("LESS", 60, 2)]
    assert desk.ask(ApprovalKind.PROMOTION, **found, changes={"title": "Much less"}).outcome is not None
    assert desk.ask(ApprovalKind.PROMOTION, **found, changes={"ends_at": "2099-01-01T00:00:00Z"}).outcome is not None
    later = desk.waiting(kind=ApprovalKind.PROMOTION, **found, changes={"ends_at": "2100-01-01T00:00:00Z"})
    assert later.rule == "promotions.percent_without_approval"
    assert desk.ask(ApprovalKind.PROMOTION, **found, changes={"percent_off": 10}).outcome is not None
    with pytest.raises(ApprovalOutdated):
        desk.decide(later, desk.bob)
    assert promotions(desk)[0][:2] == ("LESS", 10)


def test_money_that_promotions_may_give_away_is_added_up(desk: Office) -> None:
    desk.rule("payments", refund_limit_per_person_day=11_999)
    made = desk.ask(ApprovalKind.PROMOTION, wanted=wanted(amount_off=1000, usage_limit=8)).outcome
    assert made is not None
    over = desk.waiting(kind=ApprovalKind.PROMOTION, wanted=wanted(code="MORE", amount_off=1000, usage_limit=5))
    assert over.rule == "refund_limit_per_person_day"
    changed = {"discount_id": made["discount_id"], "changes": {"usage_limit": 10}}
    assert desk.ask(ApprovalKind.PROMOTION, **changed).outcome is not None
    assert counted(desk) == [("promotion", 8000, None), ("promotion", 2000, None)]
    assert desk.waiting(amount=2000).rule == "refund_limit_per_person_day"
    assert broken(desk.shop) == []


def test_a_shop_may_want_a_count_for_every_one_in_percent(desk: Office) -> None:
    desk.rule("promotions", endless_without_approval=False)
    waiting = desk.waiting(kind=ApprovalKind.PROMOTION, wanted=wanted(percent_off=5))
    assert waiting.rule == "promotions.endless_without_approval"
    assert desk.ask(ApprovalKind.PROMOTION, wanted=wanted(percent_off=5, usage_limit=100)).outcome is not None


def test_a_shop_without_limits_asks_nobody(desk: Office) -> None:
    desk.rule("promotions", **dict.fromkeys(RULES, None))
    desk.rule("payments", **{f"refund_limit_per_{one}": None for one in ("person_day", "day")})
    for number, said in enumerate((BIG["all of it"][0], BIG["without end"][0], BIG["one for one"][0])):
        assert desk.ask(ApprovalKind.PROMOTION, wanted=wanted(code=f"N-{number}", **said)).outcome is not None


def test_nobody_else_may(shop: Shop, desk: Office) -> None:
    with shop.uow() as session, pytest.raises(Forbidden):
        promoting.create(session, shop.shopper(), Promotion(title="Mine", percent_off=1))
