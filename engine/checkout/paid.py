"""T2 of a payment that succeeded: everything the money changes, in one statement and the commit.

The session is completed, the order placed, the payment captured, its holds sold, its cart emptied, the journal and the
audit written and the consumers told, or nothing is: a payment that has ended gives the statement no row to go on.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from psycopg.types.json import Jsonb

from engine.checkout.sale import Sale
from engine.finance import postings
from engine.kit.direct import Direct, Row
from engine.kit.ids import new_id
from engine.kit.outbox import CONSUMERS
from engine.payments.gateway import Charge

LIVE_RUN: Final = timedelta(seconds=5)
"""The conversation that pays tells its shopper itself; the outbox speaks when it could not."""

SETTLE: Final = """
WITH checkout AS (
  UPDATE app.checkout_sessions SET status = 'completed', version = version + 1
  WHERE tenant_id = %(tenant)s AND id = %(session)s AND status = 'complete_in_progress'
  RETURNING cart_id
), placed AS (
  UPDATE app.orders o SET status = 'open', placed_at = %(now)s, updated_at = %(now)s, version = o.version + 1
  FROM checkout WHERE o.tenant_id = %(tenant)s AND o.id = %(order)s AND o.status = 'pending_payment'
  RETURNING o.id
), paid AS (
  UPDATE app.payments p SET status = 'captured', gateway_payment_id = %(gateway_id)s, settled_at = %(now)s,
    lease_until = NULL
  FROM placed
  WHERE p.tenant_id = %(tenant)s AND p.id = %(payment)s AND p.status IN ('processing', 'unknown')
  RETURNING p.id
), taken AS (
  INSERT INTO app.captures (tenant_id, id, payment_id, order_id, amount, tax, currency, status, final,
    gateway_capture_id, reason, attempts, created_at, settled_at)
  SELECT %(tenant)s, %(capture)s, %(payment)s, %(order)s, %(amount)s, %(tax)s, %(currency)s, 'succeeded', true,
    %(gateway_id)s, 'sale', 1, %(now)s, %(now)s
  FROM paid WHERE %(amount)s > 0
), sold AS (
  UPDATE app.reservations r SET status = 'committed' FROM paid
  WHERE r.tenant_id = %(tenant)s AND r.payment_id = %(payment)s AND r.status = 'held'
), bought AS (
  SELECT c.id, c.updated_at FROM checkout, app.carts c
  WHERE c.tenant_id = %(tenant)s AND c.id = checkout.cart_id AND c.status = 'open' AND NOT EXISTS (
    SELECT FROM app.cart_lines l
    LEFT JOIN jsonb_to_recordset(%(bought)s) AS b(variant_id text, quantity int) ON b.variant_id = l.variant_id
    WHERE l.tenant_id = %(tenant)s AND l.cart_id = c.id AND l.quantity > coalesce(b.quantity, 0))
), emptied AS (
  UPDATE app.carts c SET status = 'ordered' FROM bought
  WHERE c.tenant_id = %(tenant)s AND c.id = bought.id AND c.updated_at = bought.updated_at
  RETURNING c.id
), entry AS (
  INSERT INTO app.journal_entries (tenant_id, id, kind, subject, order_id, occurred_at, posted_at)
  SELECT %(tenant)s, %(entry)s, 'capture', %(payment)s, %(order)s, %(now)s, %(now)s
  FROM paid WHERE %(amount)s > 0
  RETURNING id
), posted AS (
  INSERT INTO app.postings (tenant_id, entry_id, line, account, amount, currency)
  SELECT %(tenant)s, entry.id, line.number, line.account, line.amount, %(currency)s
  FROM entry, unnest(%(accounts)s::text[], %(amounts)s::bigint[]) WITH ORDINALITY AS line(account, amount, number)
), told AS (
  INSERT INTO app.outbox (tenant_id, consumer, topic, subject_id, payload, created_at, available_at, attempts)
  SELECT %(tenant)s, consumer, 'order.paid', %(order)s, %(payload)s, %(now)s, %(tell_at)s, 0
  FROM paid, unnest(%(consumers)s::text[]) AS consumer
), noted AS (
  INSERT INTO app.audit (tenant_id, at, request_id, actor, action, subject, facts)
  SELECT %(tenant)s, %(now)s, '', 'system', 'payment.captured', %(payment)s, %(facts)s FROM paid
), answered AS (
  UPDATE app.alerts a SET resolved_at = %(now)s FROM paid
  WHERE a.tenant_id = %(tenant)s AND a.kind = 'payment_unknown' AND a.subject = %(payment)s AND a.resolved_at IS NULL
)
SELECT checkout.cart_id, EXISTS (SELECT FROM emptied) AS emptied FROM paid, checkout
"""

LOCK_CART: Final = "SELECT id FROM app.carts WHERE tenant_id = %(tenant)s AND id = %(cart)s FOR UPDATE"

SHRINK_CART: Final = """
WITH rest AS (
  SELECT l.variant_id, l.quantity - coalesce(b.quantity, 0) AS quantity FROM app.cart_lines l
  LEFT JOIN jsonb_to_recordset(%(bought)s) AS b(variant_id text, quantity int) ON b.variant_id = l.variant_id
  WHERE l.tenant_id = %(tenant)s AND l.cart_id = %(cart)s
), kept AS (
  UPDATE app.cart_lines l SET quantity = rest.quantity FROM rest
  WHERE l.tenant_id = %(tenant)s AND l.cart_id = %(cart)s AND l.variant_id = rest.variant_id AND rest.quantity > 0
), gone AS (
  DELETE FROM app.cart_lines l USING rest
  WHERE l.tenant_id = %(tenant)s AND l.cart_id = %(cart)s AND l.variant_id = rest.variant_id AND rest.quantity <= 0
)
UPDATE app.carts SET discount_codes = '{}', updated_at = %(now)s,
  status = CASE WHEN EXISTS (SELECT FROM rest WHERE quantity > 0) THEN status ELSE 'ordered' END
