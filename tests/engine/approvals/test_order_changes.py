"""A change of an order that gives back more than staff may: approved it is applied once, or not at all."""

from __future__ import annotations

from datetime import timedelta

import pytest

from engine.approvals.asking import ask
from engine.approvals.errors import ApprovalOutdated
from engine.approvals.models import Approval, ApprovalKind, ApprovalStatus
from engine.approvals.service import finish_claimed
from engine.kit import clock, faults
from engine.orders import service as orders
from tests.engine.approvals.conftest import Office
from tests.engine.approvals.test_approvals import Cut, cut_at
from tests.engine.orders.desk import broken, changes

CANCEL = {"kind": "cancel", "reason": "other"}


@pytest.fixture
def waiting(office: Office) -> Approval:
    office.rule("orders", staff_refund_limit=1000)
    with office.shop.uow() as session:
        given = {"order_id": office.desk.order_id, "wanted": CANCEL}
        return ask(session, office.ann, ApprovalKind.ORDER_CHANGE, given, reason="")


def test_approved_it_is_applied(office: Office, waiting: Approval) -> None:
    done = office.decide(waiting, office.bob)

    assert (done.status, done.amount) == (ApprovalStatus.APPROVED, office.desk.look().total.amount)
    assert (office.desk.look().status, changes(office.shop)) == ("canceled", ["applied"])
    assert broken(office.shop) == []


def test_an_order_that_changed_is_not(office: Office, waiting: Approval) -> None:
    with office.shop.uow() as session:
        orders.touch(orders.lock(session, office.shop.tenant.id, office.desk.order_id))
    with pytest.raises(ApprovalOutdated):
        office.decide(waiting, office.bob)

    assert (office.desk.look().status, changes(office.shop)) == ("open", [])


@pytest.mark.parametrize("point", [*faults.APPROVAL_POINTS, "before_t1_commit", "after_t1_commit"])
def test_cut_off_anywhere_it_is_applied_once(office: Office, waiting: Approval, point: str) -> None:
    cut_at(point)
    with pytest.raises(Cut):
        office.decide(waiting, office.bob)
    faults.set_hook(None)
    for _ in range(2):
        with clock.shifted(timedelta(minutes=2)):
            finish_claimed(office.shop.runtime, office.shop.tenant.id)

    assert office.now(waiting).status == ApprovalStatus.APPROVED
    assert changes(office.shop).count("applied") == 1
    assert len(office.refunds()) == 1
    assert office.desk.look().status == "canceled"
