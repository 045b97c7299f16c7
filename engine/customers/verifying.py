"""From guest to known: what a proven e-mail opens, and what becomes the customer's by it.

Locks in this order: customer, orders, stored value, the rest.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from engine.customers import codes
from engine.customers.errors import AlreadyKnown
from engine.customers.links import last_of
from engine.customers.models import Customer, CustomerLink, LinkStatus, Shopper
from engine.kit import audit, clock, outbox
from engine.kit.identity import Actor, Identity
from engine.kit.ids import new_id

_ORDERS: Final = text(
    "SELECT o.id FROM app.orders o WHERE o.tenant_id = :tenant AND o.customer_id IS NULL AND o.id IN ("
    " SELECT x.id FROM app.orders x WHERE x.tenant_id = :tenant AND x.owner_id = :shopper"
    " UNION SELECT l.subject_id FROM app.customer_links l WHERE l.tenant_id = :tenant AND l.status = 'claimed'"
    " AND l.email_key = lower(:email)) ORDER BY o.id FOR UPDATE"
)
_TAKE_ORDERS: Final = text(
    "UPDATE app.orders SET customer_id = :customer WHERE tenant_id = :tenant AND id = ANY(:orders)"
)
_TAKE_CREDIT: Final = text(
    "UPDATE app.stored_value_accounts SET customer_id = :customer WHERE tenant_id = :tenant AND id IN ("
    " SELECT id FROM app.stored_value_accounts WHERE tenant_id = :tenant AND customer_id IS NULL"
    " AND kind = 'store_credit' AND owner_id = :shopper ORDER BY id FOR UPDATE)"
)


def verify(session: Session, identity: Identity, code_id: str) -> Identity:
    """Use up a code that ``codes.check`` found right: this session is now its customer, new or known before.

    What the session bought as a guest, and what was bought elsewhere with this e-mail by nobody known, becomes the
    customer's. Raises ``CodeWrong``, ``AlreadyKnown`` for a session that is somebody else already.
    """
    tenant_id, email = identity.tenant_id, codes.spend(session, identity, code_id)
    customer = _customer(session, tenant_id, email)
    shopper = session.get_one(Shopper, (tenant_id, identity.id), with_for_update=True, populate_existing=True)
    if shopper.customer_id not in (None, customer.id):
        raise AlreadyKnown("This session is already signed in with another e-mail. Please sign out first.")
    shopper.customer_id = customer.id
    customer.email_verified_at = customer.email_verified_at or clock.now()
    session.flush()
    taken = _take(session, tenant_id, shopper.id, customer.id, email)
    if taken:
        outbox.emit(session, tenant_id, "customer.verified", customer.id, {"orders": taken})
    facts = {"orders": len(taken)}
    audit.record(session, tenant_id, actor=identity.id, action="customer.verified", subject=customer.id, facts=facts)
    return Identity(tenant_id, Actor.SHOPPER, shopper.id, customer_id=customer.id)


def lock_customer(session: Session, tenant_id: str, customer_id: str) -> Customer:
    """The customer, held for this transaction; rows that point at it may still be written meanwhile."""
    query = (
        select(Customer)
        .where(Customer.tenant_id == tenant_id, Customer.id == customer_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    return session.scalars(query).one()


def _customer(session: Session, tenant_id: str, email: str) -> Customer:
    """The customer with this address, locked; made when there is none. Merges are followed."""
    new = {"tenant_id": tenant_id, "id": new_id("customer"), "email": email, "name": "", "phone": ""}
    session.execute(insert(Customer).values(new | {"created_at": clock.now()}).on_conflict_do_nothing())
    query = select(Customer.id).where(Customer.tenant_id == tenant_id, Customer.email_key == func.lower(email))
    found = session.scalars(query).one()
    customer = lock_customer(session, tenant_id, last_of(session, tenant_id, found))
    while customer.merged_into is not None:
        customer = lock_customer(session, tenant_id, customer.merged_into)
    return customer


def _take(session: Session, tenant_id: str, shopper_id: str, customer_id: str, email: str) -> list[str]:
    """Give the customer what is theirs; returns the orders."""
    key = {"tenant": tenant_id, "shopper": shopper_id, "customer": customer_id}
    orders = list(session.scalars(_ORDERS, key | {"email": email}))
    session.execute(_TAKE_ORDERS, key | {"orders": orders})
    session.execute(_TAKE_CREDIT, key)
    session.execute(
        update(CustomerLink)
        .where(
            CustomerLink.tenant_id == tenant_id,
            CustomerLink.subject_id.in_(orders),
            CustomerLink.status == LinkStatus.CLAIMED,
            CustomerLink.email_key == func.lower(email),
        )
        .values(status=LinkStatus.VERIFIED, customer_id=customer_id, decided_at=clock.now())
        .execution_options(synchronize_session=False)
    )
    return orders
