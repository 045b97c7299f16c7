"""Orders that are sold for cash as they leave: what left and is not billed yet, and how such an order is known."""

from __future__ import annotations

from typing import Any, Final

from engine.sync import xref
from engine.sync.errors import Rejected
from engine.sync.models import System
from engine.workflows.lineage import Origin
from engine.workflows.models import RunMode
from engine.workflows.run import Run

CASH_SALE: Final = "cashSale"
"""Kind of the link."""
_BOOKED: Final = frozenset({"C", "G", "H"})
"""Canceled, billed, closed: nothing more is billed of these."""


def sell(run: Run, order_id: str, name: str) -> str:
    """A cash sale of what left; nothing where another one has taken it along."""
    order = run.erp().sales_order(id=order_id)
    if order is None:
        raise Rejected(f"The ERP has no sales order {order_id}.")
    left, billed = (sum(getattr(line, field) for line in order.lines if line.sku) for field in ("shipped", "billed"))
    if order.status in _BOOKED or left <= billed:
        return ""
    return run.erp().bill(order_id, name, "cash_sale").source_id


def link(run: Run, origin: Origin, cash_sale: str) -> None:
    """That the order was sold for cash, by the first of its cash sales: it is never invoiced then."""
    if run.mode != RunMode.LIVE:
        return
    where: dict[str, Any] = {
        "tenant_id": run.tenant_id,
        "system": System.NETSUITE,
        "account": run.erp().account,
        "kind": CASH_SALE,
    }
    ours: dict[str, Any] = {"internal_kind": origin.kind, "internal_id": origin.id}
    with run.runtime.unit_of_work(run.tenant_id) as session:
        if xref.find_external(session, **where, **ours) is None:
            xref.link(session, **where, **ours, external_id=cash_sale)
