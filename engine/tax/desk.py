"""A shop's rates and its customers' certificates, as its people keep them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, Final, Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.customers.models import Customer
from engine.kit import audit, clock
from engine.kit.errors import Conflict, InvalidInput, NotFound
from engine.kit.identity import Identity
from engine.kit.ids import new_id
from engine.kit.pagination import Page, decode_cursor, encode_cursor
from engine.kit.state_machine import StateMachine
from engine.kit.views import View
from engine.tax.models import (
    ExemptionKind,
    ExemptionStatus,
    FilingKind,
    FilingStatus,
    Level,
    TaxExemption,
    TaxFiling,
    TaxRate,
)

EXEMPTION: Final = StateMachine(
    "tax exemption",
    {
        ExemptionStatus.PENDING: frozenset({ExemptionStatus.VERIFIED, ExemptionStatus.REJECTED}),
        ExemptionStatus.VERIFIED: frozenset({ExemptionStatus.REVOKED}),
        ExemptionStatus.REJECTED: frozenset(),
        ExemptionStatus.REVOKED: frozenset(),
    },
)


class RateOver(Conflict):
    code = "tax_rate_over"


class RateView(View):
    id: str
    country: str
    region: str
    level: Level
    city: str
    postal_prefixes: list[str]
    name: str
    rate_ppm: int
    category_ppm: dict[str, int]
    thresholds: dict[str, dict[str, Any]]
    taxes_shipping: bool
    shipping_as_goods: bool
    replaces_wider: bool
    valid_from: date
    valid_to: date | None


class ExemptionView(View):
    id: str
    customer_id: str
    kind: ExemptionKind
    country: str
    region: str
    certificate: str
    valid_from: date
    valid_to: date | None
    status: ExemptionStatus
    decided_by: str | None
    note: str


class FilingView(View):
    """What was told of a sale, or of what became less of it, to the engine that worked its tax out."""

    id: str
    order_id: str
    kind: FilingKind
    subject_id: str
    """The order, or the adjustment that made it less."""
    amount: int
    """Tax included, minor units of the order's currency; negative for what is taken back."""
    status: FilingStatus
    transaction_id: str | None
    attempts: int
    problem: str
    available_at: datetime
    """When it is told next, while it is pending."""
    created_at: datetime


def rates(
    session: Session, tenant_id: str, *, country: str | None = None, limit: int = 50, cursor: str | None = None
) -> Page[RateView]:
    """Rates in the order they were written down, those that are over too."""
    query = select(TaxRate).where(TaxRate.tenant_id == tenant_id).order_by(TaxRate.id).limit(limit + 1)
    if country:
        query = query.where(TaxRate.country == country)
    if cursor:
        query = query.where(TaxRate.id > str(decode_cursor(cursor, size=1)[0]))
    rows = list(session.scalars(query))
    more = encode_cursor([rows[limit - 1].id]) if len(rows) > limit else None
    return Page([_rate(row) for row in rows[:limit]], more)


