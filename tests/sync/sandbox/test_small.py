"""The small ones: Slack, carriers' trackers, WooCommerce. (Mail is tested on a real socket, in test_serving.)"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import timedelta
from typing import Any

import httpx
import pytest

from engine.sync.sandbox import World
from engine.sync.sandbox.emitting import order_at_woocommerce
from engine.sync.sandbox.merchants import Merchant
from tests.sync.sandbox.conftest import Told


class TestSlack:
    @pytest.fixture
    def path(self, merchant: Merchant) -> str:
        return f"/slack/services/{merchant.credentials.slack_path}"

    def kept(self, world: World) -> list[Any]:
        return [message for channel in world.slack.channels.values() for _, message in channel.messages]

    def test_a_message_is_kept(self, client: httpx.Client, world: World, path: str) -> None:
        answer = client.post(path, json={"text": "Three orders failed."})

        assert (answer.status_code, answer.text) == (200, "ok")
        assert self.kept(world) == [{"text": "Three orders failed."}]

    @pytest.mark.parametrize(
        ("body", "text"), [(b"{", "invalid_payload"), (b"[]", "invalid_payload"), (b'{"color": "red"}', "no_text")]
    )
    def test_what_is_no_message_is_refused(
        self, client: httpx.Client, world: World, path: str, body: bytes, text: str
    ) -> None:
        answer = client.post(path, content=body)

        assert (answer.status_code, answer.text) == (400, text)
        assert self.kept(world) == []

    def test_another_address_is_refused(self, client: httpx.Client, path: str) -> None:
        wrong = client.post(f"{path}x", json={"text": "hi"})
        nobody = client.post("/slack/services/T9/B9/x", json={"text": "hi"})

        assert (wrong.status_code, wrong.text) == (403, "invalid_token")
        assert (nobody.status_code, nobody.text) == (404, "no_service")

    def test_one_message_a_second_after_a_short_burst(self, client: httpx.Client, world: World, path: str) -> None:
        seen = [client.post(path, json={"text": "hi"}).status_code for _ in range(5)]
        assert seen == [200, 200, 200, 200, 429]
        assert client.post(path, json={"text": "hi"}).headers["retry-after"] == "1"

        world.advance(timedelta(seconds=1))
        assert client.post(path, json={"text": "hi"}).status_code == 200

    @pytest.mark.parametrize(("kind", "status"), [("http_429", 429), ("http_500", 500), ("auth_expired", 403)])
    def test_accidents(self, client: httpx.Client, path: str, put: Any, kind: str, status: int) -> None:
        put("slack", kind)
        assert client.post(path, json={"text": "hi"}).status_code == status

    def test_a_rotated_address_is_another(self, client: httpx.Client, path: str, put: Any) -> None:
        put("slack", "secret_rotated", params={"value": "fresh"})
        assert client.post(path, json={"text": "hi"}).status_code == 403
        assert client.post(f"{path.rpartition('/')[0]}/fresh", json={"text": "hi"}).status_code == 200


class TestTrackers:
    @pytest.fixture
    def auth(self, merchant: Merchant) -> tuple[str, str]:
        return (merchant.credentials.tracker_api_key, "")

    def subscribe(self, client: httpx.Client, auth: tuple[str, str], **more: str) -> httpx.Response:
        hook = {"url": "https://engine.example/trackers", "webhook_secret": "s\u00e9cret"} | more
        return client.post("/trackers/v2/webhooks", json={"webhook": hook}, auth=auth)

    def follow(self, client: httpx.Client, auth: tuple[str, str], code: str = "1Z9") -> httpx.Response:
        return client.post(
            "/trackers/v2/trackers", json={"tracker": {"tracking_code": code, "carrier": "UPS"}}, auth=auth
        )

    def test_a_parcel_is_followed_to_the_door_by_signed_events(
        self, client: httpx.Client, world: World, auth: tuple[str, str], receiver: Told
    ) -> None:
        assert self.subscribe(client, auth).status_code == 201
        assert self.follow(client, auth).json()["status"] == "unknown"
        world.advance(timedelta(days=4))

        said = [json.loads(one.content) for one in receiver.got]
        assert [one["result"]["status"] for one in said] == [
            "pre_transit",
            "in_transit",
            "out_for_delivery",
            "delivered",
        ]
        assert {one["description"] for one in said} == {"tracker.updated"}
        first = receiver.got[0]
        mac = hmac.new("se\u0301cret".encode(), first.content, hashlib.sha256).hexdigest()
        assert first.headers["x-hmac-signature"] == f"hmac-sha256-hex={mac}"
        [tracker] = client.get("/trackers/v2/trackers", auth=auth).json()["trackers"]
        assert (tracker["tracking_code"], tracker["status"], len(tracker["tracking_details"])) == (
            "1Z9",
            "delivered",
            4,
        )

    def test_the_other_shape_of_the_trade(
        self, client: httpx.Client, world: World, auth: tuple[str, str], receiver: Told
    ) -> None:
        self.subscribe(client, auth, style="aftership")
        self.follow(client, auth)
        world.advance(timedelta(hours=12))

        [_, got] = receiver.got
        said = json.loads(got.content)
        assert said.keys() == {"ts", "event", "event_id", "is_tracking_first_tag", "msg"}
        assert (said["msg"]["tag"], said["is_tracking_first_tag"]) == ("InTransit", True)
        mac = hmac.new("se\u0301cret".encode(), got.content, hashlib.sha256).digest()
        assert got.headers["aftership-hmac-sha256"] == base64.b64encode(mac).decode()

    def test_a_parcel_is_followed_once(self, client: httpx.Client, auth: tuple[str, str]) -> None:
        one, two = self.follow(client, auth), self.follow(client, auth)

        assert (one.status_code, two.status_code) == (201, 200)
        assert one.json()["id"] == two.json()["id"]

    def test_what_is_wrong_is_refused(self, client: httpx.Client, auth: tuple[str, str], put: Any) -> None:
        assert self.follow(client, ("other", "")).status_code == 401
        assert self.follow(client, auth, code="").status_code == 422
        assert self.subscribe(client, auth, url="nowhere").status_code == 422
        assert client.get("/trackers/v2/parcels", auth=auth).status_code == 404
        put("trackers", "http_429")
        assert self.follow(client, auth).status_code == 429

    def test_an_event_nobody_takes_is_told_again(
        self, client: httpx.Client, world: World, auth: tuple[str, str], receiver: Told, put: Any
    ) -> None:
        self.subscribe(client, auth)
        receiver.status = 500
        self.follow(client, auth)
        world.advance(timedelta(hours=3))
        assert len(receiver.got) == 5
        assert world.hooks.of(system="trackers")[0].state == "failed"

        receiver.status = 200
        put("trackers", "webhook_duplicate", match={"operation": "tracker.updated"})
        world.advance(timedelta(hours=10))
        assert len(receiver.got) == 7


class TestWooCommerce:
    @pytest.fixture
    def auth(self, merchant: Merchant) -> tuple[str, str]:
        return (merchant.credentials.woocommerce_key, merchant.credentials.woocommerce_secret)

    @pytest.fixture
    def api(self, merchant: Merchant) -> str:
        return f"/woocommerce/{merchant.credentials.woocommerce_store}/wp-json/wc/v3"

    def place(self, world: World, *, quantity: int = 2) -> dict[str, Any]:
        line = {"sku": "TH-FELL1-ORG", "name": "Tent", "quantity": quantity, "price": "249.00"}
        shipping = [{"method_id": "flat_rate", "method_title": "Standard", "total": "7.95"}]
        given = {"billing": {"first_name": "Maya"}, "line_items": [line], "shipping_lines": shipping}
        return order_at_woocommerce(world, world.merchants[0], given)

    def test_orders_are_read_in_pages_since_a_moment(
        self, client: httpx.Client, world: World, auth: tuple[str, str], api: str, put: Any
    ) -> None:
        first = self.place(world)
        world.advance(timedelta(hours=1))
        later = [self.place(world)["id"] for _ in range(2)]

        def ids(**params: Any) -> list[int]:
            return [one["id"] for one in client.get(f"{api}/orders", params=params, auth=auth).json()]

        page = client.get(f"{api}/orders", params={"per_page": 2}, auth=auth)
        assert (page.headers["x-wp-total"], page.headers["x-wp-totalpages"]) == ("3", "2")
        assert (page.json()[0]["total"], page.json()[0]["date_created_gmt"]) == ("505.95", "2026-11-26T08:00:00")
        assert ids(page=2, per_page=2) == [later[1]]
        assert ids(modified_after="2026-11-26T08:00:00") == ids(after="2026-11-26T08:00:00Z") == later
        assert ids(status="completed") == []
        assert client.get(f"{api}/orders/{first['id']}", auth=auth).json() == first
        put("woocommerce", "partial_page", times=2)
        assert [ids(page=1, per_page=2), ids(page=2, per_page=2)] == [[first["id"]], [later[0]]]

    def test_a_new_order_is_told_of_with_a_signature(
        self, client: httpx.Client, world: World, auth: tuple[str, str], api: str, receiver: Told
    ) -> None:
        hook = {"topic": "order.created", "delivery_url": "https://engine.example/woo", "secret": "s"}
        made = client.post(f"{api}/webhooks", json=hook, auth=auth)
        order = self.place(world)
        world.settle()

        [got] = receiver.got
        assert json.loads(got.content) == order
        mac = base64.b64encode(hmac.new(b"s", got.content, hashlib.sha256).digest()).decode()
        said = {name: got.headers[f"x-wc-webhook-{name}"] for name in ("signature", "topic", "resource", "event", "id")}
        assert said == {
            "signature": mac,
            "topic": "order.created",
            "resource": "order",
            "event": "created",
            "id": str(made.json()["id"]),
        }
        assert got.headers["x-wc-webhook-delivery-id"]

    def test_five_letters_that_nobody_took_end_a_webhook(
        self, client: httpx.Client, world: World, auth: tuple[str, str], api: str, receiver: Told
    ) -> None:
        hook = {"topic": "order.created", "delivery_url": "https://engine.example/woo"}
        client.post(f"{api}/webhooks", json=hook, auth=auth)
        receiver.status = 500
        for _ in range(7):
            self.place(world)
            world.settle()

        assert len(receiver.got) == 5

    def test_what_is_wrong_is_refused(self, client: httpx.Client, auth: tuple[str, str], api: str, put: Any) -> None:
        assert client.get(f"{api}/orders").json()["code"] == "woocommerce_rest_cannot_view"
        assert client.get(f"{api}/orders", params={"per_page": 101}, auth=auth).status_code == 400
        assert client.get(f"{api}/orders/1", auth=auth).status_code == 404
        assert client.get(f"{api}/products", auth=auth).status_code == 404
        assert client.get("/woocommerce/nobody/wp-json/wc/v3/orders", auth=auth).status_code == 404
        for hook in ({"topic": "x"}, {"topic": "order.created", "delivery_url": "x"}, []):
            assert client.post(f"{api}/webhooks", json=hook, auth=auth).status_code == 400
        put("woocommerce", "secret_rotated")
        assert client.get(f"{api}/orders", auth=auth).status_code == 401
