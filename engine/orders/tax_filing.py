"""Telling the engine that worked an order's tax out what became of the sale, so that its reports are right.

A sale is told once its first money came in, and everything that made it less after that, each by a row of its own that
is written first: a call whose answer was lost is made again under the same key and reference. What became more, as by a
swap for something dearer, is told to nobody: it was taxed at the rates of the order and stands in the shop's own books.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

import structlog
from sqlalchemy import exists, select
from sqlalchemy.orm import Session, aliased

from engine.kit import clock
from engine.kit.ids import new_id
from engine.orders.models import Order, OrderAdjustment
from engine.payments.alerts import raise_alert
from engine.payments.models import Capture, CaptureStatus
from engine.runtime import Runtime
from engine.tax.engine import EngineRefused, EngineSilent
from engine.tax.models import FilingKind, FilingStatus, TaxFiling

BATCH: Final = 50
LEASE: Final = timedelta(seconds=30)
MAX_ATTEMPTS: Final = 20
ALERT: Final = "tax_not_filed"
"""Kind of the inbox item; its subject is the order."""
_MAX_WAIT: Final = timedelta(hours=1)
log = structlog.get_logger(__name__)


def file_taxes(runtime: Runtime, tenant_id: str) -> int:
    """Write down what is to be told, and tell what is due; how many were told."""
    with runtime.unit_of_work(tenant_id) as session:
        _plan(session, tenant_id)
    told = 0
    for filing_id in _take_up(runtime, tenant_id):
        told += _tell(runtime, tenant_id, filing_id)
    return told


def _plan(session: Session, tenant_id: str) -> None:
    for order_id, total in session.execute(_unfiled_sales(tenant_id)).all():
        _add(session, tenant_id, order_id, FilingKind.SALE, order_id, total)
    session.flush()
    for order_id, adjustment_id, amount in session.execute(_unfiled_less(tenant_id)).all():
        _add(session, tenant_id, order_id, FilingKind.REVERSAL, adjustment_id, amount)


def _add(session: Session, tenant_id: str, order_id: str, kind: FilingKind, subject: str, amount: int) -> None:
    row = TaxFiling(
        tenant_id=tenant_id, id=new_id("tax_filing"), order_id=order_id, kind=kind, subject_id=subject, amount=amount
    )
    session.add(row)


def _unfiled_sales(tenant_id: str) -> Any:
    """Orders that another engine worked out, of which money came in, and which it does not know of."""
    known = exists().where(TaxFiling.tenant_id == tenant_id, TaxFiling.subject_id == Order.id)
    paid = exists().where(
        Capture.tenant_id == tenant_id, Capture.order_id == Order.id, Capture.status == CaptureStatus.SUCCEEDED
    )
    return (
        select(Order.id, Order.total)
        .where(Order.tenant_id == tenant_id, Order.tax_calculation_id.is_not(None), ~known, paid)
        .order_by(Order.id)
        .limit(BATCH)
    )


def _unfiled_less(tenant_id: str) -> Any:
    """What made an order less whose sale is known there, and is not told yet."""
    known = aliased(TaxFiling)
    told = exists().where(known.tenant_id == tenant_id, known.subject_id == OrderAdjustment.id)
    return (
        select(OrderAdjustment.order_id, OrderAdjustment.id, OrderAdjustment.amount)
        .join(TaxFiling, (TaxFiling.tenant_id == tenant_id) & (TaxFiling.subject_id == OrderAdjustment.order_id))
        .where(
            OrderAdjustment.tenant_id == tenant_id,
            OrderAdjustment.amount < 0,
            TaxFiling.status == FilingStatus.FILED,
            ~told,
        )
        .order_by(OrderAdjustment.at, OrderAdjustment.id)
        .limit(BATCH)
    )


def _take_up(runtime: Runtime, tenant_id: str) -> Sequence[str]:
    """Filings that are due; nobody else tells them for a while."""
    now = clock.now()
    with runtime.unit_of_work(tenant_id) as session:
        rows = session.scalars(
            select(TaxFiling)
            .where(
                TaxFiling.tenant_id == tenant_id,
                TaxFiling.status == FilingStatus.PENDING,
                TaxFiling.available_at <= now,
            )
            .order_by(TaxFiling.created_at, TaxFiling.id)
            .limit(BATCH)
            .with_for_update(skip_locked=True)
        ).all()
        for row in rows:
            row.attempts += 1
            row.available_at = now + LEASE
        return [row.id for row in rows]


def _tell(runtime: Runtime, tenant_id: str, filing_id: str) -> bool:
    with runtime.unit_of_work(tenant_id) as session:
        row = session.get_one(TaxFiling, (tenant_id, filing_id))
        order = session.get_one(Order, (tenant_id, row.order_id))
        sold = session.scalar(
            select(TaxFiling.transaction_id).where(
                TaxFiling.tenant_id == tenant_id, TaxFiling.subject_id == row.order_id
            )
        )
    try:
        told = _send(runtime, order, row, sold)
    except EngineSilent as error:
        return _again(runtime, row, error.message)
    except EngineRefused as error:
        return _give_up(runtime, row, error.message)
    with runtime.unit_of_work(tenant_id) as session:
        kept = session.get_one(TaxFiling, (tenant_id, filing_id), with_for_update=True)
        kept.status, kept.transaction_id, kept.problem = FilingStatus.FILED, told, ""
    return True


def _send(runtime: Runtime, order: Order, row: TaxFiling, sold: str | None) -> str:
    engine = runtime.tax_engines.get(order.tax_engine)
    if engine is None:
        raise EngineSilent("This installation has no such tax engine: its extra is not installed.")
    if row.kind == FilingKind.SALE:
        return engine.file_sale(order.tax_calculation_id or "", merchant=order.tenant_id, reference=row.id)
    return engine.file_reversal(sold or "", merchant=order.tenant_id, amount=row.amount, reference=row.id)


def _again(runtime: Runtime, row: TaxFiling, problem: str) -> bool:
    if row.attempts >= MAX_ATTEMPTS:
        return _give_up(runtime, row, problem)
    with runtime.unit_of_work(row.tenant_id) as session:
        kept = session.get_one(TaxFiling, (row.tenant_id, row.id), with_for_update=True)
        wait = min(_MAX_WAIT, LEASE * 2 ** min(kept.attempts, 8))
        kept.available_at, kept.problem = clock.now() + wait, problem
    return False


def _give_up(runtime: Runtime, row: TaxFiling, problem: str) -> bool:
    log.warning("tax not filed", filing=row.id, order=row.order_id)
    with runtime.unit_of_work(row.tenant_id) as session:
        kept = session.get_one(TaxFiling, (row.tenant_id, row.id), with_for_update=True)
        kept.status, kept.problem = FilingStatus.FAILED, problem
        words = f"The tax of this order is not in the tax engine's reports: {problem}"
        raise_alert(session, row.tenant_id, ALERT, row.order_id, words, facts={"filing": row.id})
    return False
