"""netsuitePayment: money that a gateway took for an order is booked on the order's invoice, money that it gave back
as a credit, each once by the charge's own name.

A payment above what is open stays unapplied in the books, and a person hears of it; so it does of one that leaves the
invoice open though nothing more is known to come. What goes back before the order is billed waits until it is: a
credit stands beside its invoice. What was sold for cash is given back in the books by a person.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from sqlalchemy import select

from engine.kit import clock
from engine.payments.models import Refund, RefundStatus
from engine.sync import xref
from engine.sync.canonical import OURS, Invoice, Settlement
from engine.sync.connectors import STOREFRONTS
from engine.sync.errors import FieldFault, Rejected
from engine.sync.models import Connection, System
from engine.sync.port import Unread
from engine.sync.work_models import Delivery
from engine.workflows import lineage
from engine.workflows.access import Access, Poll
from engine.workflows.definition import Workflow
from engine.workflows.fronts import front_of
from engine.workflows.lineage import Origin
from engine.workflows.models import RunMode
from engine.workflows.run import Run

PAYMENT: Final = "customerPayment"
CREDIT: Final = "creditMemo"
CHARGE: Final = "charge"
"""Internal kind of a link: money that moved at a gateway, by ``{source}:{account}:{id}``."""
_FIRST: Final = timedelta(days=1)
_OVER: Final = frozenset({"C", "H"})
"""Canceled, closed: nothing of it will be billed that is not yet."""
_WAITS: Final = (600.0, 3_600.0, 21_600.0, *[86_400.0] * 20)
"""Seconds from one look for the bill of what was given back to the next."""
_SAFE: Final = re.compile(r"[^A-Za-z0-9._-]+")


class Settled(BaseModel):
    """Money that came, or went back (``refund``): amounts and names of things, nothing about people."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: str
    """A ``System``, or ``icommerce``."""
    account: str
    order_id: str
    charge_id: str
    reference: str = ""
    amount: int = Field(gt=0)
    currency: str
    at: AwareDatetime
    refund: bool = False

    @property
    def origin(self) -> Origin:
        if self.source == OURS:
            return Origin(lineage.ORDER, self.order_id, OURS, self.account, self.order_id)
        name = f"{self.source}:{self.account}:{self.order_id}"
        return Origin(lineage.SOURCE_ORDER, name, self.source, self.account, self.order_id)


def settled(settlement: Settlement) -> Settled:
    """What a settlement brings."""
    return Settled(
        source=settlement.source,
        account=settlement.account,
        order_id=settlement.order_id,
        charge_id=settlement.charge_id,
        reference=settlement.order_ref,
        amount=settlement.amount,
        currency=settlement.currency,
        at=settlement.at,
        refund=settlement.refund,
    )


def external_id(payload: Settled) -> str:
    """Of the payment, or of the credit."""
    return f"{'REF' if payload.refund else 'PAY'}-{_SAFE.sub('-', payload.charge_id)}"[:120]


def _body(run: Run, payload: Settled) -> dict[str, Any]:
    found = _billed(run, payload)
    if "skipped" in found:
        return found
    if "cash_sale" in found:
        return _of_cash_sale(run, payload, found["cash_sale"])
    if found["currency"] != payload.currency:
        fault = FieldFault("currency", f"{payload.currency} was paid, the invoice is in {found['currency']}")
        raise Rejected("The invoice is in another currency.", fields=[fault])
    return _refund(run, payload, found) if payload.refund else _payment(run, payload, found)


def _billed(run: Run, payload: Settled) -> dict[str, Any]:
    """``_find`` once there is a bill, however long that takes: nobody's thread waits."""
    for seconds in _WAITS:
        found: dict[str, Any] = run.step("find", lambda: _find(run, payload))
        if "waits" not in found:
            return found
        run.wait(seconds)
    words = "Money went back of an order that is still not billed: bill or close it, then retry."
    raise Rejected(words, fields=[FieldFault("order_id", "it has neither invoice nor cash sale")])


def _find(run: Run, payload: Settled) -> dict[str, Any]:
    """The bill of the order. Raises ``Rejected`` where the ERP does not know the order."""
    erp = run.erp()
    with run.runtime.unit_of_work(run.tenant_id) as session:
        where = (payload.origin.kind, payload.origin.id, erp.account)
        order_id = lineage.sales_order_of(session, run.tenant_id, *where)
    if order_id is None:
        raise Rejected("The ERP has no order that this was paid for.", fields=[FieldFault("order_id", "not linked")])
    bill = erp.invoice(order_id=order_id)
    if bill is None:
        return _not_billed(run, payload, order_id)
    if bill.kind == "cash_sale":
        return {"cash_sale": bill.number} if payload.refund else {"skipped": "it was sold for cash"}
    return _facts(bill)


