"""A sale on its way through the money path: the card it rests on, what is written of it, what is known of it after."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from engine.checkout import ways
from engine.checkout.models import ConsentStatus, SessionStatus
from engine.checkout.pricing import PricedLine, Quote, Tender
from engine.inventory import direct as stock
from engine.inventory.backorders import snapshot
from engine.inventory.service import Allocation
from engine.kit.direct import Row, Statement, document
from engine.kit.errors import NotFound
from engine.kit.identity import Identity
from engine.kit.ids import new_id
from engine.kit.money import allocate
from engine.kit.shown import as_shown
from engine.kit.tenancy import hash_secret
from engine.orders.models import Order, OrderLine, OrderStatus
from engine.payments.gateway import Charge, ChargeStatus
from engine.payments.models import STORED_VALUE, CaptureMode, Payment, PaymentStatus
from engine.payments.risk import REVIEW
from engine.runtime import Runtime

LEASE: Final = timedelta(seconds=20)
"""Longer than the gateway's time-out: while it runs, only this request may settle the payment."""
_ORDER_VALUES: Final = (
    *("session_id", "owner_id", "customer_id", "thread_id", "currency"),
    *("total", "tax", "tax_included", "shipping", "shipping_tax", "discount_codes", "hold_reason"),
    *("tax_engine", "tax_calculation_id"),
)
_ORDER_DOCUMENTS: Final = ("totals", "taxes", "buyer", "ship_to", "fulfillment", "routing")


@dataclass(frozen=True, slots=True)
class Card:
    """A consent and the checkout it was given for, as they were at one moment."""

    consent_id: str
    consent_status: ConsentStatus
    digest: str
    token_sealed: bytes | None
    payment_id: str | None
    good_until: datetime
    owner_id: str
    tenant_id: str
    id: str
    """The checkout's, as are all that follow."""
    version: int
    status: SessionStatus
    currency: str
    lines: list[Any]
    buyer: dict[str, Any]
    ship_to: dict[str, Any] | None
    fulfillment_option_id: str | None
    ways: dict[str, Any]
    discount_codes: list[str]
    payment_method: dict[str, Any] | None
    tenders: list[Any]
    thread_id: str | None
    cart_id: str | None
    expires_at: datetime

    @classmethod
    def of(cls, row: Row) -> Card:
        return cls(**{name: row[name] for name in cls.__slots__})

    @property
    def gateway(self) -> str:
        """Who is asked for what is due; nobody is where stored value pays all of it."""
        return str((self.payment_method or {}).get("gateway", STORED_VALUE))


@dataclass(frozen=True, slots=True)
class Part:
    """What stored value pays of a sale: its payment."""

    payment_id: str
    tender: str
    amount: int


@dataclass(frozen=True, slots=True)
class Sale:
    """What T1 committed: enough to ask for the money and to settle without another look at the database."""

    tenant_id: str
    payment_id: str
    order_id: str
    session_id: str
    consent_id: str | None
    thread_id: str | None
    gateway: str
    amount: int
    tax: int
    currency: str
    bought: list[Any]
    """[{variant_id, quantity}]: what leaves the cart."""
    capture_mode: CaptureMode
    hold_reason: str | None
    """Why the order is on hold as soon as it is placed."""
    parts: tuple[Part, ...] = ()
    """By payment; ``amount`` is what the lead payment takes beside them."""

    def taxes(self) -> list[int]:
        """The tax within the lead payment, and within each part."""
        return allocate(self.tax, [self.amount, *(part.amount for part in self.parts)])


