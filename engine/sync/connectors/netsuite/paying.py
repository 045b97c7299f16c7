"""Money in the books: payments of invoices, and credits."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from engine.sync.canonical import Invoice, Payment
from engine.sync.connectors.netsuite import reading, wire
from engine.sync.connectors.netsuite.account import REFUND_ITEM, Account, day
from engine.sync.connectors.netsuite.amounts import major, minor
from engine.sync.connectors.netsuite.records import SHADOW, eid
from engine.sync.connectors.netsuite.selling import read_bill
from engine.sync.connectors.netsuite.wire import Ref
from engine.sync.errors import FieldFault, Rejected
from engine.sync.models import System

KIND: Final = "customerPayment"


def pay(account: Account, invoice_id: str, external_id: str, amount: int, where: str, at: str) -> int:
    """Book a payment of an invoice; what remains of that, in minor units."""
    before = read_bill(account, "invoice", invoice_id)
    made = account.once(KIND, external_id, lambda: _pay(account, before, external_id, amount, where, at))
    if made.startswith(SHADOW):
        return max(0, before.remaining - amount)
    return read_bill(account, "invoice", invoice_id).remaining


def _pay(account: Account, bill: Invoice, external_id: str, amount: int, where: str, at: str) -> str:
    """As much as is open goes to the invoice, by a transform; where nothing is open it is a payment of its own."""
    if amount <= 0:
        raise Rejected("A payment is above nothing.", fields=[FieldFault("amount", str(amount))])
    read = reading.transaction(bill.raw)
    if read.entity is None:
        raise Rejected("The ERP's invoice has no customer.", fields=[FieldFault("entity", bill.source_id)])
    applied = min(amount, bill.remaining)
    body = wire.PaymentBody(
        external_id=external_id,
        customer=Ref(id=read.entity.id),
        payment=major(amount, bill.currency),
        account=Ref(id=where) if where else None,
        undep_funds=None if where else True,
        currency=Ref(id=read.currency.id) if read.currency else None,
        tran_date=day(at),
        apply=_applied(bill, applied) if applied else None,
    )
    if not applied:
        return account.records.make(KIND, external_id, body)
    return account.records.transform("invoice", bill.source_id, KIND, external_id, body)


def _applied(bill: Invoice, amount: int) -> wire.AppliedRows:
    row = wire.AppliedBody(doc=Ref(id=bill.source_id), amount=major(amount, bill.currency))
    return wire.AppliedRows(items=[row])


def payment(account: Account, external_id: str) -> Payment | None:
    """A payment that was booked."""
    raw = account.records.read(KIND, eid(external_id))
    if raw is None:
        return None
    read = reading.payment(raw)
    currency = account.currencies.needed(read.currency)
    return Payment(
        source=System.NETSUITE,
        account=account.number,
        source_id=read.id,
        raw=raw,
        external_id=read.external_id or "",
        currency=currency,
        amount=minor(read.payment, currency),
        applied=minor(read.applied, currency),
        unapplied=minor(read.unapplied, currency),
    )


def credit(account: Account, invoice_id: str, external_id: str, amount: int, at: str) -> str:
    """A memo of its own with one charge: a refund is an amount, whatever lines it is for."""
    bill = read_bill(account, "invoice", invoice_id)
    read = reading.transaction(bill.raw)
    sku = account.setting("refund_item", REFUND_ITEM)
    item = account.catalogue.items([sku]).get(sku)
    if read.entity is None:
        raise Rejected("The ERP's invoice has no customer.", fields=[FieldFault("entity", bill.source_id)])
    if item is None:
        raise Rejected(
            "The ERP has no item for refunds.", fields=[FieldFault("refund_item", f"{sku[:60]} is not there")]
        )
    if amount <= 0:
        raise Rejected("A credit is above nothing.", fields=[FieldFault("amount", str(amount))])
    line = wire.CreditLine(item=Ref(id=item.id), quantity=Decimal(1), rate=major(amount, bill.currency))
    body = wire.CreditBody(
        entity=Ref(id=read.entity.id),
        item=wire.CreditLines(items=[line]),
        currency=Ref(id=read.currency.id) if read.currency else None,
        tran_date=day(at),
        memo=f"Refund of {bill.number}",
    )
    return account.records.upsert("creditMemo", external_id, body, replace="item")