def _not_billed(run: Run, payload: Settled, order_id: str) -> dict[str, Any]:
    if not payload.refund:
        raise Rejected("The order is not invoiced yet.", fields=[FieldFault("order_id", "it has no invoice")])
    order = run.erp().sales_order(id=order_id)
    if order is None or order.status in _OVER:
        return {"skipped": "nothing was billed, and nothing will be: there is nothing to credit"}
    return {"waits": "it is not billed yet"}


def _of_cash_sale(run: Run, payload: Settled, number: str) -> dict[str, Any]:
    """A cash sale has no open account that a credit could lessen: who refunds it says from which account."""
    words = f"Money of cash sale {number} went back: enter a cash refund of it in the ERP, then close this."
    fault = FieldFault("cash_sale", f"{payload.amount} {payload.currency} (minor units), charge {payload.charge_id}")
    run.report(Rejected(words, fields=[fault]), step="cash refund")
    return {"skipped": "it was sold for cash", "cash_sale": number}


def _facts(bill: Invoice) -> dict[str, Any]:
    return {"invoice": bill.source_id, "number": bill.number, "total": bill.total, "currency": bill.currency}


def _payment(run: Run, payload: Settled, found: dict[str, Any]) -> dict[str, Any]:
    invoice_id, name = found["invoice"], external_id(payload)
    remaining = run.step(
        "pay",
        lambda: {"remaining": _pay(run, payload, invoice_id)},
        probe=lambda: _paid(run, invoice_id, name),
    )["remaining"]
    booked = run.step("verify", lambda: _verify(run, payload, invoice_id, found["total"]))
    if booked["unapplied"]:
        fault = FieldFault("unapplied", f"{booked['unapplied']} of {payload.amount} {payload.currency} (minor units)")
        run.report(Rejected(f"More was paid than invoice {found['number']} is for.", fields=[fault]), step="verify")
    elif booked["lacking"]:
        fault = FieldFault("remaining", f"{booked['lacking']} {payload.currency} (minor units)")
        run.report(Rejected(f"Less was paid than invoice {found['number']} is for.", fields=[fault]), step="verify")
    if booked["payment"]:
        run.step("link", lambda: _link(run, payload, PAYMENT, booked["payment"]))
    return {"invoice": invoice_id, "remaining": remaining, **booked}


def _pay(run: Run, payload: Settled, invoice_id: str) -> int:
    day, account = payload.at.date().isoformat(), run.settings.payment_account
    return run.erp().pay(invoice_id, external_id(payload), payload.amount, account=account, at=day)


def _paid(run: Run, invoice_id: str, name: str) -> dict[str, Any] | None:
    if run.erp().found(PAYMENT, name) is None:
        return None
    bill = run.erp().invoice(id=invoice_id)
    return {"remaining": bill.remaining if bill else 0}


def _verify(run: Run, payload: Settled, invoice_id: str, total: int) -> dict[str, Any]:
    """What is in the books: the payment, what of it is not applied, and what the order's other money leaves open.
    ``lacking`` is nothing while other charges of the order are known that will pay for it.
    """
    erp = run.erp()
    booked, bill = erp.payment(external_id(payload)), erp.invoice(id=invoice_id)
    if booked is None or bill is None:  # in the shadow nothing was booked
        return {"payment": "", "unapplied": 0, "lacking": 0}
    lacking = 0
    if bill.remaining:
        every = front_of(run, payload.origin).settlements(payload.order_id)
        lacking = max(0, total - sum(one.amount for one in every if not one.refund))
    return {"payment": booked.source_id, "unapplied": booked.unapplied, "lacking": lacking}


def _refund(run: Run, payload: Settled, found: dict[str, Any]) -> dict[str, Any]:
    """What no invoice ever had goes back without a credit; the rest is credited."""
    invoice_id, name = found["invoice"], external_id(payload)
    never = run.step("look", lambda: {"unapplied": _above(run, payload, found["total"])})["unapplied"]
    if never:
        fault = FieldFault("unapplied", f"{never} {payload.currency} (minor units)")
        words = "Money went back that no invoice had: book a customer refund of the payment."
        run.report(Rejected(words, fields=[fault]), step="refund")
    amount = payload.amount - never
    if not amount:
        return {"invoice": invoice_id, "credit": ""}
    day = payload.at.date().isoformat()
    memo = run.step(
        "credit",
        lambda: run.erp().credit(invoice_id, name, amount, at=day),
        probe=lambda: run.erp().found(CREDIT, name),
    )
    if run.mode == RunMode.LIVE:
        run.step("link", lambda: _link(run, payload, CREDIT, memo))
    return {"invoice": invoice_id, "credit": memo}


