"""The MCP binding as a real client of the protocol's own SDK speaks to it, over HTTP on this machine."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest
import uvicorn
from fastapi import FastAPI
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from app.protocols.acp.mcp import TOOLS
from app.site import Site
from tests.app.acp import official
from tests.app.acp.conftest import ADDRESS, BUYER, VERSION, Agent, Checkout, paid_with
from tests.shop import Shop


@pytest.fixture
def address(acp_app: FastAPI) -> Iterator[str]:
    """The application on a port of its own."""
    server = uvicorn.Server(uvicorn.Config(acp_app, host="127.0.0.1", port=0, lifespan="off", log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    (listener,) = server.servers[0].sockets
    yield f"http://127.0.0.1:{listener.getsockname()[1]}/acp/mcp"
    server.should_exit = True
    thread.join()


def meta(key: str | None = None) -> dict[str, Any]:
    return {"api_version": VERSION} | ({"idempotency_key": key} if key else {})


def test_the_sdks_client_buys(address: str, agent: Agent, buying: Checkout, shop: Shop) -> None:
    shop.add("TENT", price=5000)
    wish = buying.wish("TENT") | {"buyer": BUYER, "fulfillment_details": {"address": ADDRESS}}

    async def buy() -> tuple[list[str], Any, Any, Any]:
        async with (
            httpx2.AsyncClient(headers={"Authorization": agent.key or ""}) as http,
            Client(streamable_http_client(address, http_client=http)) as client,
        ):
            tools = [tool.name for tool in (await client.list_tools()).tools]
            made = await client.call_tool("create_checkout_session", {"meta": meta("k1"), "payload": wish})
            session: Any = made.structured_content
            token = await asyncio.to_thread(buying.token, session)
            known = {"meta": meta("k2"), "id": session["id"], "payload": paid_with(token)}
            done = await client.call_tool("complete_checkout_session", known)
            seen = await client.call_tool("get_checkout_session", {"meta": meta(), "id": session["id"]})
            return tools, session, done.structured_content, seen.structured_content

    tools, session, done, seen = asyncio.run(buy())
    assert tools == list(TOOLS)
    official.valid("CheckoutSession", session)
    official.valid("CheckoutSessionWithOrder", done)
    assert (done["status"], done) == ("completed", seen)


def test_calls_are_in_the_record_with_no_token(
    buying: Checkout, shop: Shop, site: Site, agent: Agent, make_key: Callable[..., str]
) -> None:
    shop.add("TENT", price=5000)
    session = buying.opened("TENT")
    token = buying.token(session)

    def call(name: str, **arguments: Any) -> Any:
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": name, "arguments": arguments}}
        headers = {"Authorization": agent.key or "", "Request-Id": f"mcp-{name}"}
        return agent.http.post("/acp/mcp", json=message, headers=headers).json()

    call("complete_checkout_session", meta=meta("k"), id=session["id"], payload=paid_with(token))
    call("get_checkout_session", meta=meta(), id="cs_none")
    site.agent_log.flush()
    staff = {"Authorization": make_key(shop.tenant, "staff")}
    rows = agent.http.get("/v1/staff/agent-requests", headers=staff).json()["items"]
    found = {one["request_id"]: one for one in rows}
    paid, missed = found["mcp-complete_checkout_session"], found["mcp-get_checkout_session"]
    assert (paid["operation"], paid["status"], paid["subject_id"]) == (
        "complete_checkout_session",
        200,
        session["id"],
    )
    assert paid["version"] == VERSION
    assert (missed["status"], missed["answered"]["code"]) == (404, "not_found")
    assert token not in str(rows)
