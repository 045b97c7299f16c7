"""A session and its quote as the shopper may see them, and the digest that binds a consent to them."""

from __future__ import annotations

import hashlib
from typing import Any

from engine.checkout.delivery import Way
from engine.checkout.facts import Basket
from engine.checkout.models import CheckoutSession, SessionStatus
from engine.checkout.pricing import PricedLine, Quote
from engine.checkout.schemas import (
    AddressView,
    BuyerView,
    CheckoutLineView,
    CheckoutView,
    ConfirmationSummary,
    FulfillmentOptionView,
    PaymentMethodView,
    TenderView,
    TotalView,
    WayView,
)
from engine.kit.idempotency import canonical_json
from engine.kit.views import Price
from engine.shipping.service import Option

_PAYABLE = {SessionStatus.NOT_READY, SessionStatus.READY}


def checkout_view(checkout: CheckoutSession, quote: Quote) -> CheckoutView:
    """The session with its present price."""
    currency = checkout.currency
    status = checkout.status
    if status in _PAYABLE:
        status = SessionStatus.NOT_READY if quote.problems or quote.missing else SessionStatus.READY
    method = checkout.payment_method
    return CheckoutView(
        id=checkout.id,
        status=status,
        currency=currency,
        lines=[line_view(line, currency) for line in quote.lines],
        totals=[TotalView(**row) for row in quote.totals()],
        total=Price(amount=quote.total, currency=currency),
        buyer=BuyerView(**checkout.buyer),
        ship_to=_partial_address(checkout.ship_to),
        fulfillment_options=[option_view(option, quote.selected) for option in quote.options],
        ways=way_views(quote),
        payment_method=method_view(method) if method else None,
        tenders=tender_views(quote),
        due=Price(amount=quote.due, currency=currency),
        discount_codes=list(checkout.discount_codes),
        missing=list(quote.missing),
        problems=list(quote.problems),
        notices=list(quote.notices),
        expires_at=checkout.expires_at,
    )


def confirmation_summary(checkout: CheckoutSession, quote: Quote) -> ConfirmationSummary:
    """Everything the human agrees to. The session must be complete: missing parts raise ``AssertionError``."""
    assert quote.selected is not None
    currency = checkout.currency
    method = None if quote.tenders and not quote.due else checkout.payment_method
    return ConfirmationSummary(
        session_id=checkout.id,
        lines=[line_view(line, currency) for line in quote.lines],
        totals=[TotalView(**row) for row in quote.totals()],
        total=Price(amount=quote.total, currency=currency),
        ship_to=AddressView(**quote.goes_to) if quote.goes_to else None,
        fulfillment=option_view(quote.selected, quote.selected),
        ways=way_views(quote),
        payment_method=method_view(method) if method else None,
        buyer=BuyerView(**checkout.buyer),
        merchant=quote.shop.name,
        digest=digest(checkout, quote),
        tenders=tender_views(quote),
        due=Price(amount=quote.due, currency=currency) if quote.tenders else None,
    )


def tender_views(quote: Quote) -> list[TenderView]:
    return [TenderView(label=one.purse.label, amount=one.amount) for one in quote.tenders]


def way_views(quote: Quote) -> list[WayView]:
    """Where there are several."""
    told = [
        WayView(option=option_view(way.option, way.option), variant_ids=list(way.variant_ids))
        for way in quote.ways
        if way.option
    ]
    return told if len(told) > 1 else []


def digest(checkout: Basket, quote: Quote) -> str:
    """SHA-256 over what a consent binds: tenant, session, merchant, currency, lines, totals, way of shipping,
    recipient, methods and what is promised for later.
    """
    method = checkout.payment_method or {}
    bound: dict[str, Any] = {
        "tenant": checkout.tenant_id,
        "session": checkout.id,
        "merchant": quote.shop.name,
        "currency": checkout.currency,
        "lines": [[line.variant_id, line.quantity, line.unit_price, line.discount, line.tax] for line in quote.lines],
        "totals": [[row["type"], row["amount"]] for row in quote.totals()],
        "fulfillment": quote.selected.id if quote.selected else None,
        "ship_to": quote.goes_to,
        "email": checkout.buyer.get("email"),
        "method": [method.get("gateway"), method.get("ref")],
    }
    if method.get("keep"):
        bound["keep"] = True
    if promised := [_promised(line) for line in quote.lines if line.later]:
        bound["promised"] = promised
    if quote.ways:
        bound["ways"] = [_bound(way) for way in quote.ways]
    if quote.tax_included:
        bound["tax_included"] = True
    if quote.tenders:
        bound["tenders"] = [[one.purse.account_id, one.amount] for one in quote.tenders]
    return hashlib.sha256(canonical_json(bound)).hexdigest()


def _bound(way: Way) -> list[Any]:
    """A way as it is agreed to: with its price, its lines and the place where they are fetched."""
    if way.option is None:
        return [None, list(way.variant_ids)]
    return [way.option.id, way.option.amount, list(way.variant_ids), dict(way.option.place or {})]


def _promised(line: PricedLine) -> list[Any]:
    promise = line.promise
    assert promise is not None
    day = promise.promised_on.isoformat() if promise.promised_on else None
    return [line.variant_id, promise.later, promise.kind, day]


def line_view(line: PricedLine, currency: str) -> CheckoutLineView:
    return CheckoutLineView(
        variant_id=line.variant_id,
        product_id=line.product_id,
        sku=line.sku,
        title=line.title,
        options=line.options,
        image=f"/media/products/{line.product_id}.svg",
        quantity=line.quantity,
        unit_price=Price(amount=line.unit_price, currency=currency),
        base_amount=line.base,
        discount=line.discount,
        tax=line.tax,
        total=line.total,
        notice=line.notice,
    )


def option_view(option: Option, selected: Option | None) -> FulfillmentOptionView:
    return FulfillmentOptionView(
        id=option.id,
        title=option.title,
        carrier=option.carrier,
        amount=option.amount,
        min_days=option.min_days,
        max_days=option.max_days,
        type=option.type,
        surcharges=list(option.surcharges),
        earliest=option.earliest,
        latest=option.latest,
        place=dict(option.place) if option.place else None,
        ready_by=option.ready_by,
        pickup_by=option.pickup_by,
        selected=selected is not None and option.id == selected.id,
    )


def method_view(method: dict[str, Any]) -> PaymentMethodView:
    keep = bool(method.get("keep"))
    label = f"{method['label']}, kept for your next purchase" if keep else method["label"]
    return PaymentMethodView(brand=method["brand"], last4=method["last4"], label=label, keep=keep)


def _partial_address(address: dict[str, Any] | None) -> AddressView | None:
    return AddressView(**address) if address and any(address.values()) else None
