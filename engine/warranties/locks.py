"""A claim with all that a step of it touches, locked in the order of the house: card, order, claim, warranty."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy.orm import Session

from engine.checkout.models import Consent
from engine.orders import service as orders
from engine.orders.models import Order
from engine.warranties.errors import NoClaim
from engine.warranties.models import Claim, Warranty

T = TypeVar("T", Consent, Claim, Warranty)


@dataclass(slots=True)
class Held:
    """``order`` is the one that paid for the unit; ``root`` the warranty of the unit that was paid for."""

    session: Session
    order: Order
    claim: Claim
    warranty: Warranty
    root: Warranty
    card: Consent | None = None


def hold(session: Session, tenant_id: str, claim_id: str) -> Held:
    """Raises ``NoClaim``."""
    seen = session.get(Claim, (tenant_id, claim_id))
    if seen is None:
        raise NoClaim("There is no such claim.")
    card = _locked(session, Consent, tenant_id, seen.consent_id) if seen.consent_id else None
    order = orders.lock(session, tenant_id, seen.order_id)
    claim = _locked(session, Claim, tenant_id, claim_id)
    warranty = _locked(session, Warranty, tenant_id, claim.warranty_id)
    root = _locked(session, Warranty, tenant_id, warranty.root_id)
    return Held(session, order, claim, warranty, root, card)


def _locked(session: Session, kind: type[T], tenant_id: str, row_id: str) -> T:
    return session.get_one(kind, (tenant_id, row_id), with_for_update=True, populate_existing=True)
