"""T1: everything scarce is claimed in one transaction, or nothing is. Two round trips and the commit.

What was agreed to is read again with its price and compared with the card; then one statement writes session, card,
order, payment, holds and audit, and each unit of stock and use of a code is taken by a conditional update of its own.
Whoever changed a row meanwhile leaves that statement without its row: nothing is written, and it begins anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from psycopg.types.json import Jsonb

from engine.checkout import facts, pricing
from engine.checkout.errors import CheckoutBusy
from engine.checkout.facts import Shop
from engine.checkout.models import ConsentStatus, SessionStatus
from engine.checkout.pricing import Quote
from engine.checkout.sale import Card, Draft
from engine.checkout.states import CONSENT, OPEN_SESSIONS, SESSION
from engine.checkout.views import digest
from engine.inventory import service as inventory
from engine.inventory.errors import OutOfStock
from engine.kit import clock
from engine.kit.direct import Direct, Row
from engine.kit.errors import NotFound
from engine.kit.faults import fault_point
from engine.kit.identity import Identity
from engine.runtime import Runtime

BUSY: Final = "The payment for this checkout is being made right now. Please wait a moment."
_TRIES: Final = 4

CARD: Final = """
SELECT k.id AS consent_id, k.status AS consent_status, k.digest, k.token_sealed, k.payment_id, k.owner_id,
  c.tenant_id, c.id, c.version, c.status, c.currency, c.lines, c.buyer, c.ship_to, c.fulfillment_option_id,
  c.discount_codes, c.payment_method, c.thread_id, c.cart_id, c.expires_at
FROM app.consents k JOIN app.checkout_sessions c ON c.tenant_id = k.tenant_id AND c.id = k.session_id
WHERE k.tenant_id = %(tenant)s AND k.id = %(consent)s AND k.owner_id = %(owner)s
"""

CART: Final = """
SELECT c.status, c.discount_codes, (SELECT json_object_agg(l.variant_id, l.quantity) FROM app.cart_lines l
  WHERE l.tenant_id = c.tenant_id AND l.cart_id = c.id) AS lines
FROM app.carts c WHERE c.tenant_id = %(tenant)s AND c.id = %(cart)s
"""

CLAIM: Final = """
WITH checkout AS (
  UPDATE app.checkout_sessions SET status = 'complete_in_progress', version = version + 1
  WHERE tenant_id = %(tenant)s AND id = %(session_id)s AND version = %(version)s AND status = %(status)s
  RETURNING id
), card AS (
  UPDATE app.consents k SET status = 'claimed', payment_id = %(payment)s FROM checkout
  WHERE k.tenant_id = %(tenant)s AND k.id = %(consent_id)s AND k.status = 'approved'
  RETURNING k.id
), placed AS (
  INSERT INTO app.orders (tenant_id, id, number, session_id, owner_id, customer_id, thread_id, status, currency, totals,
    total, tax, shipping, shipping_tax, buyer, ship_to, fulfillment, discount_codes, created_at, updated_at, version)
  SELECT %(tenant)s, %(order)s, %(prefix)s::text || nextval('app.order_numbers'), %(session_id)s, %(owner_id)s,
    %(customer_id)s, %(thread_id)s, 'pending_payment', %(currency)s, %(totals)s, %(total)s, %(tax)s, %(shipping)s,
    %(shipping_tax)s, %(buyer)s, %(ship_to)s, %(fulfillment)s, %(discount_codes)s::text[], %(now)s, %(now)s, 1
  FROM card RETURNING number
), lines AS (
  INSERT INTO app.order_lines (tenant_id, id, order_id, position, product_id, variant_id, sku, title, options,
    unit_price, unit_cost, ordered, canceled, allocated, shipped, delivered, returned, discount, tax)
  SELECT %(tenant)s, l.id, %(order)s, l.position, l.product_id, l.variant_id, l.sku, l.title, l.options,
    l.unit_price, l.unit_cost, l.ordered, 0, l.allocated, 0, 0, 0, l.discount, l.tax
  FROM card, jsonb_to_recordset(%(lines)s) AS l(id text, position int, product_id text, variant_id text, sku text,
    title text, options jsonb, unit_price int, unit_cost int, ordered int, allocated int, discount int, tax int)
), paying AS (
  INSERT INTO app.payments (tenant_id, id, session_id, order_id, consent_id, token_hash, gateway, tender,
    capture_mode, amount, currency, method, status, lease_until, recovery_attempts, created_at)
  SELECT %(tenant)s, %(payment)s, %(session_id)s, %(order)s, %(consent_id)s, %(token_hash)s, %(gateway)s, 'card',
    'now', %(total)s, %(currency)s, %(method)s, 'processing', %(lease_until)s, 0, %(now)s
  FROM card
), noted AS (
  INSERT INTO app.audit (tenant_id, at, request_id, actor, action, subject, facts)
  SELECT %(tenant)s, %(now)s, '', %(owner_id)s, 'payment.started', %(payment)s, %(facts)s FROM card
), held AS (
  INSERT INTO app.reservations (tenant_id, id, variant_id, location_id, quantity, status, payment_id, order_line_id,
    created_at)
  SELECT %(tenant)s, h.id, h.variant_id, h.location_id, h.quantity, 'held', %(payment)s, h.order_line_id, %(now)s
  FROM card, jsonb_to_recordset(%(holds)s) AS h(id text, variant_id text, location_id text, quantity int,
    order_line_id text)
  RETURNING variant_id, location_id, quantity
), moved AS (
  INSERT INTO app.stock_movements (tenant_id, variant_id, location_id, kind, on_hand_delta, reserved_delta, subject, at)
  SELECT %(tenant)s, variant_id, location_id, 'reserve', 0, quantity, %(payment)s, %(now)s FROM held
)
SELECT number FROM placed
"""

TAKE_STOCK: Final = """
UPDATE app.stock_levels SET reserved = reserved + %(quantity)s
WHERE tenant_id = %(tenant)s AND variant_id = %(variant_id)s AND location_id = %(location_id)s
  AND on_hand - reserved - safety_stock >= %(quantity)s
