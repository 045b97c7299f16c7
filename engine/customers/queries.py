"""The shop's customers, for staff."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from sqlalchemy import ColumnElement, Select, String, column, func, or_, select, table, tuple_
from sqlalchemy.orm import Session

from engine.customers import book, consents, loyalty
from engine.customers.models import Customer, CustomerLink, CustomerMerge
from engine.customers.schemas import (
    ContactConsentView,
    CustomerRow,
    CustomerView,
    LinkView,
    MergeView,
    SavedAddressView,
    SavedMethodView,
)
from engine.customers.service import methods_of
from engine.kit.errors import NotFound
from engine.kit.pagination import Page, cursor_moment, decode_cursor, encode_cursor

Status = Literal["active", "merged", "erased"]
_ORDERS: Final = table(
    "orders", column("tenant_id", String), column("customer_id", String), column("placed_at"), schema="app"
)


@dataclass(frozen=True, slots=True)
class CustomerFilter:
    """``q`` is a whole e-mail address, or the beginning of a name."""

    q: str | None = None
    status: Status | None = None
    verified: bool | None = None
    made_from: datetime | None = None
    made_to: datetime | None = None


def customers(
    session: Session, tenant_id: str, *, limit: int, cursor: str | None, wanted: CustomerFilter
) -> Page[CustomerRow]:
    """The newest first. Raises ``InvalidInput`` for a cursor that is not ours."""
    query = _filtered(select(Customer, _orders_of()).where(Customer.tenant_id == tenant_id), wanted)
    if cursor is not None:
        moment, last_id = decode_cursor(cursor, size=2)
        query = query.where(tuple_(Customer.created_at, Customer.id) < (cursor_moment(moment), str(last_id)))
    rows = session.execute(query.order_by(Customer.created_at.desc(), Customer.id.desc()).limit(limit + 1)).all()
    page = [CustomerRow(**_row(customer, orders)) for customer, orders in rows[:limit]]
    more = encode_cursor([page[-1].created_at.isoformat(), page[-1].id]) if len(rows) > limit else None
    return Page(page, more)


def customer(session: Session, tenant_id: str, customer_id: str) -> CustomerView:
    """Everything the shop keeps of one customer but their orders. Raises ``NotFound``."""
    query = select(Customer, _orders_of()).where(Customer.tenant_id == tenant_id, Customer.id == customer_id)
    found = session.execute(query).one_or_none()
    if found is None:
        raise NotFound("There is no such customer.")
    row, orders = found
    return CustomerView(
        **_row(row, orders),
        merged_into=row.merged_into,
        erased_at=row.erased_at,
        points=loyalty.balance(session, tenant_id, row.id),
        addresses=[SavedAddressView.of(one) for one in book.addresses(session, tenant_id, row.id)],
        payment_methods=[SavedMethodView.of(one) for one in methods_of(session, tenant_id, row.id)],
        consents=[ContactConsentView.of(one) for one in consents.standing(session, tenant_id, row.id)],
        links=_links(session, row),
        merges=_merges(session, row),
    )


def _filtered(query: Select[Customer, int], wanted: CustomerFilter) -> Select[Customer, int]:
    if wanted.q is not None:
        said = wanted.q.strip().lower()
        named = func.lower(Customer.name).startswith(said, autoescape=True)
        query = query.where(or_(Customer.email_key == said, named))
    if wanted.status is not None:
        query = query.where(_standing(wanted.status))
    if wanted.verified is not None:
        query = query.where(Customer.email_verified_at.is_not(None) == wanted.verified)
    if wanted.made_from is not None:
        query = query.where(Customer.created_at >= wanted.made_from)
    if wanted.made_to is not None:
        query = query.where(Customer.created_at < wanted.made_to)
    return query


def _standing(status: Status) -> ColumnElement[bool]:
    match status:
        case "merged":
            return Customer.merged_into.is_not(None)
        case "erased":
            return Customer.erased_at.is_not(None)
        case _:
            return Customer.merged_into.is_(None) & Customer.erased_at.is_(None)


def _orders_of() -> ColumnElement[int]:
    return (
        select(func.count())
        .where(
            _ORDERS.c.tenant_id == Customer.tenant_id,
            _ORDERS.c.customer_id == Customer.id,
            _ORDERS.c.placed_at.is_not(None),
        )
        .correlate(Customer)
        .scalar_subquery()
    )


def _row(row: Customer, orders: int) -> dict[str, object]:
    status = "erased" if row.erased_at else "merged" if row.merged_into else "active"
    kept = ("id", "email", "email_verified_at", "name", "phone", "created_at")
    return {"status": status, "orders": orders} | {field: getattr(row, field) for field in kept}


def _links(session: Session, row: Customer) -> list[LinkView]:
    """The newest hundred, by the customer or by their address."""
    by_address = CustomerLink.email_key == row.email.lower()
    query = (
        select(CustomerLink)
        .where(CustomerLink.tenant_id == row.tenant_id, or_(CustomerLink.customer_id == row.id, by_address))
        .order_by(CustomerLink.created_at.desc(), CustomerLink.id.desc())
        .limit(100)
    )
    return [LinkView.of(one) for one in session.scalars(query)]


def _merges(session: Session, row: Customer) -> list[MergeView]:
    either = or_(CustomerMerge.source_id == row.id, CustomerMerge.target_id == row.id)
    query = select(CustomerMerge).where(CustomerMerge.tenant_id == row.tenant_id, either).order_by(CustomerMerge.at)
    return [MergeView.of(one) for one in session.scalars(query)]
