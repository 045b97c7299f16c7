"""Which known customer somebody means, by what they say of themselves. It proves nothing: the asker decides on that."""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session

from engine.customers.models import Address, Customer
from engine.kit.errors import NotFound


def by_email(session: Session, tenant_id: str, email: str) -> Customer:
    """The customer with that e-mail, whatever its case. Raises ``NotFound``."""
    return _only(session, tenant_id, Customer.email_key == email.strip().lower())


def by_name(session: Session, tenant_id: str, *, given_name: str, family_name: str, postal_code: str) -> Customer:
    """The one customer of that name, whatever its case, whose default address has exactly that postal code.

    Raises ``NotFound``, also where several are.
    """
    given, family = given_name.strip().lower(), family_name.strip().lower()
    if not given or not family:
        raise NotFound("There is no such customer.")
    apart = and_(func.lower(Customer.given_name) == given, func.lower(Customer.family_name) == family)
    whole = and_(Customer.family_name == "", func.lower(Customer.name) == f"{given} {family}")
    lives_there = (
        select(Address.id)
        .where(
            Address.tenant_id == Customer.tenant_id,
            Address.customer_id == Customer.id,
            Address.is_default,
            Address.postal_code == postal_code.strip(),
        )
        .exists()
    )
    return _only(session, tenant_id, or_(apart, whole), lives_there)


def _only(session: Session, tenant_id: str, *said: ColumnElement[bool]) -> Customer:
    rows = session.scalars(
        select(Customer)
        .where(Customer.tenant_id == tenant_id, Customer.merged_into.is_(None), Customer.erased_at.is_(None), *said)
        .limit(2)
    ).all()
    if len(rows) != 1:
        raise NotFound("There is no such customer.")
    return rows[0]
