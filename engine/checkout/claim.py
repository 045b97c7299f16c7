"""Prepare and T1: everything scarce is claimed in one transaction, or nothing is. Each is one round trip.

Prepare reads the card, its checkout and all that its price rests on, with the versions of that. T1 writes session,
card, order, payment, holds and audit in one statement, if all of that is still the same; then each unit of stock and
use of a code is taken by a conditional update. Whoever was faster makes a statement fail, and T1 with it: it looks
again. A sale of units that are not there yet asks once more what can be promised, and writes who waits last.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final

from engine.carts import discounts
from engine.catalog.policy import CatalogPolicy
from engine.checkout import facts, pricing, quotas, taxing
from engine.checkout.errors import CheckoutBusy
from engine.checkout.facts import Facts
from engine.checkout.models import ConsentStatus, SessionStatus
from engine.checkout.pricing import Quote
from engine.checkout.sale import Card, Draft
from engine.checkout.states import CONSENT, OPEN_SESSIONS, SESSION
from engine.checkout.views import digest
from engine.inventory import direct as stock
from engine.kit import clock
from engine.kit.direct import Ask, Refused, Statement, document
from engine.kit.errors import NotFound
from engine.kit.faults import fault_point
from engine.kit.identity import Identity
from engine.kit.policies import read_policy
from engine.payments import tenders
from engine.runtime import Runtime

BUSY: Final = "The payment for this checkout is being made right now. Please wait a moment."
UNASKED: Final = "The price of {} cannot be confirmed right now. Nothing was charged. Please try again in a moment."
_TRIES: Final = 4
_GRACE: Final = timedelta(minutes=1)
"""A card that is pressed in its last second is still used."""

PREPARE: Final = Statement(f"""
SELECT k.id AS consent_id, k.status AS consent_status, k.digest, k.token_sealed, k.payment_id,
  k.expires_at AS good_until, k.owner_id,
  c.tenant_id, c.id, c.version, c.status, c.currency, c.lines, c.buyer, c.ship_to, c.fulfillment_option_id,
  c.ways, c.discount_codes, c.payment_method, c.tenders, c.thread_id, c.cart_id, c.expires_at, {facts.COLUMNS}
