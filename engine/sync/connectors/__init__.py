"""Connectors: other people's systems behind ``engine.sync.port``. A new one is a folder here and a line in
``CONNECTORS`` (docs/howto/write-a-connector.md).
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final, cast

import httpx

from engine.kit.errors import InvalidInput
from engine.runtime import Runtime
from engine.sync import connections
from engine.sync.client import VendorClient
from engine.sync.models import System
from engine.sync.port import Capability, Connector, Erp, Hooks, Storefront, Warehouse
from engine.sync.recording import Recorder

CONNECTORS: Final[dict[System, str]] = {
    System.SHOPIFY: "engine.sync.connectors.shopify.connector:ShopifyStorefront",
    System.DCL: "engine.sync.connectors.dcl.connector:Dcl",
    System.WOOCOMMERCE: "engine.sync.connectors.woocommerce.connector:WooCommerce",
    System.NETSUITE: "engine.sync.connectors.netsuite.connector:NetSuite",
}
"""System → ``module:class``, imported when it is first opened. A class is made of a client and a connection."""
STOREFRONTS: Final = frozenset({System.SHOPIFY, System.WOOCOMMERCE})
ERPS: Final = frozenset({System.NETSUITE})
WAREHOUSES: Final = frozenset({System.DCL})


class NotSupported(InvalidInput):
    """A system that is none of the kind, or whose connector cannot do it."""

    code = "not_supported"


def storefront(runtime: Runtime, tenant_id: str, connection_id: str, **opened: Any) -> Storefront:
    """The storefront of a connection; ``opened`` is what ``opened_as`` takes. Raises ``NotFound``, ``NotSupported``."""
    return cast("Storefront", opened_as(runtime, tenant_id, connection_id, STOREFRONTS, **opened))


def erp(runtime: Runtime, tenant_id: str, connection_id: str, **opened: Any) -> Erp:
    """The ERP of a connection; ``opened`` is what ``opened_as`` takes. Raises ``NotFound``, ``NotSupported``."""
    return cast("Erp", opened_as(runtime, tenant_id, connection_id, ERPS, **opened))


def warehouse(runtime: Runtime, tenant_id: str, connection_id: str, **opened: Any) -> Warehouse:
    """The warehouse of a connection; ``opened`` is what ``opened_as`` takes. Raises ``NotFound``, ``NotSupported``."""
    return cast("Warehouse", opened_as(runtime, tenant_id, connection_id, WAREHOUSES, **opened))


def opened_as(
    runtime: Runtime,
    tenant_id: str,
    connection_id: str,
    kinds: frozenset[System],
    *,
    workflow_id: str = "",
    trace_id: str = "",
    transport: httpx.BaseTransport | None = None,
    shadow: Recorder | None = None,
    **more: Any,
) -> Connector:
    """The connector of a connection whose system is one of ``kinds``. Opening asks the system nothing. ``more`` goes
    to the client (``patience``, ``sleep``).
    """
    with runtime.unit_of_work(tenant_id) as session:
        connection = connections.get(session, tenant_id, connection_id)
    if connection.system not in kinds:
        raise NotSupported(f"{connection.name} is {connection.system}, which is none of {', '.join(sorted(kinds))}.")
    client = VendorClient(
        runtime,
        tenant_id,
        connection,
        transport=transport,
        shadow=shadow,
        workflow_id=workflow_id,
        trace_id=trace_id,
        **more,
    )
    return cast("Connector", class_of(System(connection.system))(client, connection))


def class_of(system: System) -> Any:
    """The connector's class of a system. Raises ``NotSupported``."""
    place = CONNECTORS.get(system)
    if place is None:
        raise NotSupported(f"There is no connector for {system}.")
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)


def hooks_of(system: System) -> type[Hooks]:
    """How letters of a system are verified and named. Raises ``NotSupported`` where it sends none."""
    found = class_of(system)
    if Capability.WEBHOOKS not in found.capabilities:
        raise NotSupported(f"{system} sends nothing by itself.")
    return cast("type[Hooks]", found)
