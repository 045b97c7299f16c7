"""What an agent may ask for waits for a person: nothing moves by it, and no tool reaches a decision."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from sqlalchemy import select

from engine.approvals.models import Approval, ApprovalStatus
from engine.approvals.service import decide
from engine.conversations import service as conversations
from engine.kit.errors import Forbidden, InvalidInput, NotFound
from engine.payments.models import Refund
from tests.engine.orders.desk import Desk, buy
from tests.engine.support.conftest import staff
from tests.shop import Shop
from tests.source import parsed
from tools.gate import CapReached, admit
from tools.requests import request_refund
from tools.spec import ToolContext, load

ROOT = Path(__file__).parents[2]


@pytest.fixture
def bought(shop: Shop) -> Desk:
    shop.add("TENT", price=10000)
    return buy(shop, "TENT")


def context(desk: Desk, identity=None) -> ToolContext:
    who = identity or desk.buyer
    with desk.shop.uow() as session:
        thread = conversations.create_thread(session, who)
    return ToolContext(desk.shop.runtime, who, thread.id, "run_x")


def test_it_waits_for_a_person_however_small(bought: Desk) -> None:
    asked = context(bought)
    told = request_refund(asked, bought.order_id, 1, "A scratch").result

    with bought.shop.uow() as session:
        row = session.scalars(select(Approval)).one()
        assert (row.id, row.status, row.thread_id) == (told["request"], ApprovalStatus.PENDING, asked.thread_id)
        assert session.scalars(select(Refund)).all() == []
    with pytest.raises(Forbidden):
        decide(bought.shop.runtime, bought.buyer, row.id, approve=True)
    assert decide(bought.shop.runtime, staff(bought.shop.tenant, "bob"), row.id, approve=True).status == "approved"


def test_only_for_ones_own_order_and_no_more_than_it_cost(bought: Desk) -> None:
    with pytest.raises(NotFound):
        request_refund(context(bought, bought.shop.shopper()), bought.order_id, 100, "Mine")
    with pytest.raises(InvalidInput):
        request_refund(context(bought), bought.order_id, 10_000_000, "All of it")
    with bought.shop.uow() as session:
        assert session.scalars(select(Approval)).all() == []


def test_not_without_end(bought: Desk) -> None:
    asked = context(bought)
    spec = load()["request_refund"]
    for _ in range(spec.caps["thread"]):
        admit(spec, asked)
    with pytest.raises(CapReached, match="Do not try again"):
        admit(spec, asked)
    elsewhere = context(bought)
    for _ in range(spec.caps["day"] - spec.caps["thread"]):
        admit(spec, elsewhere)
    with pytest.raises(CapReached):
        admit(spec, context(bought))
    admit(spec, context(bought, bought.shop.shopper()))


def test_no_tool_reaches_a_decision() -> None:
    assert "request_refund" in load()
    for file in [*ROOT.glob("tools/*.py"), *ROOT.glob("graph/*.py"), *ROOT.glob("agents/**/*.py")]:
        for node in ast.walk(parsed(file)):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
            assert not [name for name in names if name.startswith("engine.approvals.service")], file
