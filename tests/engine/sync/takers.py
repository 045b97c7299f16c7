"""A process that takes as many permits of a limit as it gets, in four threads: its clock stands where it is told.

Arguments: the database, the moment, and connections as ``tenant/connection``.
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from unittest import mock

from engine.db import Store
from engine.kit import clock
from engine.kit.ids import new_id
from engine.sync import limits
from engine.sync.limits import Wait

THREADS = 4


def take_all(store: Store, tenant_id: str, connection_id: str, cost: int = 1) -> int:
    """Until there is no room; how many it were."""
    taken = 0
    while True:
        with store.unit_of_work(tenant_id) as session:
            found = limits.take(
                session,
                tenant_id,
                connection_id,
                permit_id=new_id("permit"),
                cost=cost,
                lease=timedelta(minutes=1),
            )
        if isinstance(found, Wait):
            return taken
        taken += 1


def main(url: str, at: str, *connections: str) -> None:
    store = Store(url)
    with mock.patch.object(clock, "_held", datetime.fromisoformat(at)), ThreadPoolExecutor(THREADS) as pool:
        for tenant_id, connection_id in (one.split("/") for one in connections):
            found = [pool.submit(take_all, store, tenant_id, connection_id) for _ in range(THREADS)]
            sys.stdout.write(f"{sum(one.result() for one in found)}\n")
    store.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
