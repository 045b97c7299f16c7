"""A sold order, and people of the shop who ask each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import func, select

from engine.approvals.asking import Performed, Where, perform
from engine.approvals.models import Approval, ApprovalKind
from engine.approvals.service import decide
from engine.conversations import service as conversations
from engine.kit.identity import Identity
from engine.orders.models import Order, OrderAdjustment
from engine.payments.models import Refund
from engine.policies import set_policy
from tests.engine.orders.desk import Desk, buy
from tests.engine.support.conftest import staff
from tests.shop import Shop


@dataclass
class Office:
    """One shop with one order of 110.95, bought in a conversation, and three people."""

    desk: Desk
    thread_id: str
    ann: Identity
    bob: Identity
    eve: Identity

    @property
    def shop(self) -> Shop:
        return self.desk.shop

    def rule(self, section: str = "approvals", **values: Any) -> None:
        with self.shop.uow() as session:
            set_policy(session, self.shop.tenant.id, section, values, actor="test")

    def ask(self, kind: ApprovalKind = ApprovalKind.REFUND, *, by: Identity | None = None, **args: Any) -> Performed:
        """Do it if it may be done; refunds of 30.00 on the order without a word."""
        given = args
        if kind in {ApprovalKind.REFUND, ApprovalKind.GOODWILL}:
            given = {"order_id": self.desk.order_id, "amount": 3000, "reason": "A scratch"} | args
        with self.shop.uow() as session:
            done = perform(session, self.shop.runtime, by or self.ann, kind, given, reason="He is nice", where=Where())
        done.after_commit(self.shop.runtime, self.shop.tenant.id)
        return done

    def waiting(self, **args: Any) -> Approval:
        found = self.ask(**args).approval
        assert found is not None
        return found

    def decide(self, row: Approval, by: Identity, *, approve: bool = True) -> Approval:
        return decide(self.shop.runtime, by, row.id, approve=approve, note="Because")

    def now(self, row: Approval) -> Approval:
        with self.shop.uow() as session:
            return session.get_one(Approval, (row.tenant_id, row.id))

    def refunds(self) -> list[tuple[int, str, str | None]]:
        with self.shop.uow() as session:
            rows = session.execute(select(Refund.amount, Refund.status, Refund.approved).order_by(Refund.id))
            return [(amount, str(status), approved) for amount, status, approved in rows]

    def given(self) -> int:
        with self.shop.uow() as session:
            return -(session.scalar(select(func.coalesce(func.sum(OrderAdjustment.amount), 0))) or 0)

    def reads(self) -> list[str]:
        with self.shop.uow() as session:
            shown = conversations.snapshot(session, self.desk.buyer, self.thread_id)
        return [one.content for one in shown.messages if one.role == "assistant"]


@pytest.fixture
def office(shop: Shop) -> Office:
    shop.add("TENT", price=10000)
    desk = buy(shop, "TENT")
    with shop.uow() as session:
        thread = conversations.create_thread(session, desk.buyer)
        session.get_one(Order, (shop.tenant.id, desk.order_id)).thread_id = thread.id
    found = Office(desk, thread.id, *(staff(shop.tenant, name) for name in ("ann", "bob", "eve")))
    found.rule(refund_limit=2000, goodwill_limit=2000)
    return found
