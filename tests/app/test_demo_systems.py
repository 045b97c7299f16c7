"""The first demo shop is connected to the sandbox once, and left to its people from then on."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from app import demo_systems
from engine.fulfillment.policies import FulfillmentPolicy
from engine.kit.policies import policy_of
from engine.sync import connections
from engine.sync.models import System
from engine.sync.sandbox import World
from engine.workflows import pipeline, registry


@pytest.fixture(scope="module")
def world() -> World:
    return World.preset("summit", seed=5)


def test_it_is_connected_once(runtime, tenant, world: World) -> None:
    who = world.merchants[0]
    with runtime.unit_of_work(tenant.id) as session:
        assert demo_systems.connect(session, runtime, tenant.id, who, "http://127.0.0.1:7001")
        rows = connections.listed(session, tenant.id)
        assert {row.system for row in rows} == {System.SHOPIFY, System.NETSUITE, System.DCL, System.SLACK}
        assert pipeline.switched_on(session, tenant.id) == list(registry.names())
        assert policy_of(session, tenant.id, FulfillmentPolicy).partner_of("RNO") == "dcl"
        slack = next(row for row in rows if row.system == System.SLACK)
        connections.close(session, tenant.id, slack.id, actor="me", reason="Not wanted.")
        pipeline.switch(session, tenant.id, actor="me", workflow=registry.names()[0], on=False)

    with runtime.unit_of_work(tenant.id) as session:
        assert not demo_systems.connect(session, runtime, tenant.id, who, "http://127.0.0.1:7002")
        rows = connections.listed(session, tenant.id)
        assert {row.system for row in rows} == {System.SHOPIFY, System.NETSUITE, System.DCL}
        assert {urlsplit(row.base_url).port for row in rows} == {7002}
        assert registry.names()[0] not in pipeline.switched_on(session, tenant.id)


def test_its_settings_name_what_is_there(world: World) -> None:
    from engine.workflows.settings import PipelineSettings

    who = world.merchants[0]
    settings = PipelineSettings.model_validate(demo_systems.settings_for(who))
    here = {place.ours: place for place in settings.locations}
    assert set(here) == {"RNO", "CMH", "ATL", "DFW", "STORE-DEN"}
    assert [code for code, place in here.items() if place.warehouse] == ["RNO"]
    assert settings.default_location == here["RNO"].erp
    assert {int(place.storefront) for place in here.values()} == set(who.shop.state.locations)
    ways = who.account.lists["shipMethod"]
    assert {int(way) for way in settings.ship_methods.values()} <= set(ways)
    assert set(settings.carriages) == {str(way) for way in ways}
