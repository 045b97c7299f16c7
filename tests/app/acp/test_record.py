"""Staff can find out what an agent asked and was told; who nobody is leaves no trace."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from app.site import Site
from tests.app.acp.conftest import Agent
from tests.shop import Shop


def test_a_request_is_found_by_its_id(
    shop: Shop, site: Site, agent: Agent, make_key: Callable[..., str], acp_http: Any
) -> None:
    agent.get("/orders/ord_nothing", Request_Id="look-here")
    agent.ask("GET", "/orders/ord_nothing", Authorization="Bearer ick_made_up")
    site.agent_log.flush()
    staff = {"Authorization": make_key(shop.tenant, "staff")}
    found = acp_http.get("/v1/staff/agent-requests", headers=staff).json()["items"]
    (one,) = found
    assert (one["request_id"], one["status"], one["answered"]["code"]) == ("look-here", 404, "not_found")
    assert one["caller_id"].startswith("agp_")
    assert one["key_id"].startswith("key_")
    assert acp_http.get("/v1/staff/agent-requests", headers={"Authorization": agent.key}).status_code == 403
