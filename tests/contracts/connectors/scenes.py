"""What a connector can be asked, as a table that serves three times: it is recorded and played back, it is done twice
and under every accident, and it shows which methods of the port were tried at all.

A connector adds a module with ``CALLS`` to ``MODULES``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import lru_cache
from importlib import import_module
from typing import Any, Final

import httpx
from pydantic import BaseModel

from engine.kit import clock
from engine.runtime import Runtime
from engine.sync.connectors import ERPS, STOREFRONTS, WAREHOUSES, opened_as
from engine.sync.models import System
from engine.sync.port import Capability, Erp, Storefront, Warehouse
from engine.sync.sandbox import World
from engine.sync.sandbox.merchants import Merchant
from tests.contracts.connectors import bench

MODULES: Final[dict[System, str]] = {
    System.SHOPIFY: "tests.contracts.connectors.calls_shopify",
    System.NETSUITE: "tests.contracts.connectors.calls_netsuite",
    System.DCL: "tests.contracts.connectors.calls_dcl",
    System.WOOCOMMERCE: "tests.contracts.connectors.calls_woocommerce",
}
Do = Callable[[Any, Any], Any]
"""Of the connector and of what ``prepare`` told."""
EVERYBODY: Final = STOREFRONTS | ERPS | WAREHOUSES


@dataclass(frozen=True)
class Call:
    """One thing that a connector is asked.

    ``prepare`` is what happens at the vendors before (its answer, JSON, is given to ``do``). ``done`` counts at the
    vendor how often it has been done: of whatever writes; ``match`` are the requests that do it, for fault rules.
    ``lists`` is the path of the list in an answer that is read: one without it may not be taken for an empty one.
    ``asks``: anything at all goes over the line.
    """

    capability: Capability
    do: Do
    prepare: bench.Story = field(default=lambda _world, _merchant: None)
    done: Callable[[World, Merchant], int] | None = None
    match: Mapping[str, str] = field(default_factory=lambda: {"method": "POST"})
    lists: str = ""
    asks: bool = True

    def counted(self, world: World) -> int:
        """How often a write has been done."""
        assert self.done is not None
        return self.done(world, world.merchants[0])


@dataclass(frozen=True)
class Letter:
    """What a vendor sent by itself. Header names are in lower case."""

    headers: Mapping[str, str]
    body: bytes


def letter_of(system: System) -> Callable[[World, Merchant], Letter]:
    """Has the vendor send a letter, signed with the merchant's secret: of a system with ``WEBHOOKS``."""
    found: Callable[[World, Merchant], Letter] = import_module(MODULES[system]).letter
    return found


def telling() -> list[System]:
    """Systems that send letters."""
    return [
        system for system in MODULES if any(one.capability == Capability.WEBHOOKS for one in calls_of(system).values())
    ]


@lru_cache
def calls_of(system: System) -> Mapping[str, Call]:
    found: Mapping[str, Call] = import_module(MODULES[system]).CALLS
    return found


def every_call() -> list[tuple[System, str]]:
    return [(system, name) for system in MODULES for name in calls_of(system)]


def reading() -> list[tuple[System, str]]:
    every = ((system, name, calls_of(system)[name]) for system, name in every_call())
    return [(system, name) for system, name, call in every if call.done is None and call.asks]


def reading_each() -> list[tuple[System, str]]:
    """One of each capability: where every reading of it goes the same way."""
    first: dict[tuple[System, Capability], str] = {}
    for system, name in reading():
        first.setdefault((system, calls_of(system)[name].capability), name)
    return [(system, name) for (system, _), name in first.items()]


def writing() -> list[tuple[System, str]]:
    return [(system, name) for system, name in every_call() if calls_of(system)[name].done is not None]


METHODS: Final[Mapping[Capability, frozenset[str]]] = {
    Capability.ORDERS: frozenset({"order", "orders_since"}),
    Capability.WEBHOOKS: frozenset({"verify", "delivery", "read"}),
    Capability.SUBSCRIPTIONS: frozenset({"listen"}),
    Capability.TAGS: frozenset({"tag"}),
    Capability.SHIPMENTS: frozenset({"ship"}),
    Capability.SET_STOCK: frozenset({"set_stock"}),
    Capability.BUNDLES: frozenset({"native_bundles"}),
    Capability.PRODUCTS: frozenset({"products_since", "products"}),
    Capability.SETTLEMENTS: frozenset({"settlements"}),
    Capability.SALES_ORDERS: frozenset(
        {"items", "put_customer", "put_sales_order", "sales_order", "sales_orders", "flag", "close_order", "found"}
    ),
    Capability.FULFILMENTS: frozenset({"fulfil"}),
    Capability.BILLING: frozenset({"bill", "invoice", "open_invoices"}),
    Capability.PAYMENTS: frozenset({"pay", "payment", "credit"}),
    Capability.PURCHASING: frozenset(
        {"expected", "expected_one", "find_expected", "receive", "unreceive", "close_lines"}
    ),
    Capability.SUBMIT: frozenset({"submit", "orders"}),
    Capability.ANNOUNCE: frozenset({"announce"}),
    Capability.RECEIPTS: frozenset({"receipts"}),
}
"""What a declared capability promises. ``STOCK`` is called differently in each kind of system."""
STOCK: Final[Mapping[System, frozenset[str]]] = {
    System.SHOPIFY: frozenset({"stock"}),
    System.NETSUITE: frozenset({"stock", "kits", "places"}),
    System.DCL: frozenset({"items"}),
}


def promised(system: System, capability: Capability) -> frozenset[str]:
    return STOCK[system] if capability == Capability.STOCK else METHODS[capability]


def port_of(system: System) -> frozenset[str]:
    """Methods of the port that a system's connector stands behind."""
    port = Storefront if system in STOREFRONTS else Erp if system in ERPS else Warehouse
    every = frozenset[str]().union(*METHODS.values(), *STOCK.values())
    return frozenset(name for name in every if hasattr(port, name))


class Watched:
    """A connector whose methods are noted as they are asked."""

    def __init__(self, connector: Any, asked: set[str]) -> None:
        self._connector, self._asked = connector, asked

    def __getattr__(self, name: str) -> Any:
        self._asked.add(name)
        return getattr(self._connector, name)


def opened(
    runtime: Runtime,
    tenant_id: str,
    connection_id: str,
    line: httpx.BaseTransport,
    hands: clock.OwnClock,
    **more: Any,
) -> Any:
    """The connector of a connection, whatever it is. Where it waits for a limit, time passes."""

    def wait(seconds: float) -> None:
        hands.move(timedelta(seconds=seconds))

    usual: dict[str, Any] = {"transport": line, "patience": 600.0, "sleep": wait}
    return opened_as(runtime, tenant_id, connection_id, EVERYBODY, **(usual | more))


def plain(value: Any) -> Any:
    """What a call gave, as JSON: without a vendor's own documents, and without what is as it is of itself."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude={"raw"}, exclude_defaults=True)
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, set | frozenset):
        return sorted(value)
    if isinstance(value, list | tuple | Iterator):
        return [plain(one) for one in value]
    return value


def documents(value: Any) -> Iterator[BaseModel]:
    """Every document that a call gave, however deep."""
    if isinstance(value, BaseModel):
        yield value
    elif isinstance(value, Mapping):
        yield from documents(list(value.values()))
    elif isinstance(value, list | tuple | Iterator):
        for one in value:
            yield from documents(one)
