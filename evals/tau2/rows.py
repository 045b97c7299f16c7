"""The rows of a shop that is brought along, gathered and then written in one statement for each table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy.orm import Session

from engine.catalog.models import Product, Variant
from engine.checkout.models import CheckoutSession
from engine.customers.models import Address, Customer, PaymentMethod, Shopper
from engine.finance import service as finance
from engine.finance.models import Account, JournalEntry, Posting
from engine.inventory.models import Location, Reservation
from engine.kit.bulk import insert_rows
from engine.kit.ids import new_id
from engine.orders.models import Order, OrderAdjustment, OrderLine, Shipment
from engine.payments.models import Capture, Payment, Refund
from engine.payments.stored_value_models import StoredValueAccount, StoredValueEntry
from engine.shipping.models import ShippingZone

CURRENCY: Final = "USD"
Row = dict[str, Any]
_ORDER: Final = (
    Location,
    ShippingZone,
    Product,
    Variant,
    Customer,
    Shopper,
    Address,
    PaymentMethod,
    StoredValueAccount,
    StoredValueEntry,
    CheckoutSession,
    Order,
    OrderLine,
    Payment,
    Capture,
    Refund,
    OrderAdjustment,
    Shipment,
    Reservation,
    JournalEntry,
)
"""What is named comes before what names it."""


@dataclass(slots=True)
class Rows:
    """Rows by table."""

    tenant_id: str
    tables: dict[type[Any], list[Row]] = field(default_factory=dict)

    def add(self, model: type[Any], **row: Any) -> Row:
        full = {"tenant_id": self.tenant_id} | row
        self.tables.setdefault(model, []).append(full)
        return full

    def post(self, kind: str, subject: str, order_id: str | None, at: datetime, amounts: Mapping[Account, int]) -> None:
        """One entry in the books; none where nothing moves."""
        if not amounts:
            return
        entry_id = new_id("entry")
        self.add(JournalEntry, id=entry_id, kind=kind, subject=subject, order_id=order_id, occurred_at=at)
        for account, amount in amounts.items():
            self.add(Posting, entry_id=entry_id, account=account, amount=amount, currency=CURRENCY)

    def write(self, session: Session) -> int:
        """Insert everything; returns how many rows that were."""
        for model in _ORDER:
            insert_rows(session, model, self.tables.get(model, ()))
        finance.write_postings(session, self.tenant_id, self.tables.get(Posting, []))
        return sum(len(rows) for rows in self.tables.values())
