"""Issuing an order's invoice, and the notes that correct it: each numbered without a gap and never changed.

Numbers are given out under a lock that lasts until the commit: what is taken back takes its number back with it. So the
numbers of a shop, kind and year are 1, 2, 3 … in the order of their issue.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

import structlog
from sqlalchemy import exists, func, select, text
from sqlalchemy.orm import Session, aliased

from engine.kit import audit, clock, outbox
from engine.kit.errors import DomainError, NotFound
from engine.kit.ids import new_id
from engine.kit.policies import read_policy
from engine.kit.tenancy import Tenant
from engine.orders import queries, service
from engine.orders.documents import paper
from engine.orders.documents.errors import DocumentDoesNotAddUp, NothingToInvoice, NotPaidYet, SellerUnknown
from engine.orders.documents.paper import Paper
from engine.orders.invoice_models import Invoice, InvoiceKind
from engine.orders.models import AdjustmentKind, Order, OrderAdjustment
from engine.orders.queries import Parts
from engine.orders.rates import Piece, added_up, read, weighed
from engine.orders.seller import SellerPolicy
from engine.runtime import Runtime

_LOCK: Final = text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))")
_APART: Final = frozenset({AdjustmentKind.RETURN, AdjustmentKind.GOODWILL, AdjustmentKind.FEE, AdjustmentKind.DISPUTE})
"""What leaves the kept units as they are: always a note of its own, however early it came."""
_WORDS: Final = {
    AdjustmentKind.CANCEL: "Canceled goods",
    AdjustmentKind.ITEMS: "Changed goods",
    AdjustmentKind.SHIPPING: "Changed delivery",
    AdjustmentKind.PAYMENT_METHOD: "Changed payment",
    AdjustmentKind.RETURN: "Returned goods",
    AdjustmentKind.GOODWILL: "Price reduction",
    AdjustmentKind.FEE: "Restocking fee",
}
BATCH: Final = 50
log = structlog.get_logger(__name__)


def issue(session: Session, order: Order, *, actor: str) -> Invoice:
    """The order's invoice, issued now if it was not before, and a note for everything that moved what is due since.

    Raises ``SellerUnknown``, ``NotPaidYet``, ``NothingToInvoice``, ``DocumentDoesNotAddUp``; then nothing is issued.
    """
    order = service.lock(session, order.tenant_id, order.id)
    parts = queries.parts_of(session, order.tenant_id, [order.id])[order.id]
    invoice = _invoice_of(session, order) or _issue(session, order, parts, actor=actor)
    _correct(session, order, parts, invoice, actor=actor)
    return invoice


def documents(session: Session, order: Order) -> list[Invoice]:
    """Everything issued for an order, oldest first."""
    query = select(Invoice).where(Invoice.tenant_id == order.tenant_id, Invoice.order_id == order.id)
    return list(session.scalars(query.order_by(Invoice.issued_at, Invoice.id)))


def document(session: Session, order: Order, document_id: str) -> Invoice:
    """One of them. Raises ``NotFound``."""
    row = session.get(Invoice, (order.tenant_id, document_id))
    if row is None or row.order_id != order.id:
        raise NotFound("There is no such document of this order.")
    return row


def correct_invoiced(runtime: Runtime, tenant_id: str) -> None:
    """Issue the notes that are missing: an invoiced order moved what is due. What the card's bank gave back of it is no
    supply, and on no paper.
    """
    with runtime.unit_of_work(tenant_id) as session:
        order_ids = session.scalars(_uncorrected(tenant_id)).all()
    for order_id in order_ids:
        try:
            with runtime.unit_of_work(tenant_id) as session:
                issue(session, service.lock(session, tenant_id, order_id), actor="system")
        except DomainError as refused:
            log.warning("note not issued", order=order_id, code=refused.code)


def _uncorrected(tenant_id: str) -> Any:
    """Invoiced orders with an adjustment that neither their invoice covers nor a note documents."""
    note = aliased(Invoice)
    noted = exists().where(note.tenant_id == tenant_id, note.adjustment_id == OrderAdjustment.id)
    return (
        select(OrderAdjustment.order_id)
        .join(Invoice, (Invoice.tenant_id == tenant_id) & (Invoice.order_id == OrderAdjustment.order_id))
        .where(
            OrderAdjustment.tenant_id == tenant_id,
            Invoice.adjustment_id.is_(None),
            OrderAdjustment.kind != AdjustmentKind.DISPUTE,
            (OrderAdjustment.amount != 0) | (OrderAdjustment.tax != 0),
            ~func.jsonb_exists(Invoice.document["covers"], OrderAdjustment.id),
            ~noted,
        )
        .distinct()
        .limit(BATCH)
    )


def _invoice_of(session: Session, order: Order) -> Invoice | None:
    return session.scalar(
        select(Invoice).where(
            Invoice.tenant_id == order.tenant_id, Invoice.order_id == order.id, Invoice.adjustment_id.is_(None)
        )
    )


def _issue(session: Session, order: Order, parts: Parts, *, actor: str) -> Invoice:
    money = parts.money(order)
    if not money.paid or money.balance > 0:
        raise NotPaidYet("An invoice is issued once the order is paid.")
    covered = [row for row in parts.adjustments if row.kind not in _APART]
    rows = paper.rows_of(session, order, parts.lines)
    rates = paper.by_rate(rows)
    total = sum(rate["total"] for rate in rates)
    if not rows or total <= 0:
        raise NothingToInvoice("Nothing of this order is left to invoice.")
    if total != order.total + sum(row.amount for row in covered):
        raise DocumentDoesNotAddUp("The lines of this order do not come to what is due for it.")
    made = _head(session, order) | {
        "lines": [row.told() for row in rows],
        "rates": rates,
        "covers": [row.id for row in covered],
    }
    return _write(session, order, InvoiceKind.INVOICE, made, actor=actor)


def _correct(session: Session, order: Order, parts: Parts, invoice: Invoice, *, actor: str) -> None:
    noted = {row.adjustment_id for row in documents(session, order)}
    known = noted | set(invoice.document["covers"])
    for row in parts.adjustments:
        if row.id not in known and row.kind != AdjustmentKind.DISPUTE and (row.amount or row.tax):
            _write_note(session, order, invoice, row, actor=actor)


def _write_note(session: Session, order: Order, invoice: Invoice, row: OrderAdjustment, *, actor: str) -> None:
    """A credit note, or a further invoice for what became more; its rates are those of the lines it is about. What is
    about the order as a whole is spread over the invoice's rates by their weight.
    """
    back = row.amount < 0 or (row.amount == 0 and row.tax < 0)
    sign = -1 if back else 1
    net, taxed = sign * (row.amount - row.tax), sign * row.tax
    own = added_up(Piece(one.rate_ppm, sign * one.net, sign * one.tax) for one in read(row.rates))
    pieces = own or weighed(net, taxed, read(invoice.document["rates"]))
    rates = [one.told() | {"total": one.net + one.tax} for one in pieces]
    line = {"text": _WORDS[AdjustmentKind(row.kind)], "sku": "", "quantity": 1, "unit_price": net, "net": net}
    line |= {"rate_ppm": rates[0]["rate_ppm"] if len(rates) == 1 else None, "tax": taxed, "total": net + taxed}
    made = _head(session, order) | {"lines": [line], "rates": rates, "covers": [row.id]}
    kind = InvoiceKind.CREDIT_NOTE if back else InvoiceKind.INVOICE
    _write(session, order, kind, made, actor=actor, corrects=invoice, adjustment_id=row.id)


def _head(session: Session, order: Order) -> Paper:
    tenant = session.get_one(Tenant, order.tenant_id)
    policy = read_policy(tenant.settings, SellerPolicy)
    if not policy.known:
        raise SellerUnknown("The shop has to say its legal name and address first (policy seller).")
    return paper.head(tenant, policy, order) | {"paid": [], "seller_policy": policy.model_dump(mode="json")}


def _write(
    session: Session,
    order: Order,
    kind: InvoiceKind,
    made: Paper,
    *,
    actor: str,
    corrects: Invoice | None = None,
    adjustment_id: str | None = None,
) -> Invoice:
    policy = SellerPolicy.model_validate(made.pop("seller_policy"))
    net, taxed = (sum(rate[part] for rate in made["rates"]) for part in ("net", "tax"))
    now, number = _next_number(session, order.tenant_id, kind)
    label = _label(policy, kind, now.year, number)
    made |= {"title": _title(kind, policy), "number": label, "corrects": corrects.label if corrects else ""}
    made |= {"issued_on": now.date().isoformat(), "net": net, "tax": taxed, "total": net + taxed}
    made["notes"] = list(_notes(policy, made))
    row = Invoice(
        tenant_id=order.tenant_id,
        id=new_id("invoice"),
        kind=kind,
        year=now.year,
        number=number,
        label=label,
        order_id=order.id,
        adjustment_id=adjustment_id,
        corrects_id=corrects.id if corrects else None,
        currency=order.currency,
        net=net,
        tax=taxed,
        total=net + taxed,
        document=made,
        issued_by=actor,
        issued_at=now,
    )
    session.add(row)
    session.flush()
    facts = {"order": order.id, "number": label, "total": row.total, "currency": row.currency}
    audit.record(session, order.tenant_id, actor=actor, action=f"{kind}.issued", subject=row.id, facts=facts)
    outbox.emit(session, order.tenant_id, f"{kind}.issued", row.id, {"order_id": order.id, "number": label})
    return row


def _next_number(session: Session, tenant_id: str, kind: InvoiceKind) -> tuple[datetime, int]:
    """The moment and the number, under the lock of this shop's kind until the transaction ends."""
    session.execute(_LOCK, {"key": f"invoice|{tenant_id}|{kind}"})
    now = clock.now()
    last = session.scalar(
        select(func.max(Invoice.number)).where(
            Invoice.tenant_id == tenant_id, Invoice.kind == kind, Invoice.year == now.year
        )
    )
    return now, (last or 0) + 1


def _label(policy: SellerPolicy, kind: InvoiceKind, year: int, number: int) -> str:
    series = [policy.invoice_prefix or "INV"] + (["CN"] if kind == InvoiceKind.CREDIT_NOTE else [])
    return "-".join([*series, str(year), f"{number:06}"])


def _title(kind: InvoiceKind, policy: SellerPolicy) -> str:
    if kind == InvoiceKind.CREDIT_NOTE:
        return "Credit note"
    return "VAT invoice" if policy.vat_id else "Invoice"


def _notes(policy: SellerPolicy, made: Paper) -> Iterable[str]:
    if not made["tax"]:
        yield policy.reverse_charge_note if made["buyer"]["vat_id"] else policy.untaxed_note
    if made["tax_included"]:
        yield "Unit prices include tax."
    if policy.invoice_note:
        yield policy.invoice_note
