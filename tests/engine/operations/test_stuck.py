"""What does not move is found, with the reason, and nothing else is."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import text

from engine.fulfillment.shipments import ship_now
from engine.kit import clock
from engine.operations.stuck import Why, stuck
from engine.operations.work import background_work
from tests.conftest import MakeTenant
from tests.engine.fulfillment.conftest import Warehouse


def told(warehouse: Warehouse, why: Why | None = None) -> list[tuple[str, str]]:
    with warehouse.shop.uow() as session:
        found = stuck(session, warehouse.tenant_id, why=why)
        assert found.waiting == len(found.items)
        return [(one.order_id, one.why) for one in found.items]


def write(warehouse: Warehouse, statement: str) -> None:
    with warehouse.shop.uow() as session:
        assert session.execute(text(statement)).rowcount == 1  # type: ignore[attr-defined]


def test_a_fresh_order_is_not_stuck(warehouse: Warehouse) -> None:
    warehouse.buy(A=2)
    assert told(warehouse) == []


def test_an_order_that_nobody_releases(warehouse: Warehouse) -> None:
    order_id = warehouse.buy(A=2)
    with clock.shifted(timedelta(hours=25)):
        assert told(warehouse) == [(order_id, "not_released")]
        warehouse.release(order_id)
        assert told(warehouse) == []


def test_work_that_nobody_ships(warehouse: Warehouse) -> None:
    order_id = warehouse.buy(A=2)
    [work_id] = warehouse.release(order_id)
    with clock.shifted(timedelta(hours=47)):
        assert told(warehouse) == []
    with clock.shifted(timedelta(hours=49)):
        assert told(warehouse) == [(order_id, "not_shipped")]
        ship_now(warehouse.shop.runtime, warehouse.tenant_id, work_id, actor="test")
        assert told(warehouse) == []


def test_each_reason_is_found(warehouse: Warehouse) -> None:
    """The states are written down as other rooms write them; each has its words."""
    order_id = warehouse.buy(A=1)
    [work_id] = warehouse.release(order_id)
    write(warehouse, "UPDATE app.fulfillments SET status = 'exception'")
    assert told(warehouse) == [(order_id, "short_pick")]
    write(warehouse, "UPDATE app.fulfillments SET status = 'released'")
    ship_now(warehouse.shop.runtime, warehouse.tenant_id, work_id, actor="test")
    for state, why in (("lost", "parcel_lost"), ("exception", "parcel_exception")):
        write(warehouse, f"UPDATE app.shipments SET status = '{state}', lost_at = now()")  # noqa: S608 (ours)
        assert told(warehouse) == [(order_id, why)]
    write(warehouse, "UPDATE app.shipments SET status = 'shipped', lost_at = NULL, expected_on = current_date - 3")
    assert told(warehouse) == [(order_id, "parcel_late")]
    write(
        warehouse,
        "UPDATE app.orders SET status = 'on_hold', hold_reason = 'review', updated_at = now() - interval '2 d'",
    )
    assert sorted(told(warehouse)) == [(order_id, "on_hold"), (order_id, "parcel_late")]
    assert told(warehouse, Why.ON_HOLD) == [(order_id, "on_hold")]
    write(warehouse, "UPDATE app.payments SET status = 'unknown', created_at = now() - interval '1 h'")
    assert told(warehouse, Why.PAYMENT_UNANSWERED) == [(order_id, "payment_unanswered")]
    assert {why for _, why in told(warehouse)} < set(Why)


def test_another_shop_sees_nothing_of_it(warehouse: Warehouse, make_tenant: MakeTenant) -> None:
    warehouse.buy(A=1)
    other = make_tenant().id
    with clock.shifted(timedelta(hours=30)), warehouse.shop.runtime.unit_of_work(other) as session:
        assert stuck(session, other).items == []
        assert stuck(session, other, why=Why.NOT_RELEASED).waiting == 0


def test_work_in_the_background_is_told_while_it_waits(warehouse: Warehouse) -> None:
    warehouse.buy(A=1)
    with clock.shifted(timedelta(minutes=1)), warehouse.shop.uow() as session:
        names = {one.name: one for one in background_work(session, warehouse.tenant_id)}
    assert names["messages to mail"].waiting == 1
    assert names["messages to mail"].given_up == 0
    with clock.shifted(timedelta(minutes=1)), warehouse.shop.uow() as session:
        session.execute(text("UPDATE app.outbox SET attempts = 20 WHERE consumer = 'mail'"))
        first = background_work(session, warehouse.tenant_id)[0]
    assert (first.name, first.waiting, first.given_up) == ("messages to mail", 0, 1)