def _above(run: Run, payload: Settled, total: int) -> int:
    """How much of this refund no invoice had. What came above the invoice goes back first, to the order's refunds in
    their order: by what the gateways say, so that it does not matter which of it is booked already.
    """
    every = front_of(run, payload.origin).settlements(payload.order_id)
    above = max(0, sum(one.amount for one in every if not one.refund) - total)
    for one in every:
        if one.charge_id == payload.charge_id:
            break
        above -= min(above, one.amount) if one.refund else 0
    return min(above, payload.amount)


def _link(run: Run, payload: Settled, kind: str, number: str) -> None:
    with run.runtime.unit_of_work(run.tenant_id) as session:
        xref.link(
            session,
            tenant_id=run.tenant_id,
            system=System.NETSUITE,
            account=run.erp().account,
            kind=kind,
            external_id=number,
            internal_kind=CHARGE,
            internal_id=f"{payload.source}:{payload.account}:{payload.charge_id}",
        )


def _poll(poll: Poll) -> Iterator[Settled]:
    """Money of the orders whose invoices are open, and what was given back: a paid invoice is not open any more."""
    yield from _of_open_invoices(poll)
    yield from _our_refunds(poll)
    for connection in poll.connections(*STOREFRONTS):
        yield from _refunds_at(poll, connection)


def _of_open_invoices(poll: Poll) -> Iterator[Settled]:
    erp = poll.erp()
    for bill in erp.open_invoices():
        with poll.runtime.unit_of_work(poll.tenant_id) as session:
            origin = lineage.origin_of(session, poll.tenant_id, erp.account, bill.order_id)
        if origin is not None:
            yield from map(settled, front_of(poll, origin).settlements(origin.source_id))


def _our_refunds(poll: Poll) -> list[Settled]:
    """Refunds that arrived since the last look, of orders that the ERP has: a paid invoice is not open any more."""
    kept, account = poll.cursor.get("refunded_at"), poll.erp().account
    since = datetime.fromisoformat(kept) if kept else clock.now() - _FIRST
    poll.cursor["refunded_at"] = clock.now().isoformat()
    with poll.runtime.unit_of_work(poll.tenant_id) as session:
        query = select(Refund.order_id).where(
            Refund.tenant_id == poll.tenant_id,
            Refund.status == RefundStatus.SUCCEEDED,
            Refund.settled_at >= since - timedelta(seconds=poll.settings.overlap_seconds),
        )
        orders = [
            order_id
            for order_id in session.scalars(query.distinct().order_by(Refund.order_id))
            if order_id and lineage.sales_order_of(session, poll.tenant_id, lineage.ORDER, order_id, account)
        ]
    every = (one for order_id in orders for one in poll.storefront(OURS).settlements(order_id))
    return [settled(one) for one in every if one.refund]


def _refunds_at(poll: Poll, connection: Connection) -> Iterator[Settled]:
    """Refunds of a platform's orders that changed since the last look and that the ERP has: letters get lost. An order
    that cannot be read is asked for its money all the same.
    """
    store, erp, key = poll.storefront(connection.id), poll.erp(), f"refunds:{connection.id}"
    kept = poll.cursor.get(key)
    since = datetime.fromisoformat(kept) if kept else max(connection.created_at, clock.now() - _FIRST)
    newest, unread, wanted = since, list[Unread](), list[str]()
    overlap = timedelta(seconds=poll.settings.overlap_seconds)
    for order in store.orders_since(since - overlap, unread=unread.append):
        newest = max(newest, order.updated_at)
        if order.refunded:
            wanted.append(order.source_id)
    for source_id in (*wanted, *(one.source_id for one in unread)):
        if _in_erp(poll, connection, store.account, source_id, erp.account):
            yield from (settled(one) for one in store.settlements(source_id) if one.refund)
    poll.cursor[key] = newest.isoformat()


def _in_erp(poll: Poll, connection: Connection, account: str, source_id: str, erp_account: str) -> bool:
    name = lineage.key_of(connection.system, account, source_id)
    with poll.runtime.unit_of_work(poll.tenant_id) as session:
        return lineage.sales_order_of(session, poll.tenant_id, lineage.SOURCE_ORDER, name, erp_account) is not None


def _from_delivery(access: Access, delivery: Delivery) -> list[Settled]:
    """What a platform gave back. What it took waits for its invoice: the poll finds both."""
    read = access.storefront(delivery.connection_id).read(delivery.topic, delivery.body)
    return [settled(one) for one in read if isinstance(one, Settlement) and one.refund]


WORKFLOW: Final = Workflow[Settled](
    name="netsuitePayment",
    version="1.0.0",
    payload=Settled,
    key=lambda payload: f"{payload.source}:{payload.account}:{payload.charge_id}",
    subject=lambda payload: ("order", payload.reference or payload.order_id),
    systems=(System.NETSUITE,),
    body=_body,
    hears=((System.SHOPIFY, "refunds/create"),),
    from_delivery=_from_delivery,
    poll=_poll,
    every_seconds=600,
)
