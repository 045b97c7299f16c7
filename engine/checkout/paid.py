"""T2 of a payment that succeeded: everything the money changes, in one statement and one round trip.

The session is completed, the order placed, the payment captured, its holds sold, its cart emptied, the journal and the
audit written and the consumers told, or nothing is. A payment that was only authorized does all of that but what needs
money: no capture is written and nothing posted.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from engine.checkout.models import SessionStatus
from engine.checkout.sale import Sale
from engine.finance import postings
from engine.inventory.models import ReservationStatus
from engine.kit import tracing
from engine.kit.direct import Ask, Refused, Row, Statement, document
from engine.kit.errors import Unavailable
from engine.kit.ids import new_id
from engine.kit.outbox import CONSUMERS
from engine.orders.models import OrderStatus
from engine.payments import tenders
from engine.payments.alerts import REVIEW_NEEDED, Action
from engine.payments.gateway import Charge, ChargeStatus
from engine.payments.models import PaymentStatus
from engine.payments.risk import REVIEW
from engine.runtime import Runtime

LIVE_RUN: Final = timedelta(seconds=5)
"""The conversation that pays tells its shopper itself; the outbox speaks when it could not."""

_TRIES: Final = 4
_STATES: Final = {
    "busy": SessionStatus.IN_PROGRESS,
    "pending": OrderStatus.PENDING_PAYMENT,
    "unsettled": [PaymentStatus.PROCESSING.value, PaymentStatus.UNKNOWN.value],
    "held": ReservationStatus.HELD,
    "open": "open",
}

SETTLE: Final = Statement("""
WITH due AS (
  SELECT FROM app.payments
  WHERE tenant_id = %(tenant)s AND id = %(payment)s AND status = ANY(%(unsettled)s)
), checkout AS (
  UPDATE app.checkout_sessions c SET status = 'completed', version = c.version + 1 FROM due
  WHERE c.tenant_id = %(tenant)s AND c.id = %(session)s AND c.status = %(busy)s
  RETURNING c.cart_id
), placed AS (
  UPDATE app.orders o SET status = CASE WHEN o.hold_reason IS NULL THEN 'open' ELSE 'on_hold' END,
    placed_at = %(now)s, updated_at = %(now)s, version = o.version + 1
  FROM checkout WHERE o.tenant_id = %(tenant)s AND o.id = %(order)s AND o.status = %(pending)s
  RETURNING o.id, o.owner_id
), paid AS (
  UPDATE app.payments p SET status = %(status)s, gateway_payment_id = %(gateway_id)s, settled_at = %(settled_at)s,
    authorized_at = %(authorized_at)s, authorization_expires_at = %(expires_at)s, lease_until = NULL
  FROM placed
  WHERE p.tenant_id = %(tenant)s AND p.id = %(payment)s AND p.status = ANY(%(unsettled)s)
  RETURNING p.id
), taken AS (
  INSERT INTO app.captures (tenant_id, id, payment_id, order_id, amount, tax, currency, status, final,
    gateway_capture_id, reason, attempts, created_at, settled_at)
  SELECT %(tenant)s, %(capture)s, %(payment)s, %(order)s, %(taken)s, %(tax)s, %(currency)s, 'succeeded', true,
    %(gateway_id)s, 'sale', 1, %(now)s, %(now)s
  FROM paid WHERE %(taken)s > 0
), sold AS (
  UPDATE app.reservations r SET status = 'committed' FROM paid
  WHERE r.tenant_id = %(tenant)s AND r.payment_id = %(payment)s AND r.status = %(held)s
), waits AS (
  UPDATE app.backorders b SET status = 'waiting' FROM paid
  WHERE b.tenant_id = %(tenant)s AND b.payment_id = %(payment)s AND b.status = %(held)s
), cart AS MATERIALIZED (
  SELECT c.id, c.updated_at FROM checkout JOIN app.carts c ON c.tenant_id = %(tenant)s AND c.id = checkout.cart_id
  WHERE c.status = %(open)s
), rest AS MATERIALIZED (
  SELECT l.variant_id, l.quantity - coalesce(b.quantity, 0) AS quantity
  FROM cart JOIN app.cart_lines l ON l.tenant_id = %(tenant)s AND l.cart_id = cart.id
  LEFT JOIN jsonb_to_recordset(%(bought)s) AS b(variant_id text, quantity int) ON b.variant_id = l.variant_id
), more AS MATERIALIZED (
  SELECT count(*) > 0 AS stays FROM rest WHERE quantity > 0
), emptied AS (
  UPDATE app.carts c SET status = CASE WHEN more.stays THEN c.status ELSE 'ordered' END,
    discount_codes = CASE WHEN more.stays THEN '{}' ELSE c.discount_codes END,
    updated_at = CASE WHEN more.stays THEN %(now)s ELSE c.updated_at END
  FROM cart, more WHERE c.tenant_id = %(tenant)s AND c.id = cart.id AND c.updated_at = cart.updated_at
  RETURNING c.id, more.stays
), kept AS (
  UPDATE app.cart_lines l SET quantity = rest.quantity FROM emptied, rest
  WHERE emptied.stays AND l.tenant_id = %(tenant)s AND l.cart_id = emptied.id AND l.variant_id = rest.variant_id
    AND rest.quantity > 0
), gone AS (
  DELETE FROM app.cart_lines l USING emptied, rest
  WHERE emptied.stays AND l.tenant_id = %(tenant)s AND l.cart_id = emptied.id AND l.variant_id = rest.variant_id
    AND rest.quantity <= 0
), entry AS (
  INSERT INTO app.journal_entries (tenant_id, id, kind, subject, order_id, occurred_at, posted_at)
  SELECT %(tenant)s, %(entry)s, 'capture', %(payment)s, %(order)s, %(now)s, %(now)s
  FROM paid WHERE %(taken)s > 0
  RETURNING id
), posted AS (
  INSERT INTO app.postings (tenant_id, entry_id, line, account, amount, currency)
  SELECT %(tenant)s, entry.id, line.number, line.account, line.amount, %(currency)s
  FROM entry, unnest(%(accounts)s::text[], %(amounts)s::bigint[]) WITH ORDINALITY AS line(account, amount, number)
), told AS (
  INSERT INTO app.outbox (tenant_id, consumer, topic, subject_id, payload, created_at, available_at, attempts)
  SELECT %(tenant)s, consumer, 'order.paid', %(order)s, %(payload)s, %(now)s,
    CASE WHEN consumer = 'acp' THEN %(now)s ELSE %(tell_at)s END, 0
  FROM paid, placed, unnest(%(consumers)s::text[]) AS consumer
  WHERE (consumer <> 'acp' OR starts_with(placed.owner_id, 'agp_')) AND (consumer <> 'pipeline' OR EXISTS (
    SELECT FROM app.sync_pipeline p WHERE p.tenant_id = %(tenant)s AND p.active AND p.is_on))
), noted AS (
  INSERT INTO app.audit (tenant_id, at, request_id, actor, action, subject, facts)
  SELECT %(tenant)s, %(now)s, '', 'system', %(action)s, %(payment)s, %(facts)s FROM paid
), asked AS (
  INSERT INTO app.alerts (tenant_id, id, kind, subject, detail, action, facts, created_at)
  SELECT %(tenant)s, %(alert)s, %(review)s::text, %(order)s, %(review_words)s, %(decide)s, '{}', %(now)s
  FROM paid WHERE %(review)s::text IS NOT NULL
  ON CONFLICT DO NOTHING
), answered AS (
  UPDATE app.alerts a SET resolved_at = %(now)s FROM paid
  WHERE a.tenant_id = %(tenant)s AND a.kind = 'payment_unknown' AND a.subject = %(payment)s AND a.resolved_at IS NULL
)
SELECT (SELECT count(*) FROM paid) AS paid,
  1 / CASE WHEN (SELECT count(*) FROM paid) = (SELECT count(*) FROM checkout)
    AND (SELECT count(*) FROM emptied) = (SELECT count(*) FROM cart)
    AND (EXISTS (SELECT FROM paid) OR NOT %(must)s) THEN 1 ELSE 0 END AS whole
