"""Promotions that apply by themselves now, as anybody may know them. Codes are never listed."""

from __future__ import annotations

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from engine.carts.models import Discount, DiscountKind
from engine.carts.promotions import Offered, Rules, Terms, terms_of
from engine.kit import clock
from engine.kit.money import format_minor
from engine.kit.tenancy import Tenant
from engine.kit.views import View


class OfferView(View):
    """``terms`` says in words what it gives, for what, and what it asks for."""

    title: str
    terms: str
    until: str | None
    """Its last moment, ISO; None without end."""
    combinable: bool


def in_force(session: Session, tenant_id: str, currency: str) -> list[OfferView]:
    """Those that mean something in ``currency`` and are not used up, the first to be taken off first."""
    home, now = session.get_one(Tenant, tenant_id).currency, clock.now()
    rows = session.scalars(
        select(Discount)
        .where(
            Discount.tenant_id == tenant_id,
            Discount.code.is_(None),
            or_(Discount.starts_at.is_(None), Discount.starts_at <= now),
            or_(Discount.ends_at.is_(None), Discount.ends_at > now),
            or_(Discount.usage_limit.is_(None), Discount.used < Discount.usage_limit),
        )
        .order_by(Discount.priority.desc(), Discount.created_at, Discount.id)
    )
    known = ((row, terms_of(row, currency, home=home)) for row in rows)
    return [_view(row, terms, currency) for row, terms in known if terms is not None]


def _view(row: Discount, terms: Terms, currency: str) -> OfferView:
    return OfferView(
        title=row.title,
        terms=", ".join(_words(row, Offered(row).rules, terms, currency)),
        until=row.ends_at.isoformat() if row.ends_at else None,
        combinable=row.stacking != "exclusive",
    )


def _words(row: Discount, rules: Rules, terms: Terms, currency: str) -> list[str]:
    said = [f"{_given(row, rules, terms, currency)}{_scope(row, rules)}"]
    if terms.minimum:
        said.append(f"from {format_minor(terms.minimum, currency)}")
    if rules.minimum_quantity:
        said.append(f"from {rules.minimum_quantity} units")
    if row.first_order_only:
        said.append("first order only")
    return said


def _given(row: Discount, rules: Rules, terms: Terms, currency: str) -> str:
    if row.kind == DiscountKind.FREE_SHIPPING:
        up_to = terms.shipping_up_to
        return f"free shipping where it costs up to {format_minor(up_to, currency)}" if up_to else "free shipping"
    if row.kind == DiscountKind.BUY_GET:
        less = "free" if rules.get_percent == 100 else f"{rules.get_percent}% off"
        return f"buy {rules.buy or 1}, get {rules.get or 1} {less}"
    if row.percent_off is not None:
        return f"{row.percent_off}% off"
    return f"{format_minor(terms.amount_off, currency)} off"


def _scope(row: Discount, rules: Rules) -> str:
    if row.category:
        return f" on {row.category}" if row.kind != DiscountKind.OFF else f" {row.category}"
    return " some products" if rules.products or rules.collections else ""
