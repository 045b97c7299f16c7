"""The MCP binding: the same five operations, the same keys, the same answers."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select, update

from app.protocols.acp.mcp import PROTOCOLS, TOOLS
from app.site import Site
from engine.agentic.models import AgentPlatform
from engine.agentic.request_models import AgentRequest
from engine.checkout.models import CheckoutSession
from engine.orders.models import Order
from tests.app.acp import official
from tests.app.acp.conftest import ADDRESS, BUYER, VERSION, Agent, Checkout, codes, paid_with
from tests.app.conftest import counted
from tests.shop import Shop

_numbers = itertools.count(1)


class Client:
    """A bare JSON-RPC client; results and errors are held to the official schemas."""

    def __init__(self, agent: Agent) -> None:
        self.agent = agent

    def send(self, method: str, params: Any = None, **headers: str) -> Any:
        message = {"jsonrpc": "2.0", "id": next(_numbers), "method": method, "params": params or {}}
        return self.raw(message, **headers)

    def raw(self, message: Any, **headers: str) -> Any:
        sent = {"Authorization": self.agent.key or ""} | headers
        return self.agent.http.post("/acp/mcp", json=message, headers=sent)

    def call(self, name: str, *, key: str | None = "new", version: str = VERSION, **arguments: Any) -> Any:
        meta: dict[str, Any] = {"api_version": version, "user_agent": "AgentShop/1.0"}
        if key:
            meta["idempotency_key"] = f"mcp-{next(_numbers)}" if key == "new" else key
        answer = self.send("tools/call", {"name": name, "arguments": {"meta": meta} | arguments}).json()
        if "error" in answer:
            assert answer["error"]["code"] == -32000
            official.valid("Error", answer["error"]["data"])
            return answer["error"]["data"]
        official.valid("CheckoutSession", answer["result"])
        official.adds_up(answer["result"])
        return answer["result"]


@pytest.fixture
def client(agent: Agent) -> Client:
    return Client(agent)


@pytest.fixture
def payload(buying: Checkout, shop: Shop) -> dict[str, Any]:
    shop.add("TENT", price=5000)
    return buying.wish("TENT") | {"buyer": BUYER, "fulfillment_details": {"address": ADDRESS}}


def test_a_purchase_from_end_to_end(client: Client, buying: Checkout, shop: Shop, payload: dict[str, Any]) -> None:
    made = client.call("create_checkout_session", payload=payload)
    changed = client.call("update_checkout_session", id=made["id"], payload={"order_notes": "Ring."})
    assert client.call("get_checkout_session", id=made["id"], key=None) == changed == buying.get(made)
    done = client.call("complete_checkout_session", id=made["id"], payload=paid_with(buying.token(made)))
    assert done["status"] == "completed"
    refused = client.call("cancel_checkout_session", id=made["id"])
    assert refused["code"] == "session_closed"
    assert counted(shop, Order) == 1


def test_keys_are_shared_with_rest_and_needed(client: Client, buying: Checkout, shop: Shop, payload: Any) -> None:
    made = client.call("create_checkout_session", key="k", payload=payload)
    again = buying.agent.post("/checkout_sessions", payload, key="k")

    assert (again.json(), again.headers["idempotent-replayed"]) == (made, "true")
    assert client.call("create_checkout_session", key="k", payload=payload) == made
    assert client.call("create_checkout_session", key="k", payload=payload | {"locale": "de"})["code"] == (
        "idempotency_conflict"
    )
    assert client.call("create_checkout_session", key=None, payload=payload)["code"] == "idempotency_key_required"
    assert counted(shop, CheckoutSession) == 1


def test_what_is_wrong_is_told_in_the_errors_data(client: Client, payload: Any) -> None:
    assert client.call("create_checkout_session", payload={})["code"] == "missing"
    assert client.call("create_checkout_session", version="2020-01-01", payload=payload)["supported_versions"]
    for odd in ("cs_unknown", "x" * 2000, "", "a b"):
        assert client.call("get_checkout_session", id=odd)["code"] == "not_found"
    answer = client.send("tools/call", {"name": "approve_payment", "arguments": {}}).json()
    assert answer["error"]["code"] == -32602
    assert client.send("resources/list").json()["error"]["code"] == -32601
    assert client.raw([]).json()["error"]["code"] == -32600
    assert client.raw({"jsonrpc": "2.0", "method": "notifications/initialized"}).status_code == 202


def test_a_client_that_speaks_mcp_proper_gets_structured_content(client: Client, payload: Any) -> None:
    hello = client.send("initialize", {"protocolVersion": PROTOCOLS[1]}).json()["result"]
    assert hello["protocolVersion"] == PROTOCOLS[1]
    tools = client.send("tools/list").json()["result"]["tools"]
    assert [one["name"] for one in tools] == list(TOOLS)
    arguments = {"meta": {"api_version": VERSION, "idempotency_key": "k"}, "payload": payload}
    call = {"name": "create_checkout_session", "arguments": arguments}
    done = client.send("tools/call", call, **{"MCP-Protocol-Version": PROTOCOLS[1]}).json()["result"]
    official.valid("CheckoutSession", done["structuredContent"])
    assert done["isError"] is False


def test_nobody_is_let_in_without_a_key(client: Client) -> None:
    client.agent.key = "Bearer ick_invented"
    answer = client.send("tools/list")
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
    assert client.agent.http.get("/acp/mcp").status_code == 405


def test_who_may_not_agree_for_a_human_leads_them_to_our_page(
    shop: Shop, payload: Any, buying: Checkout, open_agent: Callable[..., Agent]
) -> None:
    with shop.uow() as db:
        db.execute(update(AgentPlatform).values(trusted=False))
    client = Client(buying.agent)
    made = client.call("create_checkout_session", payload=payload)
    done = client.call("complete_checkout_session", id=made["id"], payload=paid_with(buying.token(made)))
    assert (done["status"], codes(done)) == ("pending_approval", ["approval_required"])
    assert counted(shop, Order) == 0


def test_what_a_tool_was_asked_is_in_the_record(
    client: Client, shop: Shop, site: Site, payload: dict[str, Any]
) -> None:
    made = client.call("create_checkout_session", key="k", payload=payload)
    client.call("create_checkout_session", key="k", payload=payload)
    client.call("get_checkout_session", id="cs_unknown")
    site.agent_log.flush()
    with shop.uow() as db:
        rows = list(db.scalars(select(AgentRequest).order_by(AgentRequest.id)))
    assert [(row.operation, row.subject_id, row.status, row.replayed) for row in rows] == [
        ("create_checkout_session", made["id"], 201, False),
        ("create_checkout_session", made["id"], 201, True),
        ("get_checkout_session", "cs_unknown", 404, False),
    ]
    assert "ada@" not in str([row.asked for row in rows])


@pytest.mark.parametrize("odd", ["1e30", '{"a":' * 300 + "1" + "}" * 300, '"\\u0000"', "1e400"])
def test_what_could_not_be_kept_is_refused(client: Client, payload: dict[str, Any], odd: str) -> None:
    call = {"name": "create_checkout_session", "arguments": {"meta": {}, "payload": payload | {"metadata": {"n": "N"}}}}
    message = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call}).replace('"N"', odd)
    answer = client.agent.http.post("/acp/mcp", content=message, headers={"Authorization": client.agent.key or ""})
    assert answer.json()["error"]["code"] in {-32600, -32700}