WHERE tenant_id = %(tenant)s AND id = %(cart)s
"""


class Ended(Exception):
    """The payment had ended before; what was begun must be rolled back."""


def settle_paid(direct: Direct, sale: Sale, charge: Charge, now: datetime) -> None:
    """Write that the money came in. Raises ``Ended``."""
    done = direct.one(SETTLE, _values(sale, charge, now))
    if done is None:
        raise Ended
    if done["cart_id"] and not done["emptied"]:  # something was put in while it was paid for
        cart = {"tenant": sale.tenant_id, "cart": done["cart_id"], "now": now, "bought": Jsonb(sale.bought)}
        direct.ask((LOCK_CART, cart), (SHRINK_CART, cart))


def _values(sale: Sale, charge: Charge, now: datetime) -> Row:
    amounts = postings.capture(sale.amount, sale.tax)
    payload = {"thread_id": sale.thread_id, "consent_id": sale.consent_id, "payment_id": sale.payment_id}
    facts = {"amount": sale.amount, "currency": sale.currency, "order": sale.order_id}
    return {
        "tenant": sale.tenant_id,
        "session": sale.session_id,
        "order": sale.order_id,
        "payment": sale.payment_id,
        "gateway_id": charge.gateway_id,
        "now": now,
        "tell_at": now + LIVE_RUN,
        "bought": Jsonb(sale.bought),
        "amount": sale.amount,
        "tax": sale.tax,
        "capture": new_id("capture"),
        "entry": new_id("entry"),
        "accounts": [str(account) for account in amounts],
        "amounts": list(amounts.values()),
        "currency": sale.currency,
        "payload": Jsonb(payload),
        "consumers": list(CONSUMERS["order.paid"]),
        "facts": Jsonb(facts),
    }