def filings(
    session: Session,
    tenant_id: str,
    *,
    status: FilingStatus | None = None,
    kind: FilingKind | None = None,
    order_id: str | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> Page[FilingView]:
    """What another tax engine was told or is to be told, oldest first."""
    query = select(TaxFiling).where(TaxFiling.tenant_id == tenant_id)
    if status:
        query = query.where(TaxFiling.status == status)
    if kind:
        query = query.where(TaxFiling.kind == kind)
    if order_id:
        query = query.where(TaxFiling.order_id == order_id)
    if cursor:
        query = query.where(TaxFiling.id > str(decode_cursor(cursor, size=1)[0]))
    rows = list(session.scalars(query.order_by(TaxFiling.id).limit(limit + 1)))
    more = encode_cursor([rows[limit - 1].id]) if len(rows) > limit else None
    return Page([_filing(row) for row in rows[:limit]], more)


def filing(session: Session, tenant_id: str, filing_id: str) -> FilingView:
    """One of them. Raises ``NotFound``."""
    row = session.get(TaxFiling, (tenant_id, filing_id))
    if row is None:
        raise NotFound("There is no such filing.")
    return _filing(row)


def set_rates(session: Session, identity: Identity, given: Sequence[dict[str, Any]]) -> list[RateView]:
    """Write rates down, all or none. One of the same place, name and first day is set anew."""
    return [_set_rate(session, identity, values) for values in given]


def end_rate(session: Session, identity: Identity, rate_id: str, last_day: date) -> RateView:
    """A rate holds until the end of a day. Raises ``NotFound``, ``RateOver``, ``InvalidInput``."""
    row = session.get(TaxRate, (identity.tenant_id, rate_id), with_for_update=True)
    if row is None:
        raise NotFound("There is no such tax rate.")
    if row.valid_to is not None and row.valid_to < clock.now().date():
        raise RateOver("This rate is over already.")
    if last_day < row.valid_from:
        raise InvalidInput("It cannot end before it starts.", param="last_day")
    row.valid_to = last_day
    _note(session, identity, "tax_rate.ended", row.id, {"last_day": last_day.isoformat()})
    return _rate(row)


def exemptions(
    session: Session,
    tenant_id: str,
    *,
    customer_id: str | None = None,
    status: ExemptionStatus | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> Page[ExemptionView]:
    """Certificates, oldest first."""
    query = select(TaxExemption).where(TaxExemption.tenant_id == tenant_id)
    if customer_id:
        query = query.where(TaxExemption.customer_id == customer_id)
    if status:
        query = query.where(TaxExemption.status == status)
    if cursor:
        query = query.where(TaxExemption.id > str(decode_cursor(cursor, size=1)[0]))
    rows = list(session.scalars(query.order_by(TaxExemption.id).limit(limit + 1)))
    more = encode_cursor([rows[limit - 1].id]) if len(rows) > limit else None
    return Page([_exemption(row) for row in rows[:limit]], more)


def add_exemption(session: Session, identity: Identity, values: dict[str, Any]) -> ExemptionView:
    """Write a certificate down; it frees nobody before it is verified. Raises ``NotFound`` for the customer."""
    person = session.get(Customer, (identity.tenant_id, values["customer_id"]))
    if person is None or person.merged_into or person.erased_at:
        raise NotFound("There is no such customer.")
    if values.get("valid_to") and values["valid_to"] < values["valid_from"]:
        raise InvalidInput("It cannot end before it starts.", param="valid_to")
    row = TaxExemption(tenant_id=identity.tenant_id, id=new_id("tax_exemption"), **values)
    session.add(row)
    session.flush()
    _note(session, identity, "tax_exemption.added", row.id, {"customer": row.customer_id, "kind": row.kind})
    return _exemption(row)


def decide(
    session: Session,
    identity: Identity,
    exemption_id: str,
    *,
    status: Literal[ExemptionStatus.VERIFIED, ExemptionStatus.REJECTED, ExemptionStatus.REVOKED],
    note: str = "",
) -> ExemptionView:
    """Verify, reject or revoke a certificate; sales from now on follow it.

    Raises ``NotFound``, ``IllegalTransition``.
    """
    row = session.get(TaxExemption, (identity.tenant_id, exemption_id), with_for_update=True)
    if row is None:
        raise NotFound("There is no such certificate.")
    row.status = EXEMPTION.check(row.status, status)
    row.decided_by, row.decided_at, row.note = identity.id, clock.now(), note
    _note(session, identity, f"tax_exemption.{status}", row.id, {"customer": row.customer_id})
    return _exemption(row)


def _set_rate(session: Session, identity: Identity, values: dict[str, Any]) -> RateView:
    key = ("country", "region", "city", "postal_prefixes", "name", "valid_from")
    query = select(TaxRate).where(
        TaxRate.tenant_id == identity.tenant_id, *(getattr(TaxRate, part) == values[part] for part in key)
    )
    row = session.scalars(query.with_for_update()).one_or_none()
    if row is None:
        row = TaxRate(tenant_id=identity.tenant_id, id=new_id("tax"), **values)
        session.add(row)
    else:
        for name, value in values.items():
            setattr(row, name, value)
    session.flush()
    _note(session, identity, "tax_rate.set", row.id, {"name": row.name, "rate_ppm": row.rate_ppm})
    return _rate(row)


def _rate(row: TaxRate) -> RateView:
    return RateView(**{name: getattr(row, name) for name in RateView.model_fields})


def _filing(row: TaxFiling) -> FilingView:
    return FilingView(**{name: getattr(row, name) for name in FilingView.model_fields})


def _exemption(row: TaxExemption) -> ExemptionView:
    return ExemptionView(**{name: getattr(row, name) for name in ExemptionView.model_fields})


def _note(session: Session, identity: Identity, action: str, subject: str, facts: dict[str, Any]) -> None:
    audit.record(session, identity.tenant_id, actor=identity.id, action=action, subject=subject, facts=facts)
