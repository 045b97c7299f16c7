"""What stock posts: goods at cost, by the event itself."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.catalog.models import Variant
from engine.finance import postings
from engine.finance import service as finance
from engine.finance.models import JournalEntry
from engine.kit.errors import NotFound
from engine.kit.ids import echo
from engine.kit.tenancy import Tenant


def costs_of(session: Session, tenant_id: str, variant_ids: Collection[str]) -> dict[str, int]:
    """Variant → cost of a unit in minor units. Raises ``NotFound`` for a variant the shop does not have."""
    query = select(Variant.id, Variant.cost).where(Variant.tenant_id == tenant_id, Variant.id.in_(variant_ids))
    costs = {variant_id: cost for variant_id, cost in session.execute(query)}  # noqa: C416 (rows are not typed as pairs)
    if missing := set(variant_ids) - set(costs):
        raise NotFound(f"This shop has no item {echo(min(missing), 'of that id')}.")
    return costs


def post_receipt(session: Session, tenant_id: str, *, subject: str, cost: int) -> None:
    """Dr inventory · Cr accounts_payable."""
    finance.post(
        session,
        tenant_id,
        kind=postings.Kind.RECEIPT,
        subject=subject,
        currency=_currency(session, tenant_id),
        amounts=postings.receipt(cost),
    )


def reverse_receipts(session: Session, tenant_id: str, *, inbound_id: str) -> None:
    """Take back what a purchase posted as it was received, entry by entry."""
    entries = select(JournalEntry.id).where(
        JournalEntry.tenant_id == tenant_id,
        JournalEntry.kind == postings.Kind.RECEIPT,
        JournalEntry.subject.startswith(f"{inbound_id}/", autoescape=True),
    )
    for entry_id in session.scalars(entries.order_by(JournalEntry.id)).all():
        finance.reverse(session, tenant_id, entry_id, kind=postings.Kind.REVERSAL, subject=entry_id)


def post_adjustment(session: Session, tenant_id: str, *, subject: str, cost: int) -> None:
    """Inventory against inventory_adjustments; ``cost`` is signed, a loss is negative."""
    finance.post(
        session,
        tenant_id,
        kind=postings.Kind.ADJUSTMENT,
        subject=subject,
        currency=_currency(session, tenant_id),
        amounts=postings.adjustment(cost),
    )


def _currency(session: Session, tenant_id: str) -> str:
    return session.get_one(Tenant, tenant_id).currency
