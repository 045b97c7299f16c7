"""Statuses of transactions, computed from their lines each time."""

from __future__ import annotations

from typing import Final

from engine.sync.sandbox.netsuite.state import ZERO, Record

NAMES: Final[dict[str, dict[str, str]]] = {
    "salesOrder": {
        "A": "Pending Approval",
        "B": "Pending Fulfillment",
        "C": "Cancelled",
        "D": "Partially Fulfilled",
        "E": "Pending Billing/Partially Fulfilled",
        "F": "Pending Billing",
        "G": "Billed",
        "H": "Closed",
    },
    "purchaseOrder": {
        "A": "Pending Supervisor Approval",
        "B": "Pending Receipt",
        "D": "Partially Received",
        "E": "Pending Billing/Partially Received",
        "F": "Pending Bill",
        "G": "Fully Billed",
        "H": "Closed",
    },
    "transferOrder": {
        "A": "Pending Approval",
        "B": "Pending Fulfillment",
        "D": "Partially Fulfilled",
        "E": "Pending Receipt/Partially Fulfilled",
        "F": "Pending Receipt",
        "G": "Received",
        "H": "Closed",
    },
    "itemFulfillment": {"A": "Picked", "B": "Packed", "C": "Shipped"},
    "itemReceipt": {"Y": "Received"},
    "invoice": {"A": "Open", "B": "Paid In Full"},
    "vendorBill": {"A": "Open", "B": "Paid In Full"},
    "cashSale": {"B": "Not Deposited", "C": "Deposited"},
    "customerPayment": {"B": "Not Deposited", "C": "Deposited"},
    "creditMemo": {"A": "Open", "B": "Fully Applied"},
    "returnAuthorization": {
        "A": "Pending Approval",
        "B": "Pending Receipt",
        "F": "Pending Refund",
        "G": "Refunded",
        "H": "Closed",
    },
}
FIRST: Final = {"cashSale": "B", "customerPayment": "B", "itemReceipt": "Y", "itemFulfillment": "A"}
"""The status in which a record of a kind begins, where it is not ``A``."""


def recompute(order: Record) -> None:
    """An order's status as its lines have it. One that waits for approval or was cancelled keeps its own."""
    if order.status in {"A", "C"} or order.kind not in {"salesOrder", "purchaseOrder", "transferOrder"}:
        return
    if order.lines and all(line.closed and line.done == line.billed == ZERO for line in order.lines):
        order.status = "H"
    elif order.kind == "transferOrder":
        order.status = _transfer(order)
    else:
        order.status = _ordered(order)


def _ordered(order: Record) -> str:
    """B nothing went, E some did and waits to be billed, D some did and is billed, F all did, G all is billed."""
    done = sum((line.done for line in order.lines), ZERO)
    left = sum((line.left for line in order.lines), ZERO)
    unbilled = sum((line.billable for line in order.lines), ZERO)
    billed = sum((line.billed for line in order.lines), ZERO)
    if not done and (left or not unbilled + billed):
        return "B"
    if left:
        return "E" if unbilled > 0 else "D"
    return "F" if unbilled > 0 else "G"


def _transfer(order: Record) -> str:
    sent = sum((line.done for line in order.lines), ZERO)
    left = sum((line.left for line in order.lines), ZERO)
    under_way = sum((line.done - line.arrived for line in order.lines), ZERO)
    if not sent:
        return "B"
    if left:
        return "E" if under_way > 0 else "D"
    return "F" if under_way > 0 else "G"


def shown(record: Record) -> dict[str, str]:
    """The status as a record carries it."""
    return {"id": record.status, "refName": NAMES.get(record.kind, {}).get(record.status, record.status)}