""")
"""All of it or nothing: a payment that has ended is no longer due, and a cart or a payment that changes while this runs
makes the last line divide by zero, as a payment that has ended does where something rests on it (``must``). The states
to be left are values, so that no partial index on them is taken for the way to one row.
"""


class Written(NamedTuple):
    """What became of a settlement."""

    paid: bool
    """``False`` for a payment that had ended before."""
    told: bool
    """Whether what was to be written beside it was."""


def settle_paid(
    runtime: Runtime,
    sale: Sale,
    charge: Charge,
    now: datetime,
    meanwhile: Callable[[], None],
    *,
    beside: Ask | None = None,
) -> Written:
    """Write that the money came in or is held, and do ``meanwhile`` while the database does. ``beside`` is written with
    it, or neither is; where that cannot be, the money is settled without it.
    """
    settled = values(sale, charge, now)
    for _ in range(_TRIES):
        asks = [(SETTLE, settled | {"must": beside is not None})]
        asks += [(tenders.TAKE, row) for row in _parts(sale, settled)]
        try:
            with runtime.store.asking(sale.tenant_id, *asks, *([beside] if beside else [])) as answers:
                meanwhile()
        except Refused:  # something was put into the cart at this moment, or somebody ended it: once more
            beside = None
            continue
        ((done,), *_) = answers.rows()
        return Written(bool(done["paid"]), beside is not None)
    raise Unavailable("The payment cannot be settled at this moment.")


def values(sale: Sale, charge: Charge, now: datetime) -> Row:
    """What ``SETTLE`` writes."""
    tax = sale.taxes()[0] if sale.parts else sale.tax
    amounts = postings.capture(sale.amount, tax)
    payload = {"thread_id": sale.thread_id, "consent_id": sale.consent_id, "payment_id": sale.payment_id}
    held = charge.status == ChargeStatus.AUTHORIZED
    status = PaymentStatus.AUTHORIZED if held else PaymentStatus.CAPTURED
    facts = {"amount": sale.amount, "currency": sale.currency, "order": sale.order_id}
    if sale.hold_reason:
        facts["held"] = sale.hold_reason
    return _STATES | {
        "tenant": sale.tenant_id,
        "session": sale.session_id,
        "order": sale.order_id,
        "payment": sale.payment_id,
        "gateway_id": charge.gateway_id,
        "now": now,
        "tell_at": now + LIVE_RUN,
        "bought": document(sale.bought),
        "status": status.value,
        "settled_at": None if held else now,
        "authorized_at": now if held else None,
        "expires_at": charge.expires_at if held else None,
        "action": f"payment.{status}",
        "taken": 0 if held else sale.amount,
        "tax": tax,
        "capture": new_id("capture"),
        "entry": new_id("entry"),
        "accounts": [str(account) for account in amounts],
        "amounts": list(amounts.values()),
        "currency": sale.currency,
        "payload": document(tracing.carried(payload)),
        "consumers": list(CONSUMERS["order.paid"]),
        "facts": document(facts),
        "alert": new_id("alert"),
        "review": REVIEW_NEEDED if sale.hold_reason == REVIEW else None,
        "review_words": "An order waits for a person to look at it: let it go on, or cancel it.",
        "decide": Action.DECIDE_ORDER.value,
    }


def _parts(sale: Sale, settled: Row) -> list[Row]:
    """What ``TAKE`` writes of each part that stored value pays: it is taken, or stays held, as the lead is."""
    held = settled["status"] == PaymentStatus.AUTHORIZED
    same = {
        key: settled[key] for key in ("tenant", "order", "now", "settled_at", "authorized_at", "currency", "action")
    }
    rows = []
    for part, tax in zip(sale.parts, sale.taxes()[1:], strict=True):
        kind: postings.StoredValue = "gift_card" if part.tender.startswith("gift_card:") else "store_credit"
        amounts = postings.stored_value_used(kind, part.amount, tax)
        more = {
            "lead": sale.payment_id,
            "payment": part.payment_id,
            "taken": 0 if held else part.amount,
            "tax": tax,
            "capture": new_id("capture"),
            "entry": new_id("entry"),
            "accounts": [str(account) for account in amounts],
            "amounts": list(amounts.values()),
            "facts": document({"amount": part.amount, "currency": sale.currency, "order": sale.order_id}),
        }
        rows.append(same | more)
    return rows
