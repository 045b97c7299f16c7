"""What of an order line is promised something for: its own units, or of a bundle each component's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.catalog.models import Product, Variant
from engine.orders.models import OrderLine
from engine.warranties.models import Warranty


@dataclass(frozen=True, slots=True)
class Unit:
    """One kind of unit of a line: ``per_unit`` of it come with each of the line's. ``months`` are its product's; of a
    component the longer of its own and its bundle's.
    """

    line: OrderLine
    variant_id: str
    sku: str
    title: str
    per_unit: int
    category: str
    months: int

    @property
    def is_part(self) -> bool:
        return self.variant_id != self.line.variant_id


def units_of(session: Session, line: OrderLine, known: Sequence[Warranty] = ()) -> list[Unit]:
    """The line's units. A bundle that has a warranty as a whole, of before its components had theirs, keeps it."""
    product = session.get(Product, (line.tenant_id, line.product_id))
    months, category = (product.warranty_months, product.category) if product else (0, "")
    whole = Unit(line, line.variant_id, line.sku, line.title, 1, category, months)
    if not line.components or any(one.variant_id == line.variant_id for one in known):
        return [whole]
    parts = {row["variant_id"]: int(row["quantity"]) for row in line.components}
    rows = session.execute(
        select(Variant.id, Variant.sku, Product.title, Product.category, Product.warranty_months)
        .join(Product, (Product.tenant_id == Variant.tenant_id) & (Product.id == Variant.product_id))
        .where(Variant.tenant_id == line.tenant_id, Variant.id.in_(parts))
        .order_by(Variant.id)
    ).all()
    return [
        Unit(line, row.id, row.sku, row.title, parts[row.id], row.category, max(row.warranty_months, months))
        for row in rows
    ]
