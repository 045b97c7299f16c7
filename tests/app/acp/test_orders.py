"""``GET /orders/{id}``: a platform's own orders, and nobody else's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from engine.kit.tenancy import ApiKey
from tests.app.acp.conftest import Agent
from tests.conftest import MakeTenant
from tests.engine.agentic.platform_orders import buy_as, platform
from tests.engine.orders.desk import Desk
from tests.shop import Shop


@pytest.fixture
def desk(shop: Shop, agent: Agent) -> Desk:
    """An order of the agent's platform."""
    shop.add("A")
    with shop.runtime.store.without_tenant() as session:
        key = session.query(ApiKey).filter_by(tenant_id=shop.tenant.id).one()
    buyer = replace(shop.shopper(), id=key.platform_id)
    return buy_as(shop, buyer, "A")


def test_its_own_order_in_both_versions(agent: Agent, desk: Desk) -> None:
    body = agent.get(f"/orders/{desk.order_id}").json()
    older = agent.at("2026-01-30").get(f"/orders/{desk.order_id}").json()

    assert (body["type"], body["id"], body["status"]) == ("order", desk.order_id, "confirmed")
    assert body["permalink_url"].endswith(f"/order/{body['order_number']}?shop={desk.shop.tenant.slug}")
    assert older["id"] == desk.order_id


def test_anybody_elses_is_not_found(
    agent: Agent,
    desk: Desk,
    shop: Shop,
    make_tenant: MakeTenant,
    open_agent: Callable[..., Agent],
) -> None:
    other_platform = open_agent(shop.tenant)
    other_shop = open_agent(make_tenant())
    theirs = buy_as(shop, platform(shop, "Other Co"), "A")
    for who, order_id in (
        (other_platform, desk.order_id),
        (other_shop, desk.order_id),
        (agent, theirs.order_id),
        (agent, "ord_none"),
        (agent, "a" * 2_000),
        (agent, "%00"),
        (agent, desk.look().number),
    ):
        answer = who.get(f"/orders/{order_id}")
        assert answer.status_code == 404, (order_id, answer.text)
        assert set(answer.json()) == {"type", "code", "message"}


def test_without_a_key_nothing_is_told(agent: Agent, desk: Desk) -> None:
    assert agent.ask("GET", f"/orders/{desk.order_id}", Authorization=None).status_code == 401
