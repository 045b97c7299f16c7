"""Orders bought with an e-mail that nobody proved. The shop sees whose they say they are; nobody is let in by it."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from engine.customers.addresses import check_email
from engine.customers.errors import ContactInvalid
from engine.customers.models import Customer, CustomerLink, LinkStatus
from engine.kit import audit, clock
from engine.kit.errors import NotFound
from engine.kit.identity import Identity
from engine.kit.ids import new_id


def claim(session: Session, tenant_id: str, *, email: str, source: str, subject_id: str) -> None:
    """Note that an order was bought with a typed e-mail. Once for each order; grants nothing to anybody.

    An address that cannot be one is not noted.
    """
    try:
        address = check_email(email)
    except ContactInvalid:
        return
    row = {
        "tenant_id": tenant_id,
        "id": new_id("customer_link"),
        "customer_id": holder(session, tenant_id, address),
        "email": address,
        "source": source,
        "subject_id": subject_id,
        "status": LinkStatus.CLAIMED,
        "created_at": clock.now(),
    }
    session.execute(insert(CustomerLink).values(row).on_conflict_do_nothing())


def reject(session: Session, identity: Identity, link_id: str) -> CustomerLink:
    """Staff found that an order is not the customer's. Raises ``NotFound``."""
    link = session.get(CustomerLink, (identity.tenant_id, link_id), with_for_update=True, populate_existing=True)
    if link is None or link.status != LinkStatus.CLAIMED:
        raise NotFound("There is no such claim that is still open.")
    link.status, link.decided_at = LinkStatus.REJECTED, clock.now()
    audit.record(session, link.tenant_id, actor=identity.who, action="customer.link_rejected", subject=link.id)
    return link


def holder(session: Session, tenant_id: str, email: str) -> str | None:
    """The customer an address leads to, merges followed; ``None`` for an address nobody is known by."""
    found = session.execute(
        select(Customer.id, Customer.merged_into).where(
            Customer.tenant_id == tenant_id, Customer.email_key == func.lower(email)
        )
    ).one_or_none()
    if found is None:
        return None
    return str(last_of(session, tenant_id, found.id))


def last_of(session: Session, tenant_id: str, customer_id: str) -> str:
    """The customer that ``customer_id`` is today, merges followed."""
    while True:
        following = session.scalar(
            select(Customer.merged_into).where(Customer.tenant_id == tenant_id, Customer.id == customer_id)
        )
        if following is None:
            return customer_id
        customer_id = following
