"""What a customer agreed to hear, and what they took back. Rows are only added; the newest of a kind counts."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from engine.customers.book import own_profile
from engine.customers.models import ConsentTopic, ContactConsent
from engine.kit import audit
from engine.kit.identity import Identity
from engine.kit.ids import new_id


def say(
    session: Session, identity: Identity, *, topic: ConsentTopic, channel: str, granted: bool, text_version: str
) -> ContactConsent:
    """The signed-in customer's own yes or no. Raises ``EmailNeeded``."""
    customer = own_profile(session, identity, lock=True)
    row = write(
        session,
        identity.tenant_id,
        customer.id,
        topic=topic,
        channel=channel,
        granted=granted,
        text_version=text_version,
        source="web",
    )
    facts = {"topic": topic, "channel": channel, "granted": granted}
    audit.record(
        session, row.tenant_id, actor=identity.id, action="customer.consent", subject=row.customer_id, facts=facts
    )
    return row


def write(
    session: Session,
    tenant_id: str,
    customer_id: str,
    *,
    topic: ConsentTopic,
    channel: str,
    granted: bool,
    text_version: str,
    source: str,
) -> ContactConsent:
    """Add one row; the caller holds the customer."""
    row = ContactConsent(
        tenant_id=tenant_id,
        id=new_id("contact_consent"),
        customer_id=customer_id,
        topic=topic,
        channel=channel,
        granted=granted,
        text_version=text_version,
        source=source,
    )
    session.add(row)
    session.flush()
    return row


def standing(session: Session, tenant_id: str, customer_id: str) -> list[ContactConsent]:
    """The newest word on each topic and channel."""
    query = (
        select(ContactConsent)
        .where(ContactConsent.tenant_id == tenant_id, ContactConsent.customer_id == customer_id)
        .order_by(ContactConsent.topic, ContactConsent.channel, ContactConsent.at.desc(), ContactConsent.id.desc())
        .ext(distinct_on(ContactConsent.topic, ContactConsent.channel))
    )
    return list(session.scalars(query))


def may_send(session: Session, tenant_id: str, customer_id: str, *, channel: str) -> bool:
    """Whether marketing may go to this customer: only after a yes that was not taken back."""
    words = standing(session, tenant_id, customer_id)
    return any(w.granted for w in words if w.topic == ConsentTopic.MARKETING and w.channel == channel)
