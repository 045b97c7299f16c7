"""One account of NetSuite, for one run: what every part of the connector works with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

from engine.sync.client import VendorClient
from engine.sync.connectors.netsuite.amounts import Currencies
from engine.sync.connectors.netsuite.catalogue import Catalogue
from engine.sync.connectors.netsuite.records import Records
from engine.sync.connectors.netsuite.suiteql import Queries
from engine.sync.connectors.netsuite.wire import TransactionRead
from engine.sync.errors import FieldFault, Rejected
from engine.sync.models import Connection

SENT: Final = "custbody_sent_to_3pl"
ANNOUNCED: Final = "custbody_asn_sent"
REFUND_ITEM: Final = "SHOP-DISCOUNT"


@dataclass
class Account:
    """``settings`` of the connection name the account's own fields and items where they are called otherwise."""

    client: VendorClient
    connection: Connection
    records: Records = field(init=False)
    queries: Queries = field(init=False)
    catalogue: Catalogue = field(init=False)
    currencies: Currencies = field(init=False)

    def __post_init__(self) -> None:
        self.records, self.queries = Records(self.client), Queries(self.client)
        self.catalogue, self.currencies = Catalogue(self.queries), Currencies(self.connection.settings)

    @property
    def number(self) -> str:
        """The account's number, as NetSuite writes it."""
        return str(self.connection.settings.get("account", ""))

    def setting(self, name: str, otherwise: str = "") -> str:
        return str(self.connection.settings.get(name) or otherwise)

    def must_read(self, kind: str, id: str) -> dict[str, Any]:  # noqa: A002 (what it is)
        """A record that is there. Raises ``Rejected`` where it is not."""
        found = self.records.read(kind, id)
        if found is None:
            raise Rejected(f"The ERP has no such {kind}.", fields=[FieldFault("id", f"{id[:60]} is not there")])
        return found

    def once(self, kind: str, external_id: str, work: Callable[[], str]) -> str:
        """What ``work`` makes; where it is refused, what an earlier try has made already."""
        try:
            return work()
        except Rejected:
            earlier = self.records.found(kind, external_id)
            if earlier is None:
                raise
            return earlier


def day(told: str) -> date | None:
    """The day of a moment or of a day in ISO 8601; nothing where nothing is told. Raises ``Rejected``."""
    try:
        return date.fromisoformat(told[:10]) if told else None
    except ValueError:
        raise Rejected("This is no day.", fields=[FieldFault("at", told[:40])]) from None


def open_units(read: TransactionRead, number: int) -> int:
    """What of an order's line has neither left nor come; nothing of a closed one."""
    line = next((one for one in read.item.items if one.line == number), None)
    if line is None or line.is_closed:
        return 0
    return max(0, int(abs(line.quantity) - line.quantity_fulfilled - line.quantity_received))
