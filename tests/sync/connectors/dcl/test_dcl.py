"""DCL's ways: failure by 200 at two levels, numbers that are used once, lists that end with an empty page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from engine.kit import clock
from engine.kit.tenancy import Tenant
from engine.runtime import Runtime
from engine.sync.canonical import Refused, Taken, WarehouseState
from engine.sync.connectors.dcl.reading import shipment_id
from engine.sync.connectors.dcl.wire import Package, Shipment, ShippedLine
from engine.sync.errors import Rejected, Transient, UnknownOutcome
from engine.sync.models import Call, System
from engine.sync.port import Unread
from tests.contracts.connectors import bench, scenes
from tests.contracts.connectors.calls_dcl import batch_order

Answer = Callable[[httpx.Request], httpx.Response]
SHIPPED_AT = bench.START + timedelta(hours=2)


class House:
    """A warehouse that a test plays itself, and the connector to it."""

    def __init__(self, runtime: Runtime, tenant: Tenant, hands: clock.OwnClock, **settings: Any) -> None:
        self.runtime, self.tenant = runtime, tenant
        self.asked: list[tuple[str, str]] = []
        self.pages: list[Any] = []
        self.batch: dict[str, Any] = {"error_code": 0, "error_message": "", "order_statuses": []}
        account = bench.account_of(System.DCL, bench.usual_credentials())
        self.id = bench.connect(runtime, tenant.id, System.DCL, bench.usual_credentials())
        if settings:
            from engine.sync import connections

            with runtime.unit_of_work(tenant.id) as session:
                whole = dict(account.settings) | settings
                connections.change(session, runtime, tenant.id, self.id, actor="test", settings=whole)
        self.dcl = scenes.opened(runtime, tenant.id, self.id, httpx.MockTransport(self._play), hands)

    def _play(self, request: httpx.Request) -> httpx.Response:
        self.asked.append((request.method, request.url.path.removeprefix("/dcl/api/v1")))
        if request.method == "POST":
            return httpx.Response(200, json=self.batch)
        return httpx.Response(200, json={"orders": self.pages.pop(0) if self.pages else []})

    def outcomes(self) -> list[str]:
        with self.runtime.unit_of_work(self.tenant.id) as session:
            return [one.outcome for one in session.query(Call).order_by(Call.id) if one.method == "POST"]


@pytest.fixture
def hands() -> Iterator[clock.OwnClock]:
    with clock.own(bench.START) as made:
        yield made


@pytest.fixture
def house(runtime: Runtime, tenant: Tenant, hands: clock.OwnClock) -> House:
    return House(runtime, tenant, hands)


def row(number: str, **more: Any) -> dict[str, Any]:
    return {"order_number": number, "account_number": "20001", "order_status": 1, "shipments": []} | more


def failed(code: int, words: str, **statuses: tuple[int, str]) -> dict[str, Any]:
    rows = [
        {"order_number": number.replace("_", "-"), "error_code": one, "error_message": said}
        for number, (one, said) in statuses.items()
    ]
    return {"error_code": code, "error_message": words, "order_statuses": rows}


def test_an_order_is_looked_for_before_it_is_sent(house: House) -> None:
    house.pages = [[row("TS-1")]]
    assert house.dcl.submit([batch_order("TS-1")]) == {"TS-1": Taken(order_ref="TS-1")}
    assert house.asked == [("GET", "/orders")]


def test_two_requests_send_one_that_is_not_there(house: House) -> None:
    assert house.dcl.submit([batch_order("TS-1")]) == {"TS-1": Taken(order_ref="TS-1")}
    assert house.asked == [("GET", "/orders"), ("POST", "/batches")]


def test_an_error_of_one_order_is_told_of_that_order(house: House) -> None:
    house.batch = failed(1, "1 orders failed", TS_1=(0, ""), TS_2=(30, "Item NOPE is unknown"))
    house.pages = [[], [row("TS-1")]]
    found = house.dcl.submit([batch_order("TS-1"), batch_order("TS-2", item="NOPE")])
    assert found["TS-1"] == Taken(order_ref="TS-1")
    assert found["TS-2"] == Refused(order_ref="TS-2", code="30", message="Item NOPE is unknown")
    assert house.outcomes() == ["vendor_rejected"]


def test_an_order_without_an_error_in_a_batch_with_one_was_not_taken_unless_it_is_there(house: House) -> None:
    house.batch = failed(1, "1 orders failed", TS_1=(0, ""), TS_2=(10, "lines are required"))
    found = house.dcl.submit([batch_order("TS-1"), batch_order("TS-2")])
    assert found["TS-1"] == Refused(order_ref="TS-1", code="not_taken", message="1 orders failed")


def test_a_batch_that_is_refused_whole_is_rejected_though_http_says_200(house: House) -> None:
    house.batch = failed(10, "A batch has between 1 and 1000 orders")
    with pytest.raises(Rejected, match="between 1 and 1000"):
        house.dcl.submit([batch_order("TS-1")])


@pytest.mark.parametrize("code", ["0", 0, None, ""])
def test_codes_that_say_that_it_went_well(house: House, code: Any) -> None:
    house.batch = {"error_code": code, "order_statuses": [{"order_number": "TS-1", "error_code": code}]}
    assert house.dcl.submit([batch_order("TS-1")]) == {"TS-1": Taken(order_ref="TS-1")}


def test_a_warehouse_that_is_busy_with_an_order_is_asked_again_later(
    runtime: Runtime, tenant: Tenant, hands: clock.OwnClock
) -> None:
    house = House(runtime, tenant, hands, busy_codes=[99])
    house.batch = failed(1, "1 orders failed", TS_1=(99, "The order could not be processed now"))
    with pytest.raises(Transient, match="could not be processed now"):
        house.dcl.submit([batch_order("TS-1")])


def test_a_number_that_was_canceled_there_is_used(house: House) -> None:
    house.batch = failed(1, "1 orders failed", TS_1=(20, "Order TS-1 already exists"))
    house.pages = [[], [], [row("TS-1", order_status=2)]]
    assert house.dcl.submit([batch_order("TS-1")])["TS-1"].code == "canceled"


def test_an_answer_that_cannot_be_read_is_not_an_order_that_is_not_there(house: House) -> None:
    house.pages = [[{"order_number": None}]]
    with pytest.raises(Rejected, match="cannot be read") as refused:
        house.dcl.submit([batch_order("TS-1")])
    assert refused.value.fields[0].path == "orders[0].order_number"
    assert ("POST", "/batches") not in house.asked


def test_an_order_that_cannot_be_read_holds_up_no_other(house: House) -> None:
    bad = row("TS-1", modified_at="2026-11-26T09:00:00Z", shipments=[{"ship_date": "never"}])
    house.pages = [[bad, row("TS-2")]]
    unread = list[Unread]()
    assert [one.order_ref for one in house.dcl.orders(state=WarehouseState.OPEN, unread=unread.append)] == ["TS-2"]
    assert [(one.source_id, one.changed_at) for one in unread] == [("TS-1", "2026-11-26T09:00:00Z")]
    assert [one.path for one in unread[0].error.fields] == ["orders[0].shipments.0.ship_date"]
    house.pages = [[bad, row("TS-2")]]
    with pytest.raises(Rejected, match="cannot be read"):
        list(house.dcl.orders(state=WarehouseState.OPEN))


def test_an_order_without_a_number_is_no_order_to_go_on_without(house: House) -> None:
    house.pages = [[{"order_number": None}, row("TS-2")]]
    with pytest.raises(Rejected, match="cannot be read"):
        list(house.dcl.orders(state=WarehouseState.OPEN, unread=lambda _: None))


def test_an_answer_that_breaks_off_is_an_unknown_outcome(
    runtime: Runtime, tenant: Tenant, hands: clock.OwnClock, house: House
) -> None:
    def broken(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(200, json={"orders": []})
        return httpx.Response(200, content=b'{"error_code":', headers={"content-type": "application/json"})

    dcl = scenes.opened(runtime, tenant.id, house.id, httpx.MockTransport(broken), hands)
    with pytest.raises(UnknownOutcome):
        dcl.submit([batch_order("TS-1")])


def test_an_order_that_moves_to_a_later_page_hides_no_other(house: House) -> None:
    many = [row(f"TS-{n}") for n in range(200)]
    house.pages = [many[:100], [*many[101:], many[0]], [], [*many[1:101]], [*many[101:], many[0]], []]
    found = [one.order_ref for one in house.dcl.orders(state=WarehouseState.OPEN)]
    assert sorted(found) == sorted(one["order_number"] for one in many)


@pytest.mark.parametrize(
    ("told", "state"),
    [
        ({"order_status": 3}, "shipped"),
        ({"order_status": None, "stage_description": "Shipped"}, "shipped"),
        ({"order_status": None, "stage_description": "Cancelled by customer"}, "canceled"),
        ({"order_status": None, "stage_description": "In Process"}, "open"),
    ],
)
def test_a_state_is_told_by_number_or_by_words(house: House, told: dict[str, Any], state: str) -> None:
    house.pages = [[row("TS-1") | told]]
    assert next(house.dcl.orders(numbers=["TS-1"])).state == state


def test_times_without_a_zone_are_the_warehouses_own(runtime: Runtime, tenant: Tenant, hands: clock.OwnClock) -> None:
    house = House(runtime, tenant, hands, time_zone="America/Los_Angeles")
    house.pages = [[row("TS-1", modified_at="2026-11-26T01:00:00")]]
    assert next(house.dcl.orders(numbers=["TS-1"])).modified_at.isoformat() == "2026-11-26T01:00:00-08:00"


def test_paths_are_the_connections_where_it_names_some(runtime: Runtime, tenant: Tenant, hands: clock.OwnClock) -> None:
    house = House(runtime, tenant, hands, paths={"batches": "/v2/batches"})
    house.dcl.submit([batch_order("TS-1")])
    assert house.asked[-1] == ("POST", "/v2/batches")


def test_a_shipment_is_named_by_its_cartons_in_whatever_order() -> None:
    one, two = Package(carton_id="C1", tracking_number="1Z1"), Package(carton_id="C2", tracking_number="1Z2")

    def named(*packages: Package) -> str:
        return shipment_id("TS-1", Shipment(ship_date=SHIPPED_AT, packages=list(packages)))

    assert named(one, two) == named(two, one)
    relabeled = one.model_copy(update={"tracking_number": "1Z9"})
    assert named(relabeled, two) == named(one, two)
    assert len({named(one), named(two), named(one, two)}) == 3


def test_a_shipment_without_cartons_is_named_by_what_left_and_when(house: House) -> None:
    lines = [ShippedLine(item_number="A", quantity=2)]
    first = Shipment(ship_date=SHIPPED_AT, shipped_lines=lines)
    later = Shipment(ship_date=SHIPPED_AT + timedelta(days=1), shipped_lines=lines)
    assert shipment_id("TS-1", first) != shipment_id("TS-1", later)
    told = {"ship_date": SHIPPED_AT.isoformat(), "shipped_lines": [{"item_number": "A", "quantity": 2}]}
    house.pages = [[row("TS-1", shipments=[told])]]
    (left,) = next(house.dcl.orders(numbers=["TS-1"])).shipments
    assert [(one.tracking_number, one.items[0].sku, one.items[0].quantity) for one in left.parcels] == [("", "A", 2)]


def test_a_batch_that_is_refused_without_a_word_says_its_code(house: House) -> None:
    house.batch = {"error_code": 40, "order_statuses": [{"order_number": "TS-1", "error_code": 0}]}
    found = house.dcl.submit([batch_order("TS-1")])
    assert found == {"TS-1": Refused(order_ref="TS-1", code="not_taken", message="DCL says error 40.")}
    assert house.outcomes() == ["vendor_rejected"]


def test_an_order_that_is_refused_without_a_word_says_its_code(house: House) -> None:
    house.batch = {"error_code": 0, "order_statuses": [{"order_number": "TS-1", "error_code": 30}]}
    found = house.dcl.submit([batch_order("TS-1")])
    assert found == {"TS-1": Refused(order_ref="TS-1", code="30", message="error 30")}


@pytest.mark.parametrize("status", [200, 400])
@pytest.mark.parametrize("words", [{}, {"error_message": ""}, {"error_message": None}])
def test_a_refusal_without_words_says_its_code(
    runtime: Runtime, tenant: Tenant, hands: clock.OwnClock, house: House, status: int, words: dict[str, Any]
) -> None:
    line = httpx.MockTransport(lambda _: httpx.Response(status, json={"error_code": 12} | words))
    dcl = scenes.opened(runtime, tenant.id, house.id, line, hands)
    with pytest.raises(Rejected, match=r"^DCL says error 12\.$") as refused:
        list(dcl.orders(numbers=["TS-1"]))
    assert refused.value.answer == status
