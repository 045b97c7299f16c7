"""What transactions amount to, and what is still owed on them."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import Final

from engine.sync.sandbox.netsuite.state import ZERO, Record

_CENT: Final = Decimal("0.01")


def cents(amount: Decimal) -> Decimal:
    return amount.quantize(_CENT, ROUND_HALF_UP)


def subtotal(record: Record) -> Decimal:
    return sum((line.amount for line in record.lines), ZERO)


def total(record: Record) -> Decimal:
    """Lines, less the discount, and shipping. Taxes are none: SuiteTax is not emulated."""
    goods = subtotal(record)
    rate = record.fields.get("discountRate")
    return cents(goods + (rate or ZERO) + (record.fields.get("shippingCost") or ZERO))


def paid(record: Record) -> Decimal:
    return sum((row["amount"] for row in record.sublists.get("applied", [])), ZERO)


def remaining(record: Record) -> Decimal:
    return total(record) - paid(record)


def apply(invoice: Record, by: Record, amount: Decimal) -> None:
    """A payment or credit takes something off an invoice; at nothing it is paid in full."""
    invoice.sublists.setdefault("applied", []).append({"by": by.id, "amount": amount})
    settle(invoice)


def unapply(invoice: Record, by: Record) -> None:
    invoice.sublists["applied"] = [row for row in invoice.sublists.get("applied", []) if row["by"] != by.id]
    settle(invoice)


def settle(invoice: Record) -> None:
    if invoice.kind == "invoice":
        invoice.status = "B" if remaining(invoice) <= 0 else "A"
