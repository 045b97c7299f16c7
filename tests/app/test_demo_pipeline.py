"""The real process with its neighbours: what is bought in the chat is in the ERP and at the 3PL, and comes back."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.app.test_serve import Server, Shopper, to_the_payment_card

PATIENCE_SECONDS = 300.0
"""Of a machine under load; nothing is waited for by time, each look asks whether it is so."""
SHOP = "summit-outdoor"


@pytest.fixture
def server(tmp_path: Path) -> Any:
    made = Server(tmp_path / "home")
    made.env["ICOMMERCE_DEMO_PIPELINE"] = "1"
    yield made
    made.clear()


def until(found: Callable[[], Any], what: str) -> Any:
    """What is found, once it is."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not (value := found()):
        assert time.monotonic() < end, f"{what}: not within {PATIENCE_SECONDS} s"
        time.sleep(0.2)
    return value


class Sandbox:
    """The emulators of the running process."""

    def __init__(self, server: Server) -> None:
        self.systems: dict[str, str] = {}
        self.http: httpx.Client = until(lambda: self._found(server), "the sandbox")

    def _found(self, server: Server) -> httpx.Client | None:
        """Where the connections say; after a restart they name the port of before until the new one is known."""
        self.systems = {row["system"]: row["base_url"] for row in server.json("connections", "list", "--tenant", SHOP)}
        if not self.systems:
            return None
        parts = urlsplit(self.systems["dcl"])
        client = httpx.Client(base_url=f"{parts.scheme}://{parts.netloc}", timeout=30)
        try:
            return client if client.get("/_sandbox/state").is_success else None
        except httpx.TransportError:
            client.close()
            return None

    def state(self) -> Any:
        return self.http.get("/_sandbox/state").json()["merchants"][SHOP]

    def advance(self, seconds: int) -> None:
        assert self.http.post("/_sandbox/clock/advance", json={"seconds": seconds}).is_success


def sales_orders(sandbox: Sandbox, number: str) -> list[Any]:
    rows = sandbox.state()["netsuite"]["records"]["salesOrder"]
    return [row for row in rows if row["external_id"] == f"IC-{number}"]


@pytest.mark.timeout(600)
def test_a_chat_order_goes_to_erp_and_3pl_and_comes_back_as_tracking(server: Server) -> None:
    server.start()
    sandbox = Sandbox(server)
    assert set(sandbox.systems) == {"shopify", "netsuite", "dcl", "slack"}
    assert server.json("connections", "list", "--tenant", "voltage-home") == []

    shopper = Shopper(server.url)
    interrupt = to_the_payment_card(shopper)
    shopper.turn({"resume": [{"interruptId": interrupt["id"], "status": "resolved", "payload": {"approved": True}}]})
    [order] = shopper.http.get("/v1/orders").json()["items"]
    units = sum(line["ordered"] for line in order["lines"])

    [sold] = until(lambda: sales_orders(sandbox, order["number"]), "the sales order")
    [sent] = until(lambda: sandbox.state()["dcl"]["orders"], "the warehouse's order")
    sandbox.advance(60)

    def shipments() -> Any:
        return shopper.http.get(f"/v1/orders/{order['id']}").json()["shipments"]

    [parcel] = until(shipments, "the shipment")
    [sent] = sandbox.state()["dcl"]["orders"]
    assert (sent["stage"], sent["tracking_numbers"]) == ("Shipped", [parcel["tracking_number"]])
    [sold] = sales_orders(sandbox, order["number"])
    assert sum(abs(line["quantity"]) for line in sold["lines"] if line["done"]) == units
    until(lambda: parcel["tracking_number"] in str(shopper.snapshot()["messages"]), "word of it in the conversation")
    runs = server.json("runs", "list", "--tenant", SHOP)
    assert {"shopifyToNetsuite", "netsuiteToDCL", "dclTrackingUpdate"} <= {row["workflow"] for row in runs}
    assert server.json("check")["ok"]

    server.stop(signal.SIGTERM)
    server.start()
    again = Sandbox(server)
    [kept] = again.state()["dcl"]["orders"]
    assert kept == sent
    assert len(sales_orders(again, order["number"])) == 1
