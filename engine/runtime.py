"""What every edge holds: the store, the gateways, the catalog search, the shop-wide secrets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from sqlalchemy.orm import Session

from engine.kit.outward import Outward

if TYPE_CHECKING:
    from engine.catalog.search import CatalogSearch
    from engine.db import Store
    from engine.mail.mailer import Mailer
    from engine.payments.gateway import Gateway
    from engine.payments.risk import Risk
    from engine.tax.engine import TaxEngine


class Platforms(Protocol):
    """Other platforms that some of the shop's products come from."""

    def recheck(self, runtime: Runtime, tenant_id: str, product_ids: Sequence[str]) -> list[str]:
        """Have what we know of these products be as it is there now; the ones of which that could not be found out. It
        asks over the network: no transaction is to be open.
        """


@dataclass(frozen=True)
class Runtime:
    """One running instance of iCommerce, whatever the door it is reached by."""

    store: Store
    gateways: Mapping[str, Gateway]
    search: CatalogSearch
    secret_key: bytes
    demo: bool
    psp_url: Callable[[], str]
    """Origin of the gateway's card-entry pages."""
    mailer: Mailer | None = None
    """What carries letters away; without one they wait. Demo shops need none."""
    tax_engines: Mapping[str, TaxEngine] = field(default_factory=dict)
    """By name: those that have to be asked over the network; the shop's own tables need none."""
    risk: Risk | None = None
    """A service that is asked about every purchase; without one the shop's own thresholds count."""
    web_origin: str = "http://127.0.0.1:8000"
    """Scheme and host of our pages, for shops without a host of their own."""
    platforms: Platforms | None = None
    """Who asks the platforms that products come from; without one what was known last counts."""
    outward: Outward = field(default_factory=Outward)
    """The one way out to addresses that others named."""

    def unit_of_work(self, tenant_id: str, *, keyed: bool = False) -> AbstractContextManager[Session]:
        """As the store's."""
        return self.store.unit_of_work(tenant_id, keyed=keyed)