FROM app.consents k
JOIN app.checkout_sessions c ON c.tenant_id = k.tenant_id AND c.id = k.session_id {facts.SCOPE}
WHERE k.tenant_id = %(tenant)s AND k.id = %(consent)s AND k.owner_id = %(owner)s
""")  # noqa: S608 (our own)

CLAIM: Final = Statement(f"""
WITH same AS (
  SELECT c.id FROM app.checkout_sessions c {facts.SCOPE}
  WHERE c.tenant_id = %(tenant)s AND c.id = %(session_id)s AND {facts.STAMP} = %(stamp)s
), checkout AS (
  UPDATE app.checkout_sessions c SET status = 'complete_in_progress', version = version + 1 FROM same
  WHERE c.tenant_id = %(tenant)s AND c.id = %(session_id)s AND c.version = %(version)s AND c.status = %(status)s
  RETURNING c.id
), card AS (
  UPDATE app.consents k SET status = 'claimed', payment_id = %(payment)s FROM checkout
  WHERE k.tenant_id = %(tenant)s AND k.id = %(consent_id)s AND k.status = %(approved)s
  RETURNING k.id
), placed AS (
  INSERT INTO app.orders (tenant_id, id, number, session_id, owner_id, customer_id, thread_id, status, currency, totals,
    total, tax, tax_included, taxes, tax_engine, tax_calculation_id, shipping, shipping_tax, buyer, ship_to,
    fulfillment, routing, discount_codes, hold_reason, created_at, updated_at, version)
  SELECT %(tenant)s, %(order)s, %(prefix)s::text || nextval('app.order_numbers'), %(session_id)s, %(owner_id)s,
    %(customer_id)s, %(thread_id)s, 'pending_payment', %(currency)s, %(totals)s, %(total)s, %(tax)s,
    %(tax_included)s, %(taxes)s, %(tax_engine)s, %(tax_calculation_id)s, %(shipping)s, %(shipping_tax)s, %(buyer)s,
    %(ship_to)s, %(fulfillment)s, %(routing)s, %(discount_codes)s::text[], %(hold_reason)s,
    %(now)s, %(now)s, 1
  FROM card RETURNING number
), lines AS (
  INSERT INTO app.order_lines (tenant_id, id, order_id, position, product_id, variant_id, sku, title, options,
    unit_price, unit_cost, ordered, canceled, allocated, shipped, delivered, returned, discount, tax, tax_included,
    taxes, components, digital, way)
  SELECT %(tenant)s, l.id, %(order)s, l.position, l.product_id, l.variant_id, l.sku, l.title, l.options,
    l.unit_price, l.unit_cost, l.ordered, 0, l.allocated, 0, 0, 0, l.discount, l.tax, l.tax_included, l.taxes,
    l.components, l.digital, l.way
  FROM card, jsonb_to_recordset(%(lines)s) AS l(id text, position int, product_id text, variant_id text, sku text,
    title text, options jsonb, unit_price int, unit_cost int, ordered int, allocated int, discount int, tax int,
    tax_included boolean, taxes jsonb, components jsonb, digital boolean, way jsonb)
), paying AS (
  INSERT INTO app.payments (tenant_id, id, session_id, order_id, consent_id, token_hash, gateway, tender,
    capture_mode, amount, currency, method, status, lease_until, recovery_attempts, created_at)
  SELECT %(tenant)s, %(payment)s, %(session_id)s, %(order)s, %(consent_id)s, %(token_hash)s, %(gateway)s, 'card',
    %(capture_mode)s, %(due)s, %(currency)s, %(method)s, 'processing', %(lease_until)s, 0, %(now)s
  FROM card
), noted AS (
  INSERT INTO app.audit (tenant_id, at, request_id, actor, action, subject, facts)
  SELECT %(tenant)s, %(now)s, '', %(owner_id)s, 'payment.started', %(payment)s, %(facts)s FROM card
), held AS (
  INSERT INTO app.reservations (tenant_id, id, variant_id, location_id, quantity, per_unit, tracked, status, payment_id,
    order_line_id, created_at)
  SELECT %(tenant)s, h.id, h.variant_id, h.location_id, h.quantity, h.per_unit, h.tracked, 'held', %(payment)s,
    h.order_line_id, %(now)s
  FROM card, jsonb_to_recordset(%(holds)s) AS h(id text, variant_id text, location_id text, quantity int, per_unit int,
    tracked boolean, order_line_id text)
  RETURNING variant_id, location_id, quantity, tracked
), moved AS (
  INSERT INTO app.stock_movements (tenant_id, variant_id, location_id, kind, on_hand_delta, reserved_delta, subject, at)
  SELECT %(tenant)s, variant_id, location_id, 'reserve', 0, quantity, %(payment)s, %(now)s FROM held WHERE tracked
)
SELECT (SELECT number FROM placed) AS number, 1 / (SELECT count(*) FROM placed) AS whole
""")  # noqa: S608 (our own)

TAKE_STOCK: Final = Statement("""
WITH taken AS (
  UPDATE app.stock_levels SET reserved = reserved + %(quantity)s
  WHERE tenant_id = %(tenant)s AND variant_id = %(variant_id)s AND location_id = %(location_id)s
    AND on_hand - reserved - safety_stock >= %(quantity)s
  RETURNING variant_id)
SELECT 1 / count(*) AS whole FROM taken
""")


class Changed(Exception):
    """T1 ended without a trace: the world is not what was agreed to."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Prepared:
    """The card, and what its checkout's price rests on now."""

    card: Card
    known: Facts
    quote: Quote | None = None
    """What that comes to, where it is worked out already."""
    unasked: Sequence[str] = ()
    """Products that are not sold by what is known of them, and whose platform could not be asked."""


def prepare(runtime: Runtime, identity: Identity, consent_id: str) -> Prepared:
    """Everything T1 must know, in one read; a tax engine that has to be asked is asked here, before any transaction,
    and so is the platform of products of which we know nothing fresh. Raises ``NotFound`` for a card that is not the
    identity's own.
    """
    seen = _fresh(runtime, identity, consent_id)
    if not seen.known.tax_policy.elsewhere or seen.card.consent_status != ConsentStatus.APPROVED:
        return seen
    question = pricing.price(seen.card, seen.known).asks
    if question is None:
        return seen
    taxing.ask_about(runtime, identity.tenant_id, seen.card.id, question)
    return replace(_look(runtime, identity, consent_id), unasked=seen.unasked)


def _fresh(runtime: Runtime, identity: Identity, consent_id: str) -> Prepared:
    """What is known of the checkout; products that come from a platform are asked for there first, where that was too
    long ago. An ordinary sale asks nobody.
    """
    seen = _look(runtime, identity, consent_id)
    if runtime.platforms is None or seen.card.consent_status != ConsentStatus.APPROVED:
        return seen
    stale = seen.known.stale(clock.now())
    if not stale:
        return seen
    unasked = runtime.platforms.recheck(runtime, identity.tenant_id, stale)
    rule = read_policy(dict(seen.known.shop.settings), CatalogPolicy)
    return replace(_look(runtime, identity, consent_id), unasked=() if rule.platform_sells_unasked else unasked)


