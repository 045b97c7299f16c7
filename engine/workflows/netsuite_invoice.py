"""netsuiteInvoice: a sales order whose goods left is invoiced, once, and marked where it was placed.

A shop bills by invoices or by cash sales, never by both: where it sells for cash, what left is sold as it leaves
(``dclTrackingUpdate``), and here what left before it did so. An order that has a cash sale gets no invoice either: what
else left of it, since the shop went over to invoices, is sold for cash as the first of it was.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from pydantic import BaseModel, ConfigDict

from engine.sync import xref
from engine.sync.models import System
from engine.workflows import cash_sales, dcl_tracking_update, lineage, rows
from engine.workflows.access import Poll
from engine.workflows.cash_sales import CASH_SALE
from engine.workflows.definition import Workflow
from engine.workflows.fronts import front_of
from engine.workflows.lineage import Origin
from engine.workflows.models import RunMode
from engine.workflows.run import Run
from engine.workflows.settings import Billing

DUE: Final = "F"
"""Pending billing: everything left and is not billed."""
TAG: Final = "INVOICED"
INVOICE: Final = "invoice"
"""Kind of link: the ERP's invoice of an order."""


class BillOrder(BaseModel):
    """An order of the ERP. ``number`` is what it is called there, ``reference`` where it was placed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    order_id: str
    number: str = ""
    reference: str = ""


def external_id(order_id: str) -> str:
    """Of the invoice."""
    return f"INV-{order_id}"


def _body(run: Run, payload: BillOrder) -> dict[str, Any]:
    found = run.step("look", lambda: _look(run, payload))
    if found["cash_sale"] or (run.settings.billing == Billing.CASH_SALE and not found.get("invoice")):
        return _sell(run, payload, found)
    told = run.step("invoice", lambda: _invoice(run, payload.order_id), probe=lambda: _invoiced(run, payload.order_id))
    if found["origin"]:
        origin = Origin(**found["origin"])
        if run.mode == RunMode.LIVE:
            run.step("link", lambda: _link(run, told["invoice"], origin))
        run.step("tag", lambda: front_of(run, origin).tag(origin.source_id, [TAG]))
    return dict(told)


def _sell(run: Run, payload: BillOrder, found: dict[str, Any]) -> dict[str, Any]:
    """What left and is not billed, where nobody is about to sell it as it leaves."""
    if found.get("leaves"):
        return {"skipped": "it is being sold as it leaves"}
    name = f"CS-{payload.order_id}-REST"
    rest = run.step(
        "sell",
        lambda: cash_sales.sell(run, payload.order_id, name),
        probe=lambda: run.erp().found(CASH_SALE, name),
    )
    if rest and found["origin"]:
        run.step("link", lambda: cash_sales.link(run, Origin(**found["origin"]), found["cash_sale"] or rest))
    return {"skipped": "it was sold for cash", "cash_sale": found["cash_sale"] or rest, "rest": rest}


def _look(run: Run, payload: BillOrder) -> dict[str, Any]:
    """How it was billed, if it was; where it was placed; and whether something is still being done about what left."""
    erp, order_id = run.erp(), payload.order_id
    bill = erp.invoice(order_id=order_id)
    with run.runtime.unit_of_work(run.tenant_id) as session:
        origin = lineage.origin_of(session, run.tenant_id, erp.account, order_id)
        names = filter(None, (payload.reference, payload.number, order_id))
        leaves = bool(rows.unended_of(session, run.tenant_id, dcl_tracking_update.WORKFLOW.name, names))
    kinds = {bill.kind: bill.source_id} if bill else {}
    return {
        "cash_sale": kinds.get("cash_sale", ""),
        "invoice": kinds.get("invoice", ""),
        "origin": plain(origin),
        "leaves": leaves,
    }


def plain(origin: Origin | None) -> dict[str, str] | None:
    """As a step keeps it."""
    return {name: getattr(origin, name) for name in Origin.__slots__} if origin else None


def _invoice(run: Run, order_id: str) -> dict[str, Any]:
    bill = run.erp().bill(order_id, external_id(order_id), "invoice")
    return {"invoice": bill.source_id, "number": bill.number, "total": bill.total, "currency": bill.currency}


def _invoiced(run: Run, order_id: str) -> dict[str, Any] | None:
    bill = run.erp().invoice(external_id=external_id(order_id))
    if bill is None:
        return None
    return {"invoice": bill.source_id, "number": bill.number, "total": bill.total, "currency": bill.currency}


def _link(run: Run, invoice_id: str, origin: Origin) -> None:
    with run.runtime.unit_of_work(run.tenant_id) as session:
        xref.link(
            session,
            tenant_id=run.tenant_id,
            system=System.NETSUITE,
            account=run.erp().account,
            kind=INVOICE,
            external_id=invoice_id,
            internal_kind=origin.kind,
            internal_id=origin.id,
        )


def _poll(poll: Poll) -> Iterator[BillOrder]:
    """Orders that wait to be billed: a request for a thousand of them."""
    for order in poll.erp().sales_orders(status=DUE):
        yield BillOrder(order_id=order.source_id, number=order.number, reference=order.other_ref)


WORKFLOW: Final = Workflow[BillOrder](
    name="netsuiteInvoice",
    version="1.0.0",
    payload=BillOrder,
    key=lambda payload: payload.order_id,
    subject=lambda payload: ("order", payload.reference or payload.number or payload.order_id),
    systems=(System.NETSUITE,),
    body=_body,
    poll=_poll,
    every_seconds=300,
    looks_again=True,
)
