"""Which storefront an order was placed at."""

from __future__ import annotations

from engine.sync.canonical import OURS
from engine.sync.connectors import STOREFRONTS
from engine.sync.errors import Rejected
from engine.sync.port import Storefront
from engine.workflows.access import Access
from engine.workflows.lineage import Origin
from engine.workflows.run import Run


def front_of(access: Access | Run, origin: Origin) -> Storefront:
    """By its system, and by its account where the shop has several. Raises ``Rejected`` where it is not connected."""
    if origin.system == OURS:
        return access.storefront(OURS)
    for connection in access.connections(*sorted(STOREFRONTS)):
        if connection.system == origin.system:
            front = access.storefront(connection.id)
            if front.account == origin.account:
                return front
    raise Rejected(f"This shop has no connection to {origin.account} at {origin.system} any more.")
