"""The Sync Server's client and the emulated vendors: what each accident means to the one who asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from engine.kit.tenancy import Tenant
from engine.runtime import Runtime
from engine.sync.client import VendorClient
from engine.sync.dialects import BasicDialect, SlackDialect, TokenDialect
from engine.sync.errors import AuthExpired, RateLimited, Transient, UnknownOutcome
from engine.sync.models import System
from engine.sync.sandbox import World, WorldTransport
from engine.sync.sandbox.faults import Rule
from tests.engine.sync.scene import connect

HOST = "https://sandbox.example.com"


class Shopify(TokenDialect):
    header = "X-Shopify-Access-Token"


class Dcl(BasicDialect):
    user = "username"
    password = "password"


@pytest.fixture
def world() -> World:
    return World.preset("summit")


@pytest.fixture
def put(world: World) -> Callable[..., None]:
    def put_rule(system: str, kind: str, **fields: Any) -> None:
        world.ground.faults.put(Rule.model_validate({"id": kind, "system": system, "kind": kind} | fields))

    return put_rule


@pytest.fixture
def shop(runtime: Runtime, tenant: Tenant, world: World) -> Callable[..., Any]:
    who = world.merchants[0].credentials
    secrets = {"access_token": who.shopify_access_token}
    scene = connect(runtime, tenant, base_url=f"{HOST}/shopify/{who.shop_domain}", secrets=secrets)
    client = scene.client(Shopify, transport=WorldTransport(world))

    def ask(query: str, *, reads: bool = True) -> Any:
        return client.request("POST", "/admin/api/2026-10/graphql.json", json={"query": query}, reads=reads).data

    return ask


@pytest.fixture
def house(runtime: Runtime, tenant: Tenant, world: World) -> VendorClient:
    who = world.merchants[0].credentials
    scene = connect(
        runtime,
        tenant,
        system=System.DCL,
        base_url=f"{HOST}/dcl/api/v1",
        secrets={"password": who.dcl_password},
        settings={"username": who.dcl_username},
    )
    return scene.client(Dcl, transport=WorldTransport(world))


def batch(world: World) -> dict[str, Any]:
    house = world.merchants[0].house
    address = {"address1": "x", "city": "Denver", "postal_code": "80211", "country_code": "US"}
    lines = [{"item_number": next(iter(house.items)), "quantity": 1}]
    order = {"order_number": "A-1", "account_number": house.account_number, "shipping_address": address, "lines": lines}
    return {"orders": [order]}


def test_a_shop_is_read(shop: Callable[..., Any]) -> None:
    assert shop("{ shop { name } }")["data"] == {"shop": {"name": "Summit & Pine"}}


def test_too_much_is_too_much_for_as_long_as_the_shop_says(shop: Callable[..., Any], put: Callable[..., None]) -> None:
    put("shopify", "http_429", params={"retry_after": 4})

    with pytest.raises(RateLimited) as limited:
        shop("{ shop { name } }")

    assert limited.value.retry_after == 4


@pytest.mark.parametrize(
    ("kind", "reads", "meaning"),
    [
        ("http_503", False, Transient),
        ("truncated_json", True, Transient),
        ("truncated_json", False, UnknownOutcome),
        ("http_500", False, UnknownOutcome),
        ("timeout_before_commit", True, Transient),
    ],
)
def test_trouble_is_what_it_means(
    shop: Callable[..., Any], put: Callable[..., None], kind: str, reads: bool, meaning: type[Exception]
) -> None:
    put("shopify", kind)

    with pytest.raises(meaning):
        shop("{ shop { name } }", reads=reads)


def test_a_rotated_secret_ends_what_the_client_knows(shop: Callable[..., Any], put: Callable[..., None]) -> None:
    put("shopify", "secret_rotated")

    with pytest.raises(AuthExpired):
        shop("{ shop { name } }")


def test_a_lost_answer_is_an_unknown_outcome_that_can_be_looked_up(
    house: VendorClient, world: World, put: Callable[..., None]
) -> None:
    put("dcl", "timeout_after_commit")
    with pytest.raises(UnknownOutcome):
        house.request("POST", "/batches", json=batch(world))

    found = house.request("GET", "/orders", params={"order_numbers": "A-1"}).data["orders"]
    assert [one["order_number"] for one in found] == ["A-1"]


def test_a_broken_line_on_the_way_there_is_as_unknown(
    house: VendorClient, world: World, put: Callable[..., None]
) -> None:
    put("dcl", "connection_reset")
    with pytest.raises(UnknownOutcome):
        house.request("POST", "/batches", json=batch(world))

    assert house.request("GET", "/orders", params={"order_numbers": "A-1"}).data == {"orders": []}


def test_a_message_goes_to_an_address_that_is_a_secret(runtime: Runtime, tenant: Tenant, world: World) -> None:
    path = world.merchants[0].credentials.slack_path
    scene = connect(
        runtime, tenant, system=System.SLACK, base_url=f"{HOST}/slack/services", secrets={"webhook_path": path}
    )
    scene.client(SlackDialect, transport=WorldTransport(world)).request("POST", "/", json={"text": "Three failed."})

    channel = next(iter(world.slack.channels.values()))
    assert [message for _, message in channel.messages] == [{"text": "Three failed."}]
