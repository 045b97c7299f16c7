"""The warehouse: batches with two levels of errors, orders with filters, and goods that come and go over time."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import pytest

from engine.sync.sandbox import World
from engine.sync.sandbox.merchants import Merchant

API = "/dcl/api/v1"
ADDRESS = {
    "attention": "Maya",
    "address1": "2719 Quivas Street",
    "city": "Denver",
    "postal_code": "80211",
    "country_code": "US",
}


class House:
    """A caller with a user name and a password."""

    def __init__(self, client: httpx.Client, merchant: Merchant) -> None:
        self.client = client
        self.merchant = merchant
        self.auth = (merchant.credentials.dcl_username, merchant.credentials.dcl_password)
        self._stocked = [one.number for one in merchant.house.items.values() if one.on_hand >= 20]

    def get(self, path: str, **params: Any) -> httpx.Response:
        return self.client.get(f"{API}{path}", params=params, auth=self.auth)

    def post(self, path: str, body: Any) -> httpx.Response:
        return self.client.post(f"{API}{path}", json=body, auth=self.auth)

    def item(self, place: int = 0) -> str:
        return self._stocked[place]

    def order(self, number: str, quantity: int = 2, **fields: Any) -> dict[str, Any]:
        return {
            "order_number": number,
            "account_number": self.merchant.credentials.dcl_account_number,
            "shipping_carrier": "UPS",
            "shipping_service": "Ground",
            "shipping_address": ADDRESS,
            "lines": [{"line_number": 1, "item_number": self.item(), "quantity": quantity, "price": "20.00"}],
        } | fields

    def send(self, *orders: dict[str, Any], allow_partial: bool = False) -> dict[str, Any]:
        answer = self.post("/batches", {"allow_partial": allow_partial, "orders": list(orders)})
        assert answer.status_code == 200
        said: dict[str, Any] = answer.json()
        return said

    def orders(self, **params: Any) -> list[dict[str, Any]]:
        answer = self.get("/orders", **params)
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["orders"]
        return found

    def names(self, **params: Any) -> list[str]:
        return [one["order_number"] for one in self.orders(**params)]


@pytest.fixture
def house(client: httpx.Client, merchant: Merchant) -> House:
    return House(client, merchant)


class TestDoor:
    def test_nobody_comes_in_without_a_password(self, house: House) -> None:
        for auth in (None, ("somebody", "x"), (house.auth[0], "wrong")):
            answer = house.client.get(f"{API}/orders", auth=auth)
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"] == "Basic"
        garbled = house.client.get(f"{API}/orders", headers={"Authorization": "Basic ###"})
        assert garbled.status_code == 401

    def test_a_bucket_leaks_five_requests_a_second(self, house: House, world: World) -> None:
        seen = [house.get("/orders").status_code for _ in range(11)]
        assert seen == [200] * 10 + [429]
        turned = house.get("/orders")
        assert (turned.json(), turned.headers["retry-after"]) == ({"message": "API calls quota exceeded!"}, "1")

        world.advance(timedelta(seconds=0.2))
        assert [house.get("/orders").status_code for _ in range(2)] == [200, 429]

    def test_an_address_that_is_not_there_is_not_found(self, house: House) -> None:
        assert house.get("/inventory").status_code == 404
        assert house.post("/orders", {}).status_code == 404

    def test_a_rotated_password_is_another(self, house: House, put: Any) -> None:
        put("dcl", "secret_rotated", params={"value": "fresh"})
        assert house.get("/orders").status_code == 401
        house.auth = (house.auth[0], "fresh")
        assert house.get("/orders").status_code == 200

    @pytest.mark.parametrize(("kind", "status"), [("http_429", 429), ("auth_expired", 401), ("http_503", 503)])
    def test_accidents_have_the_vendors_form(self, house: House, put: Any, kind: str, status: int) -> None:
        put("dcl", kind, match={"operation": "GET orders"})
        answer = house.get("/orders")
        assert answer.status_code == status
        assert "message" in answer.json()


class TestBatches:
    def test_orders_are_taken(self, house: House) -> None:
        said = house.send(house.order("A-1"), house.order("A-2"))

        assert said == {
            "error_code": 0,
            "error_message": "",
            "order_statuses": [
                {"order_number": "A-1", "error_code": 0, "error_message": ""},
                {"order_number": "A-2", "error_code": 0, "error_message": ""},
            ],
        }
        assert sorted(house.names()) == ["A-1", "A-2"]

    def test_one_bad_order_holds_all_back_and_the_answer_is_still_200(self, house: House) -> None:
        said = house.send(house.order("A-1"), house.order("A-2", lines=[]))

        assert said["error_code"] == 1
        assert [one["error_code"] for one in said["order_statuses"]] == [0, 10]
        assert house.names() == []

    def test_with_leave_for_parts_the_good_ones_are_taken(self, house: House) -> None:
        said = house.send(house.order("A-1"), house.order("A-2", lines=[]), allow_partial=True)

        assert (said["error_code"], said["error_message"]) == (1, "1 orders failed")
        assert house.names() == ["A-1"]

    @pytest.mark.parametrize(
        ("fields", "code", "message"),
        [
            ({"order_number": ""}, 10, "order_number is required"),
            ({"account_number": "1"}, 10, "account_number is not yours"),
            ({"shipping_address": ADDRESS | {"city": ""}}, 10, "shipping_address.city is required"),
            ({"lines": [{"item_number": "NOPE", "quantity": 1}]}, 30, "Item NOPE is unknown"),
        ],
    )
    def test_what_is_wrong_with_an_order_is_said(
        self, house: House, fields: dict[str, Any], code: int, message: str
    ) -> None:
        status = house.send(house.order("A-1") | fields)["order_statuses"][0]

        assert (status["error_code"], status["error_message"]) == (code, message)
        assert house.names() == []

    @pytest.mark.parametrize("quantity", [0, -1, 1.5, True, "2"])
    def test_a_quantity_is_a_whole_number(self, house: House, quantity: Any) -> None:
        lines = [{"item_number": house.item(), "quantity": quantity}]
        assert house.send(house.order("A-1", lines=lines))["order_statuses"][0]["error_code"] == 10

    def test_an_order_number_is_taken_once(self, house: House) -> None:
        house.send(house.order("A-1"))

        again = house.send(house.order("A-1"))
        twins = house.send(house.order("A-2"), house.order("A-2"))

        assert again["order_statuses"][0] == {
            "order_number": "A-1",
            "error_code": 20,
            "error_message": "Order A-1 already exists",
        }
        assert [one["error_code"] for one in twins["order_statuses"]] == [0, 20]
        assert house.names() == ["A-1"]

    def test_a_batch_has_its_bounds(self, house: House) -> None:
        assert house.send()["error_code"] == 10
        assert house.send(*[house.order(str(number)) for number in range(1001)])["error_code"] == 10
        assert house.post("/batches", []).json()["error_code"] == 10
        assert house.client.post(f"{API}/batches", content=b"{", auth=house.auth).status_code == 400

    def test_half_a_batch_is_taken_by_accident(self, house: House, put: Any) -> None:
        put("dcl", "partial_batch")

        said = house.send(*[house.order(f"A-{number}") for number in range(4)])

        assert [one["error_code"] for one in said["order_statuses"]] == [0, 0, 99, 99]
        assert said["error_code"] == 1
        assert sorted(house.names()) == ["A-0", "A-1"]

    def test_a_lost_answer_can_be_looked_up_before_it_is_sent_again(self, house: House, put: Any) -> None:
        put("dcl", "timeout_after_commit", match={"operation": "POST batches"})
        with pytest.raises(httpx.ReadTimeout):
            house.send(house.order("A-1"))

        assert house.names(order_numbers="A-1,A-9") == ["A-1"]


class TestOrders:
    def test_an_order_is_received_picked_and_shipped(self, house: House, world: World) -> None:
        on_hand = house.merchant.house.items[house.item()].on_hand
        house.send(house.order("A-1", 3, po_number="#1001"))
        stages = [house.orders()[0]["stage_description"]]
        world.advance(timedelta(minutes=30))
        stages.append(house.orders()[0]["stage_description"])
        world.advance(timedelta(minutes=90))
        [order] = house.orders()
        stages.append(order["stage_description"])

        assert stages == ["Received", "In Process", "Shipped"]
        assert (order["order_status"], order["po_number"], order["received_date"]) == (
            3,
            "#1001",
            "2026-11-26T08:00:00Z",
        )
        [shipment] = order["shipments"]
        assert (shipment["ship_date"], shipment["carrier"], shipment["service"]) == (
            "2026-11-26T10:00:00Z",
            "UPS",
            "Ground",
        )
        [package] = shipment["packages"]
        assert package["tracking_number"].startswith("1Z")
        assert [(one["item_number"], one["quantity"]) for one in package["shipped_items"]] == [(house.item(), 3)]
        assert shipment["shipped_lines"] == [{"line_number": 1, "item_number": house.item(), "quantity": 3}]
        assert house.merchant.house.items[house.item()].on_hand == on_hand - 3

    def test_cartons_are_split_and_each_has_its_own_number(self, house: House, world: World) -> None:
        house.merchant.house.items[house.item()].serialized = True
        house.send(house.order("A-1", 15))
        world.advance(timedelta(hours=2))

        packages = house.orders()[0]["shipments"][0]["packages"]
        assert [one["shipped_items"][0]["quantity"] for one in packages] == [10, 5]
        assert len({one["tracking_number"] for one in packages}) == len({one["carton_id"] for one in packages}) == 2
        serials = [serial for one in packages for serial in one["shipped_items"][0]["serial_numbers"]]
        assert len(serials) == len(set(serials)) == 15

    def test_what_is_not_there_waits_for_goods(self, house: House, world: World) -> None:
        house.merchant.house.items[house.item()].on_hand = 2
        house.send(house.order("A-1", 5))
        world.advance(timedelta(hours=2))
        [order] = house.orders(status=3)
        assert order["stage_description"] == "Backordered"
        assert (order["order_status"], order["lines"][0]["shipped"]) == (1, 2)

        house.post("/purchase_orders", announcement(house, quantity=10))
        world.advance(timedelta(days=1))

        [order] = house.orders(status=3)
        assert (order["stage_description"], len(order["shipments"])) == ("Shipped", 2)
        assert house.merchant.house.items[house.item()].on_hand == 7

    def test_a_short_pick_sends_the_rest_later(self, house: House, world: World) -> None:
        house.merchant.house.pace.short_rate = 1.0
        house.send(house.order("A-1", 5))
        world.advance(timedelta(hours=2))
        assert house.orders()[0]["lines"][0]["shipped"] == 4
        world.advance(timedelta(hours=2))

        [order] = house.orders()
        assert [one["shipped_lines"][0]["quantity"] for one in order["shipments"]] == [4, 1]

    def test_filters(self, house: House, world: World) -> None:
        house.send(house.order("A-1"))
        world.advance(timedelta(hours=3))
        house.send(house.order("A-2"), house.order("A-3"))
        cancelled = world.merchants[0].house.orders["A-3"]
        cancelled.cancelled = True

        assert house.names() == ["A-1", "A-2"]
        assert house.names(status=0) == ["A-1", "A-2"]
        assert house.names(status=1) == ["A-2"]
        assert house.names(status=2) == ["A-3"]
        assert house.names(status=3) == ["A-1"]
        assert house.names(received_from="2026-11-26T09:00:00") == ["A-2"]
        assert house.names(received_to="2026-11-26T09:00:00Z") == ["A-1"]
        assert house.names(received_to="2026-11-26") == ["A-1", "A-2"]
        assert house.names(modified_from="2026-11-26T10:00:00", modified_to="2026-11-26T10:30:00") == ["A-1"]

    def test_shipped_dates_and_fields(self, house: House, world: World) -> None:
        house.send(house.order("A-1"))
        world.advance(timedelta(hours=2))

        assert house.names(shipped_from="2026-11-26T10:00:00", shipped_to="2026-11-26T10:00:00") == ["A-1"]
        assert house.names(shipped_from="2026-11-27") == []
        assert house.orders(fields="order_number,order_status") == [{"order_number": "A-1", "order_status": 3}]

    @pytest.mark.parametrize(
        "params", [{"status": 9}, {"page": 0}, {"page_size": 101}, {"filter": "x"}, {"modified_from": "now"}]
    )
    def test_a_filter_that_is_none_is_refused(self, house: House, params: dict[str, Any]) -> None:
        house.send(house.order("A-1"))
        assert house.get("/orders", **params).status_code == 400

    def test_pages_end_with_an_empty_one(self, house: House, world: World, put: Any) -> None:
        house.send(*[house.order(f"A-{number:03d}") for number in range(5)])

        assert [len(house.orders(page=page, page_size=2)) for page in (1, 2, 3, 4)] == [2, 2, 1, 0]
        world.advance(timedelta(seconds=2))
        put("dcl", "partial_page", times=6)
        pages = [house.names(page=page, page_size=2) for page in range(1, 7)]
        assert pages == [["A-000"], ["A-001"], ["A-002"], ["A-003"], ["A-004"], []]


def rma(house: House, **fields: Any) -> dict[str, Any]:
    return {
        "account_number": house.merchant.credentials.dcl_account_number,
        "rma_number": "RMA-1",
        "rma_type": "T01",
        "disposition": "D1",
        "items": [{"item_number": house.item(), "quantity": 1}],
    } | fields


def announcement(house: House, *, quantity: int = 5, **fields: Any) -> dict[str, Any]:
    return {
        "account_number": house.merchant.credentials.dcl_account_number,
        "po_number": "PO1001",
        "vendor": "Ridgeline Supply",
        "lines": [{"line_number": 1, "item_number": house.item(), "quantity": quantity}],
    } | fields


class TestReturns:
    def test_an_rma_is_taken_once(self, house: House) -> None:
        first, again = (house.post("/rmas", rma(house)).json() for _ in range(2))

        assert first == {
            "error_code": 0,
            "error_message": "",
            "rma_statuses": [{"rma_number": "RMA-1", "error_code": 0, "error_message": ""}],
        }
        assert again["rma_statuses"][0]["error_code"] == 20

    @pytest.mark.parametrize(
        "fields", [{"rma_type": "T00"}, {"rma_type": "X01"}, {"disposition": "D"}, {"rma_number": ""}]
    )
    def test_what_is_no_rma_is_refused_in_a_good_answer(self, house: House, fields: dict[str, str]) -> None:
        answer = house.post("/rmas", rma(house, **fields))

        assert answer.status_code == 200
        assert (answer.json()["error_code"], answer.json()["rma_statuses"][0]["error_code"]) == (1, 10)


class TestAssumed:
    """Nobody published these: the emulator says so on every answer."""

    def test_goods_are_announced_come_and_are_counted(self, house: House, world: World) -> None:
        on_hand = house.merchant.house.items[house.item()].on_hand
        answer = house.post("/purchase_orders", announcement(house, expected_date="2026-11-28T09:00:00Z"))
        assert answer.headers["x-sandbox-assumed"] == "true"
        assert answer.json() == {"po_number": "PO1001", "error_code": 0, "error_message": ""}
        world.advance(timedelta(days=2))
        assert house.get("/receipts").json() == {"receipts": []}
        world.advance(timedelta(hours=2))

        receipts = house.get("/receipts", received_from="2026-11-28T00:00:00Z")
        items = house.get("/items", item_numbers=house.item(), fields="item_number,on_hand")

        assert receipts.headers["x-sandbox-assumed"] == items.headers["x-sandbox-assumed"] == "true"
        assert receipts.json()["receipts"] == [
            {
                "receipt_id": f"R{house.merchant.credentials.dcl_account_number}-00001",
                "po_number": "PO1001",
                "received_date": "2026-11-28T09:00:00Z",
                "lines": [
                    {"line_number": 1, "item_number": house.item(), "quantity_expected": 5, "quantity_received": 5}
                ],
            }
        ]
        assert items.json()["items"] == [{"item_number": house.item(), "on_hand": on_hand + 5}]
        assert house.get("/receipts", received_from="2026-11-29").json() == {"receipts": []}

    def test_what_orders_wait_for_is_not_available(self, house: House) -> None:
        house.send(house.order("A-1", 3))
        [item] = house.get("/items", item_numbers=house.item()).json()["items"]

        assert item["on_hand"] - item["available"] == 3

    def test_an_announcement_is_amended_until_goods_came(self, house: House, world: World) -> None:
        def amend(quantity: int) -> dict[str, Any]:
            body = announcement(house, quantity=quantity)
            said: dict[str, Any] = house.client.put(f"{API}/purchase_orders/PO1001", json=body, auth=house.auth).json()
            return said

        assert amend(7)["error_code"] == 10
        house.post("/purchase_orders", announcement(house))
        assert house.post("/purchase_orders", announcement(house)).json()["error_code"] == 20
        assert [amend(quantity)["error_code"] for quantity in (6, 7)] == [0, 0]
        world.advance(timedelta(days=1))
        assert [one["lines"][0]["quantity_received"] for one in house.get("/receipts").json()["receipts"]] == [7]
        assert amend(8)["error_code"] == 10

    def test_known_answers_do_not_carry_the_flag(self, house: House) -> None:
        assert "x-sandbox-assumed" not in house.get("/orders").headers
        assert "x-sandbox-assumed" not in house.post("/rmas", rma(house)).headers
