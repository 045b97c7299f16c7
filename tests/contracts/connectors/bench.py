"""A merchant's accounts at the emulated vendors, and connections to them as a shop would make them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

import httpx
import orjson

from engine.runtime import Runtime
from engine.sync import connections
from engine.sync.models import System
from engine.sync.sandbox import World, WorldTransport
from engine.sync.sandbox.merchants import Credentials, Merchant

HOST: Final = "https://sandbox.example.com"
START: Final = datetime(2026, 11, 26, 8, 0, tzinfo=UTC)
SECRET: Final = (
    "shopify_access_token",
    "shopify_client_secret",
    "netsuite_private_key_pem",
    "netsuite_client_id",
    "netsuite_certificate_id",
    "netsuite_consumer_key",
    "netsuite_consumer_secret",
    "netsuite_token_id",
    "netsuite_token_secret",
    "dcl_password",
    "slack_path",
    "tracker_api_key",
    "woocommerce_key",
    "woocommerce_secret",
)
"""Which of a merchant's credentials must be found nowhere."""
Story = Callable[[World, Merchant], Any]


@dataclass(frozen=True)
class Account:
    """What somebody types into the connections page."""

    base_url: str
    settings: Mapping[str, Any]
    secrets: Mapping[str, str]


def account_of(system: System, known: Credentials, host: str = HOST) -> Account:
    """The merchant's account at a system."""
    match system:
        case System.SHOPIFY:
            secrets = {"access_token": known.shopify_access_token, "webhook_secret": known.shopify_client_secret}
            return Account(f"{host}/shopify/{known.shop_domain}", {"shop": known.shop_domain}, secrets)
        case System.NETSUITE:
            settings = {
                "account": known.netsuite_account,
                "client_id": known.netsuite_client_id,
                "certificate_id": known.netsuite_certificate_id,
                "currency": "USD",
                "currencies": {"USD": "1", "GBP": "2"},
            }
            base = f"{host}/netsuite/{known.netsuite_account}/services/rest"
            return Account(base, settings, {"private_key": known.netsuite_private_key_pem.strip()})
        case System.DCL:
            settings = {"username": known.dcl_username, "account_number": known.dcl_account_number}
            return Account(f"{host}/dcl/api/v1", settings, {"password": known.dcl_password})
        case System.WOOCOMMERCE:
            keys = {"consumer_key": known.woocommerce_key, "consumer_secret": known.woocommerce_secret}
            secrets = keys | {"webhook_secret": known.woocommerce_secret}
            return Account(
                f"{host}/woocommerce/{known.woocommerce_store}/wp-json/wc/v3",
                {"store": known.woocommerce_store},
                secrets,
            )
    raise KeyError(system)


def secrets_of(known: Credentials) -> list[str]:
    return [getattr(known, name) for name in SECRET]


@lru_cache(maxsize=1)
def usual_credentials() -> Credentials:
    """Of every world of the usual seed: the same dice make the same keys."""
    world = new_world()
    try:
        return world.merchants[0].credentials
    finally:
        world.close()


def new_world() -> World:
    return World.preset("summit", seed=1, at=START)


def line_to(world: World) -> httpx.BaseTransport:
    """The world, asked in the same process and without waiting."""
    return WorldTransport(world, wait=lambda _: None)


def bent(line: httpx.BaseTransport, bend: Callable[[Any], None]) -> httpx.BaseTransport:
    """A line whose good answers are changed on their way: ``bend`` changes the document in its place."""

    def pass_on(request: httpx.Request) -> httpx.Response:
        answer = line.handle_request(request)
        said = orjson.loads(answer.read())
        bend(said)
        return httpx.Response(answer.status_code, json=said, headers={"x-shopify-api-version": "2026-10"})

    return httpx.MockTransport(pass_on)


def connect(runtime: Runtime, tenant_id: str, system: System, known: Credentials, host: str = HOST) -> str:
    """The id of a new connection to a merchant's account."""
    account = account_of(system, known, host)
    with runtime.unit_of_work(tenant_id) as session:
        made = connections.connect(
            session,
            runtime,
            tenant_id,
            actor="key_test",
            system=system,
            name="Main",
            base_url=account.base_url,
            settings=account.settings,
            secrets_given=account.secrets,
        )
        return made.id
