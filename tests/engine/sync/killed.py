"""A process that sends one request and is killed. Arguments: database, key in hex, shop, connection, point."""

from __future__ import annotations

import sys

from engine.catalog.search import CatalogSearch
from engine.db import Store
from engine.kit import faults
from engine.migrate import load_models
from engine.runtime import Runtime
from engine.sync.client import VendorClient


def main(url: str, secret_key: str, tenant_id: str, connection_id: str, point: str) -> None:
    load_models()
    runtime = Runtime(
        store=Store(url),
        gateways={},
        search=CatalogSearch(),
        secret_key=bytes.fromhex(secret_key),
        demo=True,
        psp_url=str,
    )
    faults.set_hook(faults.kill_at(point))
    VendorClient(runtime, tenant_id, connection_id).request("POST", "/orders", json={"a": 1})


if __name__ == "__main__":
    main(*sys.argv[1:])