@dataclass(frozen=True, slots=True)
class Draft:
    """The rows of a sale, by column."""

    sale: Sale
    order: Row
    lines: Sequence[Row]
    payment: Row
    waiting: Sequence[Row] = ()
    """The backorders, by variant."""
    tenders: Sequence[Row] = ()
    """What is held of stored value, by account."""
    uses: Sequence[Row] = ()
    """The uses of promotions, by promotion."""

    @classmethod
    def of(
        cls, identity: Identity, card: Card, quote: Quote, token: str | None, now: datetime, *, review: bool = False
    ) -> Draft:
        """What ``review`` says a person has to look at is on hold when it is placed."""
        order = _order(identity, card, quote, now) | {"hold_reason": REVIEW if review else None}
        goes = _goes(quote)
        lines = [_line(card, order["id"], number, one) | goes(one.variant_id) for number, one in enumerate(quote.lines)]
        payment = _payment(card, quote, order["id"], token, now) | {"capture_mode": _mode(quote, review=review)}
        tenders = [_tender(one, payment) for one in sorted(quote.tenders, key=lambda one: one.purse.account_id)]
        parts = [Part(row["payment"], row["tender"], row["amount"]) for row in tenders]
        sale = Sale(
            tenant_id=card.tenant_id,
            payment_id=payment["id"],
            order_id=order["id"],
            session_id=card.id,
            consent_id=card.consent_id,
            thread_id=card.thread_id,
            gateway=card.gateway,
            amount=quote.due,
            tax=quote.tax,
            currency=card.currency,
            bought=card.lines,
            capture_mode=payment["capture_mode"],
            hold_reason=order["hold_reason"],
            parts=tuple(sorted(parts, key=lambda part: part.payment_id)),
        )
        waiting = [_waiting(one, row, payment) for one, row in zip(quote.lines, lines, strict=True) if one.later]
        waiting = sorted(waiting, key=lambda row: str(row["variant_id"]))
        return cls(sale, order, lines, payment, waiting, tenders, _uses(order, quote))

    def holds(self, allocations: Sequence[Allocation]) -> stock.Plan:
        """The reservations of what the lines are allocated, and what is taken for them."""
        return stock.plan(allocations, {line["variant_id"]: line["id"] for line in self.lines})

    def values(self, prefix: str) -> Row:
        """What T1 writes, as the driver takes it; the order's number is ``prefix`` and the next one free."""
        order, payment = self.order, self.payment
        return {
            "prefix": prefix,
            "due": payment["amount"],
            "order": order["id"],
            "payment": payment["id"],
            **{key: order[key] for key in _ORDER_VALUES},
            **{key: _document(order[key]) for key in _ORDER_DOCUMENTS},
            **{key: payment[key] for key in ("consent_id", "token_hash", "gateway", "lease_until")},
            "capture_mode": payment["capture_mode"].value,
            "method": _document(payment["method"]),
            "lines": document(list(self.lines)),
            "now": order["created_at"],
        }

    def paid(self, now: datetime, charge: Charge) -> tuple[Order, list[OrderLine], Payment]:
        """The rows as they are once T2 has committed: to be looked at, not to be written."""
        status = OrderStatus.ON_HOLD if self.order["hold_reason"] else OrderStatus.OPEN
        order = self.order | {"status": status, "placed_at": now, "updated_at": now}
        held = charge.status == ChargeStatus.AUTHORIZED
        ended = {"status": PaymentStatus.AUTHORIZED if held else PaymentStatus.CAPTURED, "settled_at": now}
        payment = self.payment | ended
        return as_shown(Order, order), [as_shown(OrderLine, line) for line in self.lines], as_shown(Payment, payment)


def _order(identity: Identity, card: Card, quote: Quote, now: datetime) -> Row:
    return {
        "tenant_id": card.tenant_id,
        "id": new_id("order"),
        "session_id": card.id,
        "owner_id": card.owner_id,
        "customer_id": identity.customer_id,
        "thread_id": card.thread_id,
        "status": OrderStatus.PENDING_PAYMENT,
        "currency": card.currency,
        "totals": quote.totals(),
        "total": quote.total,
        "tax": quote.tax,
        "tax_included": quote.tax_included,
        "taxes": list(quote.taxes),
        "tax_engine": quote.tax_source.value,
        "tax_calculation_id": quote.tax_calculation_id,
        "shipping": quote.shipping,
        "shipping_tax": quote.shipping_tax,
        "buyer": card.buyer,
        "ship_to": quote.goes_to,
        "fulfillment": asdict(quote.selected) if quote.selected else {},
        "routing": quote.plan.reasons if quote.plan else None,
        "discount_codes": list(card.discount_codes),
        "created_at": now,
    }


def _line(card: Card, order_id: str, position: int, line: PricedLine) -> Row:
    return {
        "tenant_id": card.tenant_id,
        "id": new_id("order_line"),
        "order_id": order_id,
        "position": position,
        "product_id": line.product_id,
        "variant_id": line.variant_id,
        "sku": line.sku,
        "title": line.title,
        "options": line.options,
        "unit_price": line.unit_price,
        "unit_cost": line.unit_cost,
        "ordered": line.quantity,
        "canceled": 0,
        "allocated": line.now,
        "released": 0,
        "shipped": 0,
        "delivered": 0,
        "returned": 0,
        "discount": line.discount,
        "tax": line.tax,
        "tax_included": line.tax_included,
        "taxes": list(line.taxes),
        "components": line.components,
    }


