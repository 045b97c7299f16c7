"""A store for one process: an embedded PostgreSQL in a temporary home, migrated, gone when the process ends or is
killed.
"""

from __future__ import annotations

import atexit
from dataclasses import replace
from pathlib import Path
from threading import Lock

from engine.catalog.search import CatalogSearch
from engine.db import Store, open_addresses
from engine.migrate import load_models, migrate
from engine.payments.gateways.manual import MANUAL, ManualGateway
from engine.runtime import Runtime
from engine.settings import Settings
from evals import throwaway

_ORIGIN = "http://127.0.0.1:1"
_OPENED: list[Runtime] = []
_LOCK = Lock()


def process_runtime() -> Runtime:
    """The engine on this process's own store, started at the first call; nothing else has to run."""
    with _LOCK:
        if not _OPENED:
            _OPENED.append(_open(throwaway.make("icommerce-tau2-")))
        return _OPENED[0]


def _open(home: Path) -> Runtime:
    atexit.register(_close, home)
    load_models()
    settings = Settings.from_env({"ICOMMERCE_HOME": str(home)})
    addresses = open_addresses(replace(settings, durable=False), start=True)
    migrate(addresses)
    return Runtime(
        store=Store(addresses.runtime),
        gateways={MANUAL: ManualGateway(addresses.secret_key)},
        search=CatalogSearch(),
        secret_key=addresses.secret_key,
        demo=False,
        psp_url=lambda: _ORIGIN,
    )


def _close(home: Path) -> None:
    for runtime in _OPENED:
        runtime.store.close()
    throwaway.remove(home)
