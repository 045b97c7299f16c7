"""Invoices and credit notes: numbered without a gap, never changed, each with the document as it was issued."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from engine.kit.tenancy import AppendOnly, TenantRow, tenant_fk


class InvoiceKind(StrEnum):
    INVOICE = "invoice"
    CREDIT_NOTE = "credit_note"


class Invoice(TenantRow, AppendOnly):
    """One document. An order has one invoice; whatever moved what is due afterwards has a document of its own."""

    __tablename__ = "invoices"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    kind: Mapped[InvoiceKind] = mapped_column(String(12))
    year: Mapped[int]
    number: Mapped[int]
    """1, 2, 3 … in its shop, kind and year."""
    label: Mapped[str] = mapped_column(String(40))
    """The number as it is printed."""
    order_id: Mapped[str] = mapped_column(String(40))
    adjustment_id: Mapped[str | None] = mapped_column(String(40))
    """The adjustment it documents; None for the order's invoice."""
    corrects_id: Mapped[str | None] = mapped_column(String(40))
    currency: Mapped[str] = mapped_column(String(3))
    net: Mapped[int]
    tax: Mapped[int]
    total: Mapped[int]
    """Minor units, never negative: a credit note's are given back."""
    document: Mapped[dict[str, Any]]
    """Everything that is printed."""
    issued_by: Mapped[str] = mapped_column(String(80))
    issued_at: Mapped[datetime]

    __table_args__ = (
        tenant_fk("order_id", "orders"),
        tenant_fk("corrects_id", "invoices"),
        Index("uq_invoices_number", "tenant_id", "kind", "year", "number", unique=True),
        Index(
            "uq_invoices_order", "tenant_id", "order_id", unique=True, postgresql_where=text("adjustment_id IS NULL")
        ),
        Index("uq_invoices_adjustment", "tenant_id", "adjustment_id", unique=True),
        Index("ix_invoices_order", "tenant_id", "order_id", "issued_at"),
        Index("ix_invoices_issued", "tenant_id", "issued_at", "id"),
        CheckConstraint("net + tax = total AND total >= 0 AND number > 0", name="adds_up"),
        CheckConstraint("(adjustment_id IS NULL) = (corrects_id IS NULL)", name="correction_names_both"),
    )