def _goes(quote: Quote) -> Callable[[str], Row]:
    """What a line keeps of its way."""
    digital, kept = quote.digital, ways.kept(quote.ways, quote.selected)
    return lambda variant_id: {"digital": variant_id in digital, "way": kept.get(variant_id)}


def _uses(order: Row, quote: Quote) -> list[Row]:
    rows = [
        {
            "tenant": order["tenant_id"],
            "discount": one.discount_id,
            "order": order["id"],
            "amount": one.amount,
            "shipping": one.shipping,
            "currency": order["currency"],
            "now": order["created_at"],
        }
        for one in quote.promotions
    ]
    return sorted(rows, key=lambda row: str(row["discount"]))


def _waiting(line: PricedLine, row: Row, payment: Row) -> Row:
    promise = line.promise
    assert promise is not None
    return {
        "tenant": row["tenant_id"],
        "id": new_id("backorder"),
        "order_id": row["order_id"],
        "order_line_id": row["id"],
        "variant_id": line.variant_id,
        "quantity": line.later,
        "kind": promise.backorder_kind.value,
        "promised_on": promise.promised_on,
        "payment_id": payment["id"],
        "components": document(snapshot(line.parts)),
        "created_at": payment["created_at"],
    }


def _mode(quote: Quote, *, review: bool) -> CaptureMode:
    """Money is taken when the goods can leave: nothing is taken yet for units to come, or while a person looks."""
    wait = quote.due > 0 and (quote.ships_later or review)
    return CaptureMode.AT_RELEASE if wait else CaptureMode.NOW


def _payment(card: Card, quote: Quote, order_id: str, token: str | None, now: datetime) -> Row:
    method = card.payment_method or {}
    return {
        "tenant_id": card.tenant_id,
        "id": new_id("payment"),
        "session_id": card.id,
        "order_id": order_id,
        "consent_id": card.consent_id,
        "token_hash": hash_secret(token) if token else None,
        "gateway": card.gateway,
        "amount": quote.due,
        "currency": card.currency,
        "method": {key: method[key] for key in ("brand", "last4", "label") if key in method},
        "status": PaymentStatus.PROCESSING,
        "lease_until": now + LEASE,
        "created_at": now,
    }


def _tender(one: Tender, lead: Row) -> Row:
    purse = one.purse
    return {
        "tenant": lead["tenant_id"],
        "account": purse.account_id,
        "payment": new_id("payment"),
        "session": lead["session_id"],
        "order": lead["order_id"],
        "consent": lead["consent_id"],
        "tender": purse.tender,
        "capture_mode": lead["capture_mode"].value,
        "amount": one.amount,
        "currency": lead["currency"],
        "method": document({"brand": purse.kind.value, "last4": purse.last4, "label": purse.label}),
        "now": lead["created_at"],
    }


def _document(value: Any) -> Any:
    return None if value is None else document(value)


SALE: Final = Statement("""
SELECT p.tenant_id, p.id AS payment_id, p.order_id, p.session_id, p.consent_id, c.thread_id, p.gateway, p.amount, o.tax,
  p.currency, c.lines AS bought, p.capture_mode, o.hold_reason, (
    SELECT json_agg(json_build_object('payment_id', s.id, 'tender', s.tender, 'amount', s.amount) ORDER BY s.id)
    FROM app.payments s WHERE s.tenant_id = p.tenant_id AND s.order_id = p.order_id AND s.session_id = p.session_id
      AND s.stored_value_id IS NOT NULL) AS parts
FROM app.payments p JOIN app.orders o ON o.tenant_id = p.tenant_id AND o.id = p.order_id
JOIN app.checkout_sessions c ON c.tenant_id = p.tenant_id AND c.id = p.session_id
WHERE p.tenant_id = %(tenant)s AND p.id = %(payment)s
""")


def sale_of(runtime: Runtime, tenant_id: str, payment_id: str) -> Sale:
    """The sale of a payment, read from its rows. Raises ``NotFound``."""
    (rows,) = runtime.store.ask(tenant_id, (SALE, {"tenant": tenant_id, "payment": payment_id}))
    if not rows:
        raise NotFound("There is no such payment.")
    parts = tuple(Part(**part) for part in rows[0]["parts"] or ())
    return Sale(**(rows[0] | {"parts": parts}))