def _look(runtime: Runtime, identity: Identity, consent_id: str) -> Prepared:
    now = clock.now()
    values = {"consent": consent_id, "owner": identity.id, "tenant": identity.tenant_id, "today": now.date()}
    (rows,) = runtime.store.ask(identity.tenant_id, (PREPARE, values | {"moment": now}))
    if not rows:
        raise NotFound("There is no such confirmation.")
    card = Card.of(rows[0])
    known = facts.answer(card, rows[0])
    if facts.has_rest(card, known):
        with runtime.unit_of_work(identity.tenant_id) as session:
            known = facts.with_rest(session, card, known)
    return Prepared(card, known)


def claim(runtime: Runtime, identity: Identity, seen: Prepared, token: str | None, *, review: bool = False) -> Draft:
    """Claim what the card allows; with ``review`` a person looks at it before anything ships. Raises ``Changed``,
    ``CheckoutBusy``, and the driver's ``UniqueViolation`` when a payment for this session, card or token is under way.
    """
    for _ in range(_TRIES):
        quote = agreed(seen)
        draft = Draft.of(identity, seen.card, quote, token, clock.now(), review=review)
        fault_point("before_t1_commit")
        try:
            placed = runtime.store.ask(identity.tenant_id, *asks(seen, draft, quote))[0]
        except Refused:  # somebody was faster: look again
            seen = prepare(runtime, identity, seen.card.consent_id)
        else:
            draft.order["number"] = placed[0]["number"]
            return draft
    raise Changed("This order is being changed by too many at once, or parts of it have just sold out.")


def asks(seen: Prepared, draft: Draft, quote: Quote) -> list[Ask]:
    """The statements of T1. Stock comes last, and in its order: others wait for these rows."""
    card = seen.card
    holds = draft.holds(quote.plan.allocations if quote.plan else ())
    sale = draft.sale
    noted = {"amount": sale.amount, "currency": sale.currency, "consent": sale.consent_id, "order": sale.order_id}
    values = draft.values(f"{quote.shop.settings.get('order_prefix', 'IC')}-") | {
        "tenant": card.tenant_id,
        "today": draft.order["created_at"].date(),
        "moment": draft.order["created_at"],
        "stamp": seen.known.stamp,
        "version": card.version,
        "status": card.status,
        "approved": ConsentStatus.APPROVED,
        "facts": document(noted),
        "holds": document(holds.reservations),
    }
    return [
        (CLAIM, values),
        *((tenders.HOLD, row) for row in draft.tenders),
        *((TAKE_STOCK, {"tenant": card.tenant_id} | take) for take in holds.takes),
        *((discounts.USE, row) for row in draft.uses),
        *((discounts.STILL, row) for row in draft.uses),
        *((stock.TURN, {"key": stock.turn_of(card.tenant_id, row["variant_id"])}) for row in draft.waiting),
        *((stock.WAIT, row) for row in draft.waiting),
        *quotas.asks(
            seen.known.shop.settings,
            quote.lines,
            tenant_id=card.tenant_id,
            order_id=sale.order_id,
            moment=draft.order["created_at"],
        ),
    ]


def agreed(seen: Prepared) -> Quote:
    """Today's price, if it is what was agreed to."""
    card = seen.card
    _require_open(card)
    if seen.unasked:
        titles = {item["title"] for item in seen.known.items.values() if item["product_id"] in seen.unasked}
        raise Changed(UNASKED.format(", ".join(sorted(titles))))
    quote = seen.quote or pricing.price(card, seen.known)
    if quote.problems:
        raise Changed(" ".join(quote.problems))
    if quote.missing or digest(card, quote) != card.digest:
        raise Changed("The total or the details changed after the card was shown.")
    if card.cart_id and not (seen.known.cart and _fits(card, seen.known.cart)):
        raise Changed("The cart changed after the card was shown.")
    CONSENT.check(card.consent_status, ConsentStatus.CLAIMED)
    SESSION.check(_ready(card), SessionStatus.IN_PROGRESS)
    return quote


def _require_open(card: Card) -> None:
    if card.status == SessionStatus.IN_PROGRESS:
        raise CheckoutBusy(BUSY)
    if card.consent_status != ConsentStatus.APPROVED or card.status not in OPEN_SESSIONS:
        raise Changed("This checkout has ended or changed since the card was shown.")
    if card.good_until + _GRACE <= clock.now():
        raise Changed("The confirmation was given too long ago. Nothing was charged.")
    if card.expires_at <= clock.now():
        raise Changed("This checkout was open for too long.")


def _fits(card: Card, cart: Mapping[str, Any]) -> bool:
    """Whether the cart is open with what the checkout sells, and nothing else."""
    lines = {line["variant_id"]: line["quantity"] for line in card.lines}
    return cart["status"] == "open" and (cart["lines"] or {}) == lines and cart["discount_codes"] == card.discount_codes


def _ready(card: Card) -> SessionStatus:
    return SessionStatus.READY if card.status == SessionStatus.NOT_READY else card.status
