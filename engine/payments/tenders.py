"""Gift cards and store credit as part of a sale, for whoever speaks to the driver itself: held in T1, taken in T2.

``HOLD`` sets an amount aside with the payment it is for, or refuses by a division by zero; ``TAKE`` follows the sale's
lead payment, once. A sale that failed is ``release``d.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.kit import clock
from engine.kit.direct import Statement
from engine.payments import stored_value
from engine.payments.models import Payment, PaymentStatus
from engine.payments.states import PAYMENT
from engine.payments.stored_value_models import StoredValueAccount, StoredValueKind

HOLD: Final = Statement("""
WITH account AS (
  UPDATE app.stored_value_accounts a SET balance = a.balance - %(amount)s
  WHERE a.tenant_id = %(tenant)s AND a.id = %(account)s AND a.status = 'active' AND a.currency = %(currency)s
    AND a.balance >= %(amount)s AND (a.expires_at IS NULL OR a.expires_at > %(now)s)
  RETURNING a.tenant_id, a.id
), paying AS (
  INSERT INTO app.payments (tenant_id, id, session_id, order_id, consent_id, gateway, tender, stored_value_id,
    capture_mode, amount, currency, method, status, recovery_attempts, created_at)
  SELECT tenant_id, %(payment)s, %(session)s, %(order)s, %(consent)s, 'stored_value', %(tender)s, id,
    %(capture_mode)s, %(amount)s, %(currency)s, %(method)s, 'processing', 0, %(now)s
  FROM account
), entry AS (
  INSERT INTO app.stored_value_entries (tenant_id, account_id, kind, delta, subject, at)
  SELECT tenant_id, id, 'hold', -%(amount)s, %(payment)s, %(now)s FROM account
)
SELECT 1 / count(*) AS whole FROM account
""")

TAKE: Final = Statement("""
WITH lead AS (
  SELECT status FROM app.payments
  WHERE tenant_id = %(tenant)s AND id = %(lead)s AND status IN ('captured', 'authorized')
), paid AS (
  UPDATE app.payments p SET status = lead.status, settled_at = %(settled_at)s, authorized_at = %(authorized_at)s
  FROM lead WHERE p.tenant_id = %(tenant)s AND p.id = %(payment)s AND p.status = 'processing'
  RETURNING p.tenant_id, p.id
), taken AS (
  INSERT INTO app.captures (tenant_id, id, payment_id, order_id, amount, tax, currency, status, final, reason, attempts,
    created_at, settled_at)
  SELECT tenant_id, %(capture)s, id, %(order)s, %(taken)s, %(tax)s, %(currency)s, 'succeeded', true, 'sale', 1, %(now)s,
    %(now)s
  FROM paid WHERE %(taken)s > 0
), entry AS (
  INSERT INTO app.journal_entries (tenant_id, id, kind, subject, order_id, occurred_at, posted_at)
  SELECT tenant_id, %(entry)s, 'stored_value_used', %(capture)s, %(order)s, %(now)s, %(now)s
  FROM paid WHERE %(taken)s > 0
  RETURNING tenant_id, id
), posted AS (
  INSERT INTO app.postings (tenant_id, entry_id, line, account, amount, currency)
  SELECT entry.tenant_id, entry.id, line.number, line.account, line.amount, %(currency)s
  FROM entry, unnest(%(accounts)s::text[], %(amounts)s::bigint[]) WITH ORDINALITY AS line(account, amount, number)
), noted AS (
  INSERT INTO app.audit (tenant_id, at, request_id, actor, action, subject, facts)
  SELECT tenant_id, %(now)s, '', 'system', %(action)s, id, %(facts)s FROM paid
)
SELECT count(*) AS paid FROM paid
""")


@dataclass(frozen=True, slots=True)
class Purse:
    """What can be spent of a gift card or store credit."""

    account_id: str
    kind: StoredValueKind
    last4: str
    balance: int

    @property
    def tender(self) -> str:
        return f"{self.kind}:{self.account_id}"

    @property
    def label(self) -> str:
        return f"Gift card •••• {self.last4}" if self.kind == StoredValueKind.GIFT_CARD else "Store credit"


def purses(session: Session, tenant_id: str, account_ids: Collection[str], *, currency: str) -> dict[str, Purse]:
    """Those of the accounts from which something can be paid in this currency now."""
    rows = session.scalars(
        select(StoredValueAccount).where(
            StoredValueAccount.tenant_id == tenant_id, StoredValueAccount.id.in_(account_ids)
        )
    )
    return {
        row.id: Purse(row.id, StoredValueKind(row.kind), row.last4, row.balance)
        for row in rows
        if stored_value.is_usable(row, currency)
    }


def release(session: Session, tenant_id: str, order_id: str, *, ended: PaymentStatus) -> None:
    """The sale came to nothing: what its stored value held is free again. Does nothing the second time."""
    rows = session.scalars(
        select(Payment)
        .where(
            Payment.tenant_id == tenant_id,
            Payment.order_id == order_id,
            Payment.session_id.is_not(None),
            Payment.stored_value_id.is_not(None),
            Payment.status == PaymentStatus.PROCESSING,
        )
        .order_by(Payment.id)
        .with_for_update()
    ).all()
    for row in rows:
        row.status = PAYMENT.check(row.status, ended)
        row.settled_at = clock.now()
        stored_value.release(session, tenant_id, payment_id=row.id)
