"""The tools of the shop's own people: what they tell, and that a press comes before any act."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from engine.inventory import adjusting
from engine.kit import clock
from engine.kit.errors import Forbidden
from engine.kit.identity import Scope
from engine.payments.alerts import raise_alert
from tests.engine.fulfillment.conftest import Warehouse
from tests.engine.operations.conftest import person
from tests.shop import Shop
from tools.gate import admit
from tools.spec import AgentName, Outcome, Risk, ToolContext, load, tools_for


@pytest.fixture
def warehouse(shop: Shop) -> Warehouse:
    shop.add("A", stock={"EAST": 10, "WEST": 1})
    return Warehouse(shop)


def context(warehouse: Warehouse) -> ToolContext:
    return ToolContext(warehouse.shop.runtime, person(warehouse.shop.tenant, "noor"), "thr_x", "run_x")


def call(warehouse: Warehouse, name: str, **given: Any) -> Outcome:
    spec, ctx = load()[name], context(warehouse)
    admit(spec, ctx)
    arguments = spec.arguments.model_validate(given)
    return spec.function(ctx, **{key: getattr(arguments, key) for key in type(arguments).model_fields})


def test_only_the_shops_people_get_them(warehouse: Warehouse) -> None:
    own = [spec for spec in tools_for(AgentName.OPERATIONS) if spec.agents == {AgentName.OPERATIONS}]
    assert len(own) >= 19
    shopper = ToolContext(warehouse.shop.runtime, warehouse.shop.shopper(), "thr_x", "run_x")
    for spec in own:
        assert spec.staff, spec.name
        with pytest.raises(Forbidden):
            admit(spec, shopper)


def test_what_is_low_and_what_moved(warehouse: Warehouse) -> None:
    warehouse.buy(A=2)
    assert call(warehouse, "low_stock", location="WEST").result["items"] == []
    with warehouse.shop.uow() as session:
        item, place = warehouse.shop.variants["A"], warehouse.shop.locations["WEST"]
        level = {"variant_id": item, "location_id": place, "safety_stock": 0, "low_stock_at": 1}
        adjusting.set_level(session, warehouse.tenant_id, actor="test", **level)  # type: ignore[arg-type]
    low = call(warehouse, "low_stock", location="WEST").result
    assert [(row["sku"], row["locations"][0]["available"]) for row in low["items"]] == [("A", 1)]
    moved = call(warehouse, "stock_movements", sku="A", location="EAST").result["movements"]
    assert [(row["kind"], row["on_hand_delta"], row["reserved_delta"]) for row in moved] == [
        ("reserve", 0, 2),
        ("receipt", 10, 0),
    ]
    codes = [row["code"] for row in call(warehouse, "list_locations").result["locations"]]
    assert codes == ["EAST", "WEST", "STORE"]


def test_what_is_stuck_why_it_lies_where_it_does_and_who_has_it(warehouse: Warehouse) -> None:
    number = warehouse.order(warehouse.buy(A=1)).number
    with clock.shifted(timedelta(hours=30)):
        [row] = call(warehouse, "list_stuck_orders").result["items"]
    assert (row["number"], row["why"]) == (number, "not_released")
    assert call(warehouse, "find_order", order=number).result["number"] == number
    steps = call(warehouse, "explain_routing", order=number).result["steps"]
    assert [step["stage"] for step in steps] == ["sale", "now"]
    assert all(step["because"] for step in steps)


def test_exceptions_and_background_work(warehouse: Warehouse) -> None:
    with warehouse.shop.uow() as session:
        raise_alert(session, warehouse.tenant_id, "refund_failed", "rfd_1", "A refund of $5.00 failed.")
    [row] = call(warehouse, "list_exceptions").result["exceptions"]
    assert (row["kind"], row["action"], row["detail"]) == ("refund_failed", "refund_again", "A refund of $5.00 failed.")
    warehouse.buy(A=1)
    with clock.shifted(timedelta(minutes=1)):
        names = {one["name"] for one in call(warehouse, "background_work").result["work"]}
    assert "messages to mail" in names


PROPOSED: dict[str, dict[str, Any]] = {
    "propose_transfer": {"source": "EAST", "destination": "WEST", "lines": [{"sku": "A", "quantity": 1}]},
    "propose_stock_correction": {"sku": "A", "location": "EAST", "delta": 3, "reason": "found"},
    "propose_count": {"location": "EAST", "skus": ["A"]},
    "propose_release": {},
    "settle_exception": {},
}


@pytest.mark.parametrize("name", PROPOSED)
def test_what_is_proposed_is_only_a_card(warehouse: Warehouse, name: str) -> None:
    order_id = warehouse.buy(A=1)
    given = dict(PROPOSED[name])
    if name == "propose_release":
        given["order"] = order_id
    if name == "settle_exception":
        with warehouse.shop.uow() as session:
            raise_alert(session, warehouse.tenant_id, "payment_unknown", "pay_1", "Nobody knows.")
            given["alert_id"] = session.execute(text("SELECT id FROM app.alerts")).scalar_one()
    before = standing(warehouse)
    done = call(warehouse, name, **given)
    [card] = done.cards
    assert (card.activity_type, card.data["status"], card.key) == ("staff_act", "open", card.data["id"])
    assert done.result["words"] == card.data["words"]
    assert load()[name].risk is Risk.ASK
    assert standing(warehouse) == before


def standing(warehouse: Warehouse) -> list[tuple[Any, ...]]:
    """What an act would change."""
    with warehouse.shop.uow() as session:
        query = text(
            "SELECT (SELECT sum(on_hand * 1000 + reserved) FROM app.stock_levels),"
            " (SELECT count(*) FROM app.stock_movements), (SELECT count(*) FROM app.fulfillments),"
            " (SELECT count(*) FROM app.stock_counts), (SELECT count(*) FROM app.inbounds),"
            " (SELECT count(*) FROM app.journal_entries)"
        )
        return [tuple(row) for row in session.execute(query)]


def test_a_shelf_worker_without_the_scope_reads_and_proposes_nothing(warehouse: Warehouse) -> None:
    worker = ToolContext(warehouse.shop.runtime, person(warehouse.shop.tenant, "ben", Scope.STAFF), "thr_x", "run_x")
    assert load()["list_locations"].function(worker).result["locations"]
    with pytest.raises(Forbidden, match="scope ops"):
        load()["propose_count"].function(worker, "EAST", ["A"])
