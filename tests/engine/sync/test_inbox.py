"""What systems tell us: stored once, worked by one at a time, and never lost."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from engine.kit import clock
from engine.kit.errors import InvalidInput, NotFound
from engine.kit.state_machine import IllegalTransition
from engine.sync import inbox
from engine.sync.states import DELIVERY
from engine.sync.work_models import Delivery, DeliveryStatus

BODY = b'{"id": 1}'


def receive(runtime, tenant, delivery_id: str = "wh-1", body: bytes = BODY, **more) -> tuple[Delivery, bool]:
    usual = {"source": "shopify", "topic": "orders/create", "headers": {"X-Shopify-Topic": "orders/create"}}
    with runtime.unit_of_work(tenant.id) as session:
        return inbox.receive(session, tenant_id=tenant.id, delivery_id=delivery_id, body=body, **(usual | more))


def claim(runtime, tenant, **more) -> list[str]:
    with runtime.unit_of_work(tenant.id) as session:
        return [row.delivery_id for row in inbox.claim(session, tenant.id, **more)]


def test_told_again_it_is_the_first_one(runtime, tenant) -> None:
    first, new = receive(runtime, tenant)
    again, other = receive(runtime, tenant, body=b"something else")

    assert (new, other, again.id, again.body) == (True, False, first.id, BODY)


def test_one_of_eight_at_once_is_new(runtime, tenant) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: receive(runtime, tenant), range(8)))

    assert [new for _, new in found].count(True) == 1
    assert len({row.id for row, _ in found}) == 1


def test_the_same_id_of_another_source_or_shop_is_another(runtime, tenant, make_tenant) -> None:
    receive(runtime, tenant)

    assert receive(runtime, tenant, source="woocommerce")[1]
    assert receive(runtime, make_tenant())[1]


def test_what_proves_who_sent_it_is_not_kept(runtime, tenant) -> None:
    headers = {
        "X-Shopify-Hmac-Sha256": "abc",
        "Authorization": "Bearer x",
        "X-Topic": "t",
        "X-WC-Webhook-Signature": "s",
    }
    row, _ = receive(runtime, tenant, headers=headers)

    assert row.headers == {"x-topic": "t"}


@pytest.mark.parametrize(
    "more", [{"delivery_id": ""}, {"delivery_id": "x" * 201}, {"body": b"x" * (2 * 1024 * 1024 + 1)}]
)
def test_what_is_no_delivery_is_refused(runtime, tenant, more) -> None:
    with pytest.raises(InvalidInput):
        receive(runtime, tenant, **more)
    with runtime.unit_of_work(tenant.id) as session:
        assert session.query(Delivery).count() == 0


def test_each_is_worked_by_one(runtime, tenant) -> None:
    for number in range(20):
        receive(runtime, tenant, f"wh-{number:02}")
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: claim(runtime, tenant, limit=5), range(4)))

    got = sorted(one for some in found for one in some)
    assert len(got) == len(set(got))
    assert sorted(got + claim(runtime, tenant)) == [f"wh-{number:02}" for number in range(20)]


@pytest.mark.usefixtures("still_clock")
def test_who_dies_over_one_leaves_it_to_the_next(runtime, tenant) -> None:
    receive(runtime, tenant)
    assert claim(runtime, tenant) == ["wh-1"]
    assert claim(runtime, tenant) == []

    with clock.shifted(inbox.LEASE):
        assert claim(runtime, tenant) == ["wh-1"]


@pytest.mark.usefixtures("still_clock")
def test_one_that_everybody_dies_over_waits_for_a_person(runtime, tenant) -> None:
    row, _ = receive(runtime, tenant)
    for turn in range(inbox.MAX_ATTEMPTS):
        with clock.shifted(turn * inbox.LEASE):
            assert claim(runtime, tenant) == ["wh-1"]
    with clock.shifted(inbox.MAX_ATTEMPTS * inbox.LEASE):
        receive(runtime, tenant, "wh-2")
        assert claim(runtime, tenant) == ["wh-2"]
    with runtime.unit_of_work(tenant.id) as session:
        found = inbox.get(session, tenant.id, row.id)
        assert (found.status, found.error, found.attempts) == ("dead", "never_finished", inbox.MAX_ATTEMPTS)
        inbox.revive(session, tenant.id, row.id)
    assert claim(runtime, tenant) == ["wh-1"]


@pytest.mark.usefixtures("still_clock")
def test_it_comes_ever_later_and_then_waits_for_a_person(runtime, tenant) -> None:
    row, _ = receive(runtime, tenant)
    waits, passed = [], timedelta()
    for _ in range(inbox.MAX_ATTEMPTS):
        with clock.shifted(passed):
            assert claim(runtime, tenant) == ["wh-1"]
            with runtime.unit_of_work(tenant.id) as session:
                found = inbox.failed(session, tenant.id, row.id, error="vendor_unavailable")
            waits.append((found.available_at - clock.now()).total_seconds())
            passed += found.available_at - clock.now()
    assert waits[:-1] == [2, 4, 8, 16, 32, 64, 128]
    assert (found.status, found.error) == (DeliveryStatus.DEAD, "vendor_unavailable")
    with clock.shifted(timedelta(days=1)):
        assert claim(runtime, tenant) == []

    with runtime.unit_of_work(tenant.id) as session:
        inbox.revive(session, tenant.id, row.id)
    assert claim(runtime, tenant) == ["wh-1"]


def test_done_is_done(runtime, tenant) -> None:
    row, _ = receive(runtime, tenant)
    with runtime.unit_of_work(tenant.id) as session:
        inbox.done(session, tenant.id, row.id)
        inbox.done(session, tenant.id, row.id)
        assert inbox.failed(session, tenant.id, row.id, error="late").status == DeliveryStatus.DONE
        assert inbox.waiting(session, tenant.id) == 0
    with runtime.unit_of_work(tenant.id) as session, pytest.raises(IllegalTransition):
        inbox.revive(session, tenant.id, row.id)
    with runtime.unit_of_work(tenant.id) as session, pytest.raises(NotFound):
        inbox.get(session, tenant.id, "dlv_nowhere")


@pytest.mark.usefixtures("still_clock")
def test_what_was_worked_goes_and_what_waits_stays(runtime, tenant) -> None:
    row, _ = receive(runtime, tenant)
    receive(runtime, tenant, "wh-2")
    with runtime.unit_of_work(tenant.id) as session:
        inbox.done(session, tenant.id, row.id)
    with clock.shifted(timedelta(days=31)), runtime.unit_of_work(tenant.id) as session:
        inbox.forget_old(session, tenant.id, keep=timedelta(days=30))
        assert [one.delivery_id for one in session.query(Delivery)] == ["wh-2"]


def test_the_table_of_states_says_everything() -> None:
    allowed = {(old, new) for old in DeliveryStatus for new in DeliveryStatus if DELIVERY.allows(old, new)}

    assert allowed == {("waiting", "done"), ("waiting", "dead"), ("dead", "waiting")}
