"""Shoppers (session identities) and what a known customer has stored."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.customers.models import Address, Customer, PaymentMethod, Shopper
from engine.kit.identity import Actor, Identity
from engine.kit.ids import new_id


def new_shopper(session: Session, tenant_id: str) -> Identity:
    """A guest: an identity of its own, with no profile behind it."""
    shopper = Shopper(tenant_id=tenant_id, id=new_id("shopper"))
    session.add(shopper)
    return Identity(tenant_id, Actor.SHOPPER, shopper.id)


def shopper(session: Session, tenant_id: str, shopper_id: str) -> Identity | None:
    """The identity behind a browser session; ``None`` when it is gone."""
    row = session.get(Shopper, (tenant_id, shopper_id))
    return Identity(tenant_id, Actor.SHOPPER, row.id, customer_id=row.customer_id) if row else None


def shoppers_of(session: Session, identity: Identity) -> list[str]:
    """The ids of all sessions of this shopper's customer; a guest's own alone."""
    if identity.customer_id is None:
        return [identity.id]
    query = select(Shopper.id).where(
        Shopper.tenant_id == identity.tenant_id, Shopper.customer_id == identity.customer_id
    )
    return list(session.scalars(query))


def is_same_person(session: Session, identity: Identity, owner_id: str) -> bool:
    """Whether a session identity is the asker's own, or another session of the customer they have proven to be."""
    if owner_id == identity.id or identity.customer_id is None:
        return owner_id == identity.id
    row = session.get(Shopper, (identity.tenant_id, owner_id))
    return row is not None and row.customer_id == identity.customer_id


def payment_methods(session: Session, identity: Identity) -> Sequence[PaymentMethod]:
    """Saved methods of a signed-in customer, the default first; a guest has none."""
    if identity.customer_id is None:
        return []
    return methods_of(session, identity.tenant_id, identity.customer_id)


def methods_of(session: Session, tenant_id: str, customer_id: str) -> Sequence[PaymentMethod]:
    """Saved methods of a customer that are kept and were not removed, the default first."""
    return session.scalars(
        select(PaymentMethod)
        .where(
            PaymentMethod.tenant_id == tenant_id,
            PaymentMethod.customer_id == customer_id,
            PaymentMethod.kept_at.is_not(None),
            PaymentMethod.removed_at.is_(None),
        )
        .order_by(PaymentMethod.is_default.desc(), PaymentMethod.id)
    ).all()


def default_address(session: Session, identity: Identity) -> Address | None:
    """The signed-in customer's default address."""
    if identity.customer_id is None:
        return None
    return session.scalars(
        select(Address)
        .where(Address.tenant_id == identity.tenant_id, Address.customer_id == identity.customer_id)
        .order_by(Address.is_default.desc(), Address.id)
        .limit(1)
    ).first()


def profile(session: Session, identity: Identity) -> Customer | None:
    """The signed-in customer's profile."""
    if identity.customer_id is None:
        return None
    return session.get(Customer, (identity.tenant_id, identity.customer_id))
