"""The rows that past orders leave behind, gathered and then written in a few statements."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import insert
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from engine.checkout.models import CheckoutSession
from engine.finance import service as finance
from engine.finance.models import Account, JournalEntry, Payout, PayoutLine, Posting
from engine.inventory.models import MovementKind, Reservation, StockLevel, StockMovement
from engine.inventory.service import Allocation
from engine.kit.ids import new_id
from engine.orders.models import Order, OrderAdjustment, OrderChange, OrderLine, Shipment
from engine.payments.models import Capture, CaptureStatus, Payment, Refund
from engine.returns.models import Return, ReturnEvent, ReturnLine
from engine.warranties.models import Warranty

Row = dict[str, Any]


@dataclass(slots=True)
class Ledger:
    """Rows by table, written in a few statements at the end."""

    tenant_id: str
    currency: str
    rows: dict[type[Any], list[Row]] = field(default_factory=dict)
    received: list[Allocation] = field(default_factory=list)

    def add(self, model: type[Any], **row: Any) -> Row:
        full = {"tenant_id": self.tenant_id} | row
        self.rows.setdefault(model, []).append(full)
        return full

    def post(self, kind: str, subject: str, order_id: str | None, at: datetime, amounts: Mapping[Account, int]) -> None:
        entry_id = new_id("entry")
        self.add(JournalEntry, id=entry_id, kind=kind, subject=subject, order_id=order_id, occurred_at=at)
        for account, amount in amounts.items():
            if amount:
                self.add(Posting, entry_id=entry_id, account=account, amount=amount, currency=self.currency)

    def capture(self, payment_id: str, order: Row, at: datetime) -> None:
        """What the order cost, taken from its payment."""
        self.add(
            Capture,
            id=new_id("capture"),
            payment_id=payment_id,
            order_id=order["id"],
            amount=order["total"],
            tax=order["tax"],
            currency=self.currency,
            status=CaptureStatus.SUCCEEDED,
            reason="sale",
            attempts=1,
            created_at=at,
            settled_at=at,
        )

    def move(
        self, one: Allocation, kind: MovementKind, subject: str, at: datetime, *, on_hand: int, reserved: int
    ) -> None:
        self.add(
            StockMovement,
            variant_id=one.variant_id,
            location_id=one.location_id,
            kind=kind,
            on_hand_delta=on_hand,
            reserved_delta=reserved,
            subject=subject,
            at=at,
        )

    def write(self, session: Session) -> None:
        for model in (
            CheckoutSession,
            Order,
            OrderLine,
            Payment,
            Capture,
            Refund,
            OrderChange,
            Return,
            ReturnLine,
            ReturnEvent,
            OrderAdjustment,
            Shipment,
            Warranty,
            Reservation,
            StockMovement,
            Payout,
            PayoutLine,
            JournalEntry,
        ):
            if self.rows.get(model):
                session.execute(insert(model), self.rows[model])
        finance.write_postings(session, self.tenant_id, self.rows.get(Posting, []))
        _receive(session, self)


def _receive(session: Session, ledger: Ledger) -> None:
    """Raise stock by the units that were received and promised; their movements are in the ledger already."""
    totals: dict[tuple[str, str], int] = {}
    for one in ledger.received:
        key = (one.variant_id, one.location_id)
        totals[key] = totals.get(key, 0) + one.quantity
    rows = [
        {
            "tenant_id": ledger.tenant_id,
            "variant_id": variant,
            "location_id": place,
            "on_hand": units,
            "reserved": units,
        }
        for (variant, place), units in totals.items()
    ]
    if not rows:
        return
    statement = upsert(StockLevel)
    added = statement.excluded
    session.execute(
        statement.on_conflict_do_update(
            index_elements=["tenant_id", "variant_id", "location_id"],
            set_={
                "on_hand": StockLevel.on_hand + added.on_hand,
                "reserved": StockLevel.reserved + added.reserved,
            },
        ),
        rows,
    )
