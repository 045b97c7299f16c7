"""Orders bought with an e-mail that nobody proved. The shop sees whose they say they are; nobody is let in by it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from engine.customers.addresses import check_email
from engine.customers.errors import ContactInvalid
from engine.customers.models import Customer, CustomerLink, LinkStatus
from engine.kit import audit, clock
from engine.kit.errors import NotFound
from engine.kit.identity import Identity
from engine.kit.ids import new_id

_KNOWN_BY: Final = text(
    "SELECT e.email, c.id, c.merged_into FROM unnest(CAST(:emails AS text[])) AS e(email)"
    " JOIN app.customers c ON c.tenant_id = :tenant AND c.email_key = lower(e.email)"
)


def claim(session: Session, tenant_id: str, *, email: str, source: str, subject_id: str) -> None:
    """Note that an order was bought with a typed e-mail. Once for each order; grants nothing to anybody.

    An address that cannot be one is not noted.
    """
    claim_all(session, tenant_id, [(email, source, subject_id)])


def claim_all(session: Session, tenant_id: str, typed: Sequence[tuple[str, str, str]]) -> None:
    """The same of many orders in two statements; each is (e-mail, source, order)."""
    known = [(address, source, subject_id) for email, source, subject_id in typed if (address := _address(email))]
    if not known:
        return
    holders = _holders(session, tenant_id, {address for address, _, _ in known})
    rows = [
        {
            "tenant_id": tenant_id,
            "id": new_id("customer_link"),
            "customer_id": holders.get(address),
            "email": address,
            "source": source,
            "subject_id": subject_id,
            "status": LinkStatus.CLAIMED,
            "created_at": clock.now(),
        }
        for address, source, subject_id in known
    ]
    session.execute(insert(CustomerLink).on_conflict_do_nothing(), rows)


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
    return _holders(session, tenant_id, {email}).get(email)


def _holders(session: Session, tenant_id: str, emails: Collection[str]) -> dict[str, str]:
    """By address."""
    found = session.execute(_KNOWN_BY, {"tenant": tenant_id, "emails": list(emails)})
    return {
        row.email: last_of(session, tenant_id, row.id) if row.merged_into else row.id  # most were never merged
        for row in found
    }


def _address(email: str) -> str | None:
    try:
        return check_email(email)
    except ContactInvalid:
        return None


def last_of(session: Session, tenant_id: str, customer_id: str) -> str:
    """The customer that ``customer_id`` is today, merges followed."""
    while True:
        following = session.scalar(
            select(Customer.merged_into).where(Customer.tenant_id == tenant_id, Customer.id == customer_id)
        )
        if following is None:
            return customer_id
        customer_id = following
