"""A known customer's profile and address book."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from engine.customers.addresses import PARTS, missing_parts, normalize
from engine.customers.errors import AddressIncomplete, TooMuchKept
from engine.customers.models import Address, Customer
from engine.customers.policy import AddressesPolicy
from engine.customers.verifying import lock_customer
from engine.kit import audit
from engine.kit.errors import NotFound, Unauthenticated
from engine.kit.identity import Identity
from engine.kit.ids import new_id
from engine.kit.policies import policy_of

MOST: Final = 50
_FIELDS: Final = (*PARTS, "line_two")


class EmailNeeded(Unauthenticated):
    code = "email_not_verified"


def known(identity: Identity) -> str:
    """The customer this session has proven to be. Raises ``EmailNeeded``: a typed e-mail opens nothing."""
    if identity.customer_id is None:
        raise EmailNeeded("Please verify your e-mail address first.")
    return identity.customer_id


def own_profile(session: Session, identity: Identity, *, lock: bool = False) -> Customer:
    """Raises ``EmailNeeded``; ``NotFound`` once it is erased or merged away."""
    customer_id = known(identity)
    row = lock_customer(session, identity.tenant_id, customer_id) if lock else None
    row = row or session.get(Customer, (identity.tenant_id, customer_id))
    if row is None or row.erased_at is not None or row.merged_into is not None:
        raise NotFound("There is no such profile.")
    return row


def change_profile(session: Session, identity: Identity, *, name: str | None, phone: str | None) -> Customer:
    """Set what is given. The e-mail is proven, so it is not changed here."""
    row = own_profile(session, identity, lock=True)
    row.name = row.name if name is None else " ".join(name.split())
    row.phone = row.phone if phone is None else " ".join(phone.split())
    audit.record(session, row.tenant_id, actor=identity.id, action="customer.profile_changed", subject=row.id)
    return row


def addresses(session: Session, tenant_id: str, customer_id: str) -> list[Address]:
    """The default first."""
    query = (
        select(Address)
        .where(Address.tenant_id == tenant_id, Address.customer_id == customer_id)
        .order_by(Address.is_default.desc(), Address.id)
    )
    return list(session.scalars(query))


def add_address(session: Session, identity: Identity, parts: Mapping[str, Any], *, default: bool) -> Address:
    """Raises ``AddressIncomplete`` naming the part, ``TooMuchKept``, ``EmailNeeded``."""
    customer = own_profile(session, identity, lock=True)
    mine = (Address.tenant_id == customer.tenant_id, Address.customer_id == customer.id)
    count = session.scalar(select(func.count()).where(*mine)) or 0
    if count >= MOST:
        raise TooMuchKept(f"At most {MOST} addresses can be kept.")
    row = Address(
        tenant_id=customer.tenant_id,
        id=new_id("address"),
        customer_id=customer.id,
        is_default=False,
        **whole(session, customer.tenant_id, parts),
    )
    session.add(row)
    session.flush()
    if default or count == 0:
        _make_default(session, row)
    audit.record(session, row.tenant_id, actor=identity.id, action="customer.address_added", subject=row.id)
    return row


def change_address(
    session: Session, identity: Identity, address_id: str, parts: Mapping[str, Any], *, default: bool
) -> Address:
    """Set the parts that are given. Raises ``NotFound``, ``AddressIncomplete``."""
    row = own_address(session, identity, address_id)
    kept = {field: getattr(row, field) for field in _FIELDS}
    parts = whole(session, row.tenant_id, kept | dict(parts))
    for field, value in parts.items():
        setattr(row, field, value)
    if default:
        _make_default(session, row)
    session.flush()
    audit.record(session, row.tenant_id, actor=identity.id, action="customer.address_changed", subject=row.id)
    return row


def remove_address(session: Session, identity: Identity, address_id: str) -> None:
    """Raises ``NotFound``. The next one becomes the default."""
    row = own_address(session, identity, address_id)
    was_default = row.is_default
    session.delete(row)
    session.flush()
    rest = addresses(session, row.tenant_id, row.customer_id)
    if was_default and rest:
        _make_default(session, rest[0])
    audit.record(session, row.tenant_id, actor=identity.id, action="customer.address_removed", subject=row.id)


def own_address(session: Session, identity: Identity, address_id: str) -> Address:
    """Raises ``NotFound``, also for somebody else's."""
    if identity.customer_id is not None:
        customer = own_profile(session, identity, lock=True)
        row = session.get(Address, (customer.tenant_id, address_id))
        if row is not None and row.customer_id == customer.id:
            return row
    raise NotFound("There is no such address.")


def whole(session: Session, tenant_id: str, parts: Mapping[str, Any]) -> dict[str, str]:
    """An address in one spelling, with all that the shop asks of one. Raises ``AddressIncomplete`` naming the part."""
    as_given = policy_of(session, tenant_id, AddressesPolicy).as_given
    clean = normalize(dict(parts), as_given=as_given)
    missing = missing_parts(clean)
    if missing and not as_given:
        raise AddressIncomplete("This address is not complete.", param=missing[0])
    return clean


def _make_default(session: Session, row: Address) -> None:
    mine = (Address.tenant_id == row.tenant_id, Address.customer_id == row.customer_id)
    session.execute(update(Address).where(*mine).values(is_default=Address.id == row.id))
    session.refresh(row)
