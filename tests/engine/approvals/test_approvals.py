"""Above a limit somebody else has to say yes: to exactly that, in time, and it happens once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select, update

from engine.approvals import service, watch
from engine.approvals.errors import ApprovalDecided, ApprovalOutdated, MayNotApprove, OwnRequest
from engine.approvals.models import Approval, ApprovalKind, ApprovalStatus
from engine.approvals.service import finish_claimed
from engine.carts.models import Discount
from engine.checkout.complete import complete
from engine.db import Addresses
from engine.jobs import tell_conversations, watch_approvals
from engine.kit import clock, faults
from engine.kit.audit import AuditRow
from engine.kit.errors import InvalidInput, NotFound
from engine.kit.identity import Scope
from engine.kit.tenancy import ApiKey
from engine.orders import service as orders
from engine.payments import refunds
from engine.payments.errors import RefundExceedsCapture
from engine.payments.models import Alert, Refund
from engine.payments.stored_value_models import StoredValueAccount
from tests.engine.approvals.conftest import Office
from tests.engine.orders.desk import broken, stock
from tests.engine.support.conftest import staff

ROOT = Path(__file__).parents[3]


def test_within_the_limit_it_is_done_at_once(office: Office) -> None:
    done = office.ask(amount=2000)

    assert done.approval is None
    assert office.refunds() == [(2000, "succeeded", None)]
    assert office.given() == 2000
    assert broken(office.shop) == []


def test_the_limit_counts_what_was_given_before(office: Office) -> None:
    office.ask(amount=1500)
    waiting = office.waiting(amount=501)

    assert (waiting.amount, waiting.currency, waiting.rule) == (501, "USD", "approvals.refund_limit")
    assert office.refunds() == [(1500, "succeeded", None)]


def test_somebody_elses_yes_has_it_done_once_and_the_shopper_hears_it(office: Office) -> None:
    waiting = office.waiting()
    assert (office.refunds(), waiting.status) == ([], ApprovalStatus.PENDING)

    done = office.decide(waiting, office.bob)

    assert (done.status, done.decided_by, done.note) == (ApprovalStatus.APPROVED, office.bob.id, "Because")
    assert done.outcome is not None
    assert office.refunds() == [(3000, "succeeded", waiting.id)]
    assert office.decide(waiting, office.bob).status == ApprovalStatus.APPROVED
    finish_claimed(office.shop.runtime, office.shop.tenant.id)
    assert office.refunds() == [(3000, "succeeded", waiting.id)]
    for _ in range(2):
        tell_conversations(office.shop.runtime, office.shop.tenant.id)
    (heard,) = [one for one in office.reads() if one.startswith("Good news")]
    assert heard.startswith("Good news: the refund of $30.00 is approved.")
    assert broken(office.shop) == []


def test_a_no_is_told_without_its_reason_and_nothing_moves(office: Office) -> None:
    waiting = office.waiting()

    assert office.decide(waiting, office.bob, approve=False).status == ApprovalStatus.DECLINED
    with pytest.raises(ApprovalDecided):
        office.decide(waiting, office.eve)
    tell_conversations(office.shop.runtime, office.shop.tenant.id)

    assert office.refunds() == []
    (heard,) = office.reads()
    assert "$30.00 was not approved" in heard
    for secret in ("Because", "He is nice", "bob", "ann", "limit"):
        assert secret not in heard


def test_whoever_asked_does_not_decide_with_any_of_their_keys(office: Office) -> None:
    waiting = office.waiting()
    for again in (office.ann, staff(office.shop.tenant, "ann", Scope.ADMIN)):
        for approve in (True, False):
            with pytest.raises(OwnRequest):
                office.decide(waiting, again, approve=approve)
    assert (office.now(waiting).status, office.refunds()) == (ApprovalStatus.PENDING, [])


def test_a_key_that_is_named_later_is_that_persons_too(office: Office) -> None:
    nameless = staff(office.shop.tenant, None)
    waiting = office.waiting(by=nameless)
    with office.shop.runtime.store.without_tenant() as session:
        session.add(
            ApiKey(
                id=nameless.id, key_hash=nameless.id, tenant_id=office.shop.tenant.id, scopes=["staff"], person="bob"
            )
        )

    with pytest.raises(OwnRequest):
        office.decide(waiting, office.bob)
    assert office.decide(waiting, office.eve).status == ApprovalStatus.APPROVED


def test_who_may_decide_is_the_shops_rule(office: Office) -> None:
    office.rule(approver_scopes=["admin"], named_people_only=True)
    waiting = office.waiting()
    for wrong in (office.bob, office.desk.buyer, staff(office.shop.tenant, None, Scope.ADMIN)):
        with pytest.raises(MayNotApprove):
            office.decide(waiting, wrong)
    assert office.decide(waiting, staff(office.shop.tenant, "zoe", Scope.ADMIN)).status == ApprovalStatus.APPROVED


def test_two_people_where_two_are_needed(office: Office) -> None:
    office.rule(approvers={"refund": 2})
    waiting = office.waiting()

    assert office.decide(waiting, office.bob).status == ApprovalStatus.PENDING
    assert office.decide(waiting, staff(office.shop.tenant, "bob")).status == ApprovalStatus.PENDING
    assert office.refunds() == []
    assert office.decide(waiting, office.eve).status == ApprovalStatus.APPROVED
    assert office.refunds() == [(3000, "succeeded", waiting.id)]
    assert broken(office.shop) == []


def test_two_who_say_yes_at_once_are_one_yes(office: Office) -> None:
    waiting, gate, said = office.waiting(), threading.Barrier(4), []

    def approve(name: str) -> None:
        who = staff(office.shop.tenant, name)
        gate.wait()
        try:
            said.append(str(office.decide(waiting, who).status))
        except ApprovalDecided as late:
            said.append(late.code)

    threads = [threading.Thread(target=approve, args=(f"p{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(said) == ["approval_decided"] * 3 + ["approved"]
    assert office.refunds() == [(3000, "succeeded", waiting.id)]
    assert len(office.now(waiting).agreed) == 1
    assert broken(office.shop) == []


def test_what_has_changed_since_is_not_approved(office: Office) -> None:
    waiting = office.waiting()
    office.ask(amount=1000)

    with pytest.raises(ApprovalOutdated):
        office.decide(waiting, office.bob)

    assert (office.now(waiting).status, office.now(waiting).failure_code) == ("failed", "approval_outdated")
    assert office.refunds() == [(1000, "succeeded", None)]
    assert office.waiting().id != waiting.id
    assert broken(office.shop) == []


def test_a_shipment_meanwhile_changes_nothing(office: Office) -> None:
    waiting = office.waiting()
    with office.shop.uow() as session:
        orders.touch(orders.lock(session, office.shop.tenant.id, office.desk.order_id))

    assert office.decide(waiting, office.bob).status == ApprovalStatus.APPROVED


def test_asked_twice_it_waits_once(office: Office) -> None:
    assert office.waiting().id == office.waiting(by=office.bob).id
    with office.shop.uow() as session:
        assert session.scalar(select(func.count()).select_from(Approval)) == 1


def test_it_warns_before_it_runs_out_and_then_it_does(office: Office) -> None:
    waiting, tenant_id = office.waiting(), office.shop.tenant.id
    with clock.shifted(timedelta(hours=69)):
        for _ in range(2):
            watch_approvals(office.shop.runtime, tenant_id)
        assert alerts(office) == ["approval_expiring"]
    with clock.shifted(timedelta(hours=73)):
        with pytest.raises(ApprovalDecided):
            office.decide(waiting, office.bob)
        with office.shop.uow() as session:
            assert watch.end_old(session, tenant_id) == 1
        assert (office.now(waiting).status, alerts(office)) == (ApprovalStatus.EXPIRED, [])
        tell_conversations(office.shop.runtime, tenant_id)
    assert "not decided in time" in office.reads()[0]
    assert office.refunds() == []


def alerts(office: Office) -> list[str]:
    with office.shop.uow() as session:
        return list(session.scalars(select(Alert.kind).where(Alert.resolved_at.is_(None))))


class Cut(Exception):
    pass


def cut_at(point: str) -> None:
    def hook(name: str) -> None:
        if name == point:
            raise Cut

    faults.set_hook(hook)


@pytest.mark.parametrize("point", faults.APPROVAL_POINTS)
def test_cut_off_anywhere_it_is_done_once(office: Office, point: str) -> None:
    waiting = office.waiting()
    cut_at(point)
    with pytest.raises(Cut):
        office.decide(waiting, office.bob)
    faults.set_hook(None)
    for _ in range(2):
        with clock.shifted(timedelta(minutes=2)):
            finish_claimed(office.shop.runtime, office.shop.tenant.id)

    assert office.now(waiting).status == ApprovalStatus.APPROVED
    assert [(amount, approved) for amount, _, approved in office.refunds()] == [(3000, waiting.id)]
    with office.shop.uow() as session:
        done = select(func.count()).select_from(AuditRow).where(AuditRow.action == "approval.executed")
        assert session.scalar(done) == 1


def test_the_captured_money_still_bounds_it(office: Office) -> None:
    waiting = office.waiting(amount=20_000)

    done = office.decide(waiting, office.bob)

    assert (done.status, done.failure_code, office.refunds()) == ("failed", "refund_exceeds_capture", [])
    tell_conversations(office.shop.runtime, office.shop.tenant.id)
    assert "could not be made" in office.reads()[0]


def test_the_limits_of_payments_wait_for_a_yes_too(office: Office) -> None:
    office.rule(refund_limit=None)
    office.rule("payments", refund_limit_per_day=1000)
    waiting = office.waiting(amount=1001)

    assert waiting.rule == "refund_limit_per_day"
    assert office.decide(waiting, office.bob).status == ApprovalStatus.APPROVED


def test_store_credit_above_the_limit(office: Office) -> None:
    office.ask(ApprovalKind.GOODWILL, amount=2000)
    waiting = office.waiting(kind=ApprovalKind.GOODWILL, amount=100)
    office.decide(waiting, office.bob)

    with office.shop.uow() as session:
        accounts = session.scalars(select(StoredValueAccount).order_by(StoredValueAccount.id)).all()
        assert [(row.balance, row.owner_id) for row in accounts] == [
            (2000, office.desk.buyer.id),
            (100, office.desk.buyer.id),
        ]
    assert broken(office.shop) == []


def test_a_code_above_the_limit_reaches_the_shopper_only_when_approved(office: Office) -> None:
    assert office.ask(ApprovalKind.DISCOUNT, percent_off=20).outcome is not None
    waiting = office.waiting(kind=ApprovalKind.DISCOUNT, percent_off=21)
    with office.shop.uow() as session:
        assert session.scalar(select(func.count()).select_from(Discount)) == 1
    done = office.decide(waiting, office.bob)

    assert done.outcome is not None
    with office.shop.uow() as session:
        row = session.get_one(Discount, (office.shop.tenant.id, done.outcome["discount_id"]))
        assert (row.code, row.percent_off, row.usage_limit) == (done.outcome["code"], 21, 1)


def test_stock_above_the_limit(office: Office) -> None:
    office.shop.add("MUG", stock={"EAST": 50})
    args = {
        "variant_id": office.shop.variants["MUG"],
        "location_id": office.shop.locations["EAST"],
        "delta": -30,
        "reason": "Flood",
    }
    waiting = office.waiting(kind=ApprovalKind.WRITE_OFF, **args)
    assert (waiting.amount, stock(office.shop, "MUG")) == (75_000, (50, 0))

    assert office.decide(waiting, office.bob).status == ApprovalStatus.APPROVED
    assert stock(office.shop, "MUG") == (20, 0)
    assert broken(office.shop) == []


def test_arguments_that_cannot_be_are_refused(office: Office) -> None:
    with pytest.raises(InvalidInput):
        office.ask(amount=-1)
    with pytest.raises(InvalidInput):
        office.ask(ApprovalKind.DISCOUNT, percent_off=10, amount_off=10)
    with pytest.raises(NotFound):
        office.ask(order_id="ord_x")
    with pytest.raises(NotFound):
        office.decide(Approval(tenant_id=office.shop.tenant.id, id="apv_x"), office.bob)


_DIE = """
import sys
from engine.approvals.service import decide
from engine.catalog.search import CatalogSearch
from engine.db import Store
from engine.kit import faults
from engine.kit.identity import Actor, Identity, Scope
from engine.migrate import load_models
from engine.payments.gateways.sandbox.gateway import SandboxGateway
from engine.runtime import Runtime
point, tenant_id, approval_id, runtime_url, sandbox_url, key = sys.argv[1:]
load_models()
secret = bytes.fromhex(key)
gateway = SandboxGateway(sandbox_url, secret, page_url=lambda: "")
runtime = Runtime(Store(runtime_url), {"sandbox": gateway}, CatalogSearch(), secret, True, lambda: "")
faults.set_hook(faults.kill_at(point))
bob = Identity(tenant_id, Actor.API_KEY, "key_bob", scopes=frozenset({Scope.STAFF}), person="bob")
decide(runtime, bob, approval_id, approve=True)
"""


@pytest.mark.parametrize("point", [*faults.APPROVAL_POINTS, "refund_after_gateway"])
def test_killed_anywhere_it_is_done_once(office: Office, addresses: Addresses, point: str) -> None:
    waiting, tenant_id = office.waiting(), office.shop.tenant.id
    urls = (addresses.runtime, addresses.sandbox, addresses.secret_key.hex())

    died = subprocess.run(
        [sys.executable, "-c", _DIE, point, tenant_id, waiting.id, *urls],
        check=False,
        timeout=60,
        capture_output=True,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT}/agents"},
    )
    with office.shop.uow() as session:  # once the store has noticed who died, and not before
        session.get_one(Approval, (tenant_id, waiting.id), with_for_update=True)
    with clock.shifted(timedelta(minutes=5)):
        finish_claimed(office.shop.runtime, tenant_id)
        refunds.finish_pending(office.shop.runtime, tenant_id)

    assert died.returncode == -signal.SIGKILL, died.stderr
    assert office.now(waiting).status == ApprovalStatus.APPROVED
    assert office.refunds() == [(3000, "succeeded", waiting.id)]
    assert broken(office.shop) == []


def test_the_limit_of_store_credit_counts_two_orders_of_a_buyer_at_once(office: Office) -> None:
    shop = office.shop
    again = complete(shop.runtime, office.desk.buyer, shop.approved(office.desk.buyer, "TENT"))
    assert again.order is not None
    orders_of = [office.desk.order_id, again.order.id]
    both = threading.Barrier(2)

    def give(order_id: str) -> bool:
        both.wait(timeout=30)
        return office.ask(ApprovalKind.GOODWILL, order_id=order_id, amount=1500).approval is None

    for _ in range(3):
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(give, orders_of))
    with shop.uow() as session:
        credited = session.scalar(select(func.coalesce(func.sum(StoredValueAccount.balance), 0)))
    assert credited == 1500


def test_what_is_no_longer_due_is_not_given_back_once_more(office: Office) -> None:
    office.rule(refund_limit=None)
    office.rule("payments", refund_limit_per_order=None, refund_limit_per_customer_day=None)
    office.desk.do("cancel", reason="other")
    with office.shop.uow() as session:
        session.execute(update(Refund).values(status="failed"))
    before = office.given()

    with pytest.raises(RefundExceedsCapture):
        office.ask(amount=3000)

    assert office.given() == before


def test_one_that_breaks_keeps_no_other_waiting(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [office.waiting(amount=amount) for amount in (2100, 2200)]
    with office.shop.uow() as session:
        session.execute(update(Approval).values(status="claimed", lease_until=clock.now() - timedelta(seconds=1)))
    carried: list[str] = []

    def carry_out(_runtime: object, _tenant_id: str, approval_id: str) -> None:
        carried.append(approval_id)
        raise RuntimeError

    monkeypatch.setattr(service, "carry_out", carry_out)

    assert finish_claimed(office.shop.runtime, office.shop.tenant.id) == 2
    assert sorted(carried) == sorted(row.id for row in rows)
