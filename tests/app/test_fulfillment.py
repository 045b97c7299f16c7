"""The work and the parcels over HTTP: for the shop's people, each write once; a carrier tells by signed webhook."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from engine.fulfillment import tracking
from engine.kit import clock
from tests.app.conftest import Browser, paid_order
from tests.conftest import MakeTenant
from tests.shop import Shop, open_shop


@dataclass
class Desk:
    """A member of staff at the door."""

    browser: Browser
    key: str

    def get(self, path: str) -> Any:
        return self.browser.get(path, authorization=self.key)

    def post(self, path: str, body: Any = None, **more: Any) -> Any:
        return self.browser.post(path, body, authorization=self.key, **more)


@pytest.fixture
def desk(browser: Browser, shop: Shop, make_key: Callable[..., str]) -> Desk:
    return Desk(browser, make_key(shop.tenant, "staff"))


@pytest.fixture
def order_id(shop: Shop) -> str:
    shop.add("A")
    return paid_order(shop, "A")


def test_an_order_goes_from_release_to_the_door(desk: Desk, order_id: str, shop: Shop) -> None:
    before = desk.get(f"/v1/orders/{order_id}/routing").json()["items"]
    assert [(row["stage"], row["fulfillment_id"], bool(row["routing"]["words"])) for row in before] == [
        ("sale", None, True),
        ("now", None, True),
    ]
    released = desk.post(f"/v1/staff/orders/{order_id}/release")
    assert released.status_code == 200, released.text
    [work] = released.json()["fulfillments"]
    assert (work["status"], work["location"], work["partner"]) == ("released", "EAST", "own")
    path = f"/v1/staff/fulfillments/{work['id']}"
    accepted = desk.post(f"{path}/accept", {"version": work["version"]})
    assert (accepted.status_code, accepted.json()["status"]) == (200, "accepted")
    shipped = desk.post(f"{path}/ship", {}, key="ship-1")
    again = desk.post(f"{path}/ship", {}, key="ship-1")
    assert (shipped.status_code, again.json()) == (201, shipped.json())
    assert again.headers["Idempotent-Replayed"] == "true"
    parcel = shipped.json()
    assert desk.get(f"/v1/shipments/{parcel['id']}").json() == parcel
    assert desk.post(f"{path}/ship", {}).json()["code"] == "nothing_to_ship"
    label = desk.get(parcel["label"])
    assert (label.status_code, label.headers["content-type"]) == (200, "application/pdf")
    assert label.content.startswith(b"%PDF-")
    assert parcel["tracking_number"] in desk.get(f"/v1/shipments/{parcel['id']}/label.zpl").text


def test_lists_are_filtered_and_paged(desk: Desk, shop: Shop) -> None:
    shop.add("A")
    orders = [paid_order(shop, "A") for _ in range(3)]
    works = [desk.post(f"/v1/staff/orders/{one}/release").json()["fulfillments"][0]["id"] for one in orders]
    for one in works[:2]:
        desk.post(f"/v1/staff/fulfillments/{one}/ship", {})
    first = desk.get("/v1/fulfillments?limit=2").json()
    rest = desk.get(f"/v1/fulfillments?limit=2&cursor={first['next_cursor']}").json()
    assert [row["id"] for row in (*first["items"], *rest["items"])] == works[::-1]
    assert rest["next_cursor"] is None
    waiting = desk.get("/v1/fulfillments?status=released&location=EAST").json()
    assert [row["id"] for row in waiting["items"]] == works[2:]
    assert desk.get("/v1/fulfillments?location=WEST").json()["items"] == []
    parcels = desk.get(f"/v1/shipments?order_id={orders[0]}").json()["items"]
    assert [row["order_id"] for row in parcels] == [orders[0]]
    page = desk.get("/v1/shipments?limit=1").json()
    assert page["items"][0]["order_id"] == orders[1]
    assert desk.get(f"/v1/shipments?limit=1&cursor={page['next_cursor']}").json()["items"][0]["order_id"] == orders[0]
    for bad in ("cursor=x", "status=nowhere", "limit=0"):
        assert desk.get(f"/v1/shipments?{bad}").status_code == 400


def test_only_the_shops_own_people_see_and_do(
    desk: Desk,
    order_id: str,
    shop: Shop,
    make_key: Callable[..., str],
    make_tenant: MakeTenant,
    open_browser: Callable[[], Browser],
) -> None:
    work = desk.post(f"/v1/staff/orders/{order_id}/release").json()["fulfillments"][0]["id"]
    other = open_shop(shop.runtime, make_tenant())
    strangers = [
        (Desk(open_browser(), make_key(other.tenant, "staff")), 404, 404),
        (Desk(open_browser(), make_key(shop.tenant, "acp")), 403, 403),
    ]
    for stranger, read, write in strangers:
        assert stranger.get(f"/v1/fulfillments/{work}").status_code == read
        assert stranger.post(f"/v1/staff/fulfillments/{work}/ship", {}).status_code == write
        assert stranger.get(f"/v1/orders/{order_id}/routing").status_code == read
    shopper = open_browser()
    shopper.start(shop.tenant)
    assert shopper.get("/v1/shipments").status_code == 403
    assert shopper.post(f"/v1/staff/orders/{order_id}/release").status_code == 403
    assert desk.get("/v1/shipments").json()["items"] == []
    assert desk.get("/v1/staff/carriers/acme/webhook").status_code == 403


def test_short_picks_and_answers_are_refused_in_words(desk: Desk, order_id: str) -> None:
    work = desk.post(f"/v1/staff/orders/{order_id}/release").json()["fulfillments"][0]
    path, line = f"/v1/staff/fulfillments/{work['id']}", work["lines"][0]["order_line_id"]
    for body, status in (({"short": {line: 2}}, 409), ({"short": {}}, 400), ({"short": {line: "1"}}, 400)):
        assert desk.post(f"{path}/short_pick", body).status_code == status
    assert desk.post(f"{path}/answer_cancel", {"accepted": True}).status_code == 409
    assert desk.post(f"{path}/ship", {"version": 9}).json()["code"] == "stale_version"
    done = desk.post(f"{path}/short_pick", {"short": {line: 1}})
    assert done.json() == {"rerouted": [], "backordered": {line: 1}}


def test_a_carrier_tells_by_signed_webhook(desk: Desk, order_id: str, shop: Shop, make_key: Callable[..., str]) -> None:
    work = desk.post(f"/v1/staff/orders/{order_id}/release").json()["fulfillments"][0]["id"]
    sent = {"carrier": "Acme Lines", "tracking_number": "1Z1"}
    parcel = desk.post(f"/v1/staff/fulfillments/{work}/ship", sent).json()
    admin = Desk(desk.browser, make_key(shop.tenant, "admin"))
    known = admin.get("/v1/staff/carriers/acme-lines/webhook").json()
    key = base64.b64decode(known["secret"].removeprefix("whsec_"))
    told = {
        "id": "evt_1",
        "account": shop.tenant.id,
        "tracking_number": "1Z1",
        "status": "delivered",
        "at": clock.now().isoformat(),
        "text": "Left at the door",
    }
    body = json.dumps(told).encode()
    headers = tracking.sign(key, body, message_id="msg_1", at=clock.now())
    path = known["url"].removeprefix("http://127.0.0.1:8000")
    for _ in range(2):
        assert desk.browser.http.post(path, content=body, headers=headers).status_code == 204
    after = desk.get(f"/v1/shipments/{parcel['id']}").json()
    assert (after["status"], len(after["events"])) == ("delivered", 2)
    bad = desk.browser.http.post(path, content=body + b" ", headers=headers)
    assert (bad.status_code, bad.json()["code"]) == (401, "unauthorized")
