"""Staff can find out what an agent asked and was told; who nobody is leaves no trace."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import select

from app.site import Site
from engine.agentic.request_models import AgentRequest
from tests.app.acp.conftest import Agent, Checkout
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


def test_what_is_put_in_the_wrong_place_is_not_kept(shop: Shop, site: Site, buying: Checkout) -> None:
    shop.add("TENT")
    telling = ["4242424242424242", "4242-4242-4242-4242", "ada@example.com", "vt_secret", "Ada Buyer"]
    wish = buying.wish("TENT") | {"discounts": {"codes": [*telling, "SAVE20"]}, "locale": telling[2]}
    assert buying.agent.post("/checkout_sessions", wish).status_code == 201
    for word in telling:
        buying.agent.get(f"/checkout_sessions/{word}")
    for card in telling[:2]:
        buying.agent.get("/orders/ord_nothing", Request_Id=card)
    site.agent_log.flush()
    with shop.uow() as db:
        rows = list(db.scalars(select(AgentRequest)))
    assert len(rows) == 8
    kept = str([(row.asked, row.answered, row.subject_id, row.operation, row.request_id) for row in rows])
    assert not [word for word in telling if word in kept]
    assert [row.request_id for row in rows if row.operation.startswith("GET /orders")] == ["•••• 4242"] * 2
    assert "SAVE20" in kept
    assert shop.variants["TENT"] in kept
