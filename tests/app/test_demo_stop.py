"""The real process is told to stop while runs wait for a vendor: it ends, and what the vendors hold is there again."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.app.test_demo_pipeline import SHOP, until
from tests.app.test_serve import Server, Shopper, to_the_payment_card

STUCK = {"id": "stuck", "system": "netsuite", "kind": "slow", "times": 1000, "params": {"ms": 600_000}}
BUYS = {"system": "netsuite", "what": "purchase", "location": "RNO", "lines": [{"sku": "TH-FELL2-ORG", "quantity": 3}]}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    made = Server(tmp_path / "home")
    made.env["ICOMMERCE_DEMO_PIPELINE"] = "1"
    yield made
    made.clear()


def sandbox(server: Server, number: int) -> httpx.Client:
    """The emulators of the process that was started as the ``number``-th, where its log says."""
    log = server.home.parent / "serve.log"

    def told() -> list[str]:
        return re.findall(r'"sandbox": ?"(http://[^"]+)"', log.read_text())[number - 1 :]

    return httpx.Client(base_url=until(told, "the sandbox")[0], timeout=60)


def records(http: httpx.Client, kind: str) -> list[Any]:
    return list(http.get("/_sandbox/state").json()["merchants"][SHOP]["netsuite"]["records"].get(kind, []))


def pay(shopper: Shopper) -> None:
    interrupt = to_the_payment_card(shopper)
    shopper.turn({"resume": [{"interruptId": interrupt["id"], "status": "resolved", "payload": {"approved": True}}]})


@pytest.mark.timeout(900)
def test_a_stop_with_runs_under_way_keeps_what_the_vendors_hold(server: Server) -> None:
    server.start()
    vendors = sandbox(server, 1)
    key = server.json("keys", "create", "--tenant", SHOP, "--scopes", "ops")["key"]
    ops = httpx.Client(base_url=server.url, headers={"Authorization": f"Bearer {key}"}, timeout=60)
    assert vendors.post("/_sandbox/faults", json=STUCK).is_success
    pay(Shopper(server.url))

    def under_way() -> bool:
        found = ops.get("/v1/ops/runs", params={"workflow": "shopifyToNetsuite"}).json()["items"]
        return [one["status"] for one in found] == ["running"]

    until(under_way, "the run")
    bought = vendors.post("/_sandbox/emit", json=BUYS).json()["outcome"]["id"]
    server.stop()
    assert server.process
    assert server.process.returncode == 0
    assert server.postgres() == []

    server.start()
    assert bought in [row["id"] for row in records(sandbox(server, 2), "purchaseOrder")]
