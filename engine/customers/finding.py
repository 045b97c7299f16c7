"""Which known customer somebody means, by what they say of themselves. It proves nothing: the asker decides on that."""

from __future__ import annotations

from typing import Final, cast

from sqlalchemy.orm import Session

from engine.customers.models import Customer
from engine.kit.errors import NotFound
from engine.kit.gathering import Rows, fetch

_THERE: Final = "r.tenant_id = %(tenant)s AND r.merged_into IS NULL AND r.erased_at IS NULL"
_BY_EMAIL: Final = Rows(Customer, f"{_THERE} AND r.email_key = %(email)s", most=2)
_BY_NAME: Final = Rows(
    Customer,
    f"""{_THERE} AND (lower(r.given_name) = %(given)s AND lower(r.family_name) = %(family)s
    OR r.family_name = '' AND lower(r.name) = %(whole)s)
  AND EXISTS (SELECT FROM app.addresses a WHERE a.tenant_id = r.tenant_id AND a.customer_id = r.id AND a.is_default
    AND a.postal_code = %(postal_code)s)""",
    most=2,
)


def by_email(session: Session, tenant_id: str, email: str) -> Customer:
    """The customer with that e-mail, whatever its case. Raises ``NotFound``."""
    return _only(session, _BY_EMAIL, {"tenant": tenant_id, "email": email.strip().lower()})


def by_name(session: Session, tenant_id: str, *, given_name: str, family_name: str, postal_code: str) -> Customer:
    """The one customer of that name, whatever its case, whose default address has exactly that postal code.

    Raises ``NotFound``, also where several are.
    """
    given, family = given_name.strip().lower(), family_name.strip().lower()
    if not given or not family:
        raise NotFound("There is no such customer.")
    said = {"given": given, "family": family, "whole": f"{given} {family}", "postal_code": postal_code.strip()}
    return _only(session, _BY_NAME, {"tenant": tenant_id} | said)


def _only(session: Session, wanted: Rows[Customer], said: dict[str, str]) -> Customer:
    (rows,) = fetch(session, (wanted, said))
    if len(rows) != 1:
        raise NotFound("There is no such customer.")
    return cast("Customer", rows[0])