RETURNING variant_id
"""

USE_CODE: Final = """
UPDATE app.discounts SET used = used + 1
WHERE tenant_id = %(tenant)s AND code = %(code)s AND (usage_limit IS NULL OR used < usage_limit)
RETURNING code
"""


class Changed(Exception):
    """T1 ended without a trace: the world is not what was agreed to."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class _Lost(Exception):
    """Somebody else changed a row between our look and our write."""


def card_of(direct: Direct, identity: Identity, consent_id: str) -> Card:
    """The identity's own card. Raises ``NotFound`` for any other."""
    values = {"tenant": identity.tenant_id, "consent": consent_id, "owner": identity.id}
    row = direct.one(CARD, values)
    if row is None:
        raise NotFound("There is no such confirmation.")
    return Card(**row)


def claim(runtime: Runtime, identity: Identity, card: Card, token: str | None) -> Draft:
    """Claim what ``card`` allows. Raises ``Changed``, ``CheckoutBusy``, and the driver's ``UniqueViolation`` when a
    payment for this session, card or token is under way.
    """
    for _ in range(_TRIES):
        try:
            with runtime.store.direct(identity.tenant_id) as direct:
                draft = _claim(direct, identity, card, token)
                fault_point("before_t1_commit")
                return draft
        except (_Lost, OutOfStock):
            with runtime.store.direct(identity.tenant_id) as direct:
                card = card_of(direct, identity, card.consent_id)
    raise CheckoutBusy(BUSY)


def _claim(direct: Direct, identity: Identity, card: Card, token: str | None) -> Draft:
    _require_open(card)
    cart = {"tenant": card.tenant_id, "cart": card.cart_id}
    (found,), carts = direct.ask((facts.READ, facts.question(card)), (CART, cart))
    quote = pricing.price(card, facts.answer(card, found))
    _require_agreed(card, quote, carts)
    CONSENT.check(card.consent_status, ConsentStatus.CLAIMED)
    SESSION.check(_ready(card), SessionStatus.IN_PROGRESS)
    draft = Draft.of(identity, card, quote, token, clock.now())
    region = (card.ship_to or {}).get("state", "")
    wanted = {line.variant_id: line.quantity for line in quote.lines}
    holds = draft.holds(inventory.route(wanted, quote.stock, region=region))
    placed, *taken = direct.ask(
        (CLAIM, _values(card, draft, quote.shop, holds)),
        *((TAKE_STOCK, {"tenant": card.tenant_id} | hold) for hold in holds),
        *((USE_CODE, {"tenant": card.tenant_id, "code": code}) for code in sorted(set(card.discount_codes))),
    )
    if not placed or not all(taken):
        raise _Lost
    draft.order["number"] = placed[0]["number"]
    return draft


def _values(card: Card, draft: Draft, shop: Shop, holds: list[Row]) -> Row:
    sale = draft.sale
    noted = {"amount": sale.amount, "currency": sale.currency, "consent": sale.consent_id, "order": sale.order_id}
    own = {"tenant": card.tenant_id, "version": card.version, "status": card.status}
    prefix = f"{shop.settings.get('order_prefix', 'IC')}-"
    return draft.values(prefix) | own | {"facts": Jsonb(noted), "holds": Jsonb(holds)}


def _require_open(card: Card) -> None:
    if card.status == SessionStatus.IN_PROGRESS:
        raise CheckoutBusy(BUSY)
    if card.consent_status != ConsentStatus.APPROVED or card.status not in OPEN_SESSIONS:
        raise Changed("This checkout has ended or changed since the card was shown.")
    if card.expires_at <= clock.now():
        raise Changed("This checkout was open for too long.")


def _require_agreed(card: Card, quote: Quote, carts: Sequence[Row]) -> None:
    if quote.problems:
        raise Changed(" ".join(quote.problems))
    if quote.missing or digest(card, quote) != card.digest:
        raise Changed("The total or the details changed after the card was shown.")
    if card.cart_id and not any(_fits(card, cart) for cart in carts):
        raise Changed("The cart changed after the card was shown.")


def _fits(card: Card, cart: Row) -> bool:
    """Whether the cart is open with what the checkout sells, and nothing else."""
    lines = {line["variant_id"]: line["quantity"] for line in card.lines}
    same = (cart["lines"] or {}) == lines and cart["discount_codes"] == card.discount_codes
    return bool(cart["status"] == "open" and same)


def _ready(card: Card) -> SessionStatus:
    return SessionStatus.READY if card.status == SessionStatus.NOT_READY else card.status
