"""A change as its reader may see it."""

from __future__ import annotations

from typing import Any

from engine.checkout.schemas import AddressView, FulfillmentOptionView, PaymentMethodView, TotalView
from engine.kit.views import Price
from engine.orders import shares
from engine.orders.changes.effect import Effect, Returned
from engine.orders.changes.rules import RETURN_PATH
from engine.orders.changes.schemas import ChangeLineView, ChangeView, PurseView, ReturnTermsView
from engine.orders.models import Order, OrderChange, OrderLine


def effect_of(change: OrderChange) -> Effect:
    """What was quoted."""
    return Effect.model_validate(change.quote["effect"])


def totals_after(order: Order, lines: list[OrderLine], effect: Effect) -> list[dict[str, Any]]:
    """The order's totals once the change is applied: of what is kept then, not of what was bought first."""
    ends = {one.line_id: one.quantity for one in effect.ended}
    worth = shares.NOTHING
    for line in lines:
        units = line.ordered - line.canceled - ends.get(line.id, 0)
        taxed = shares.tax_share(line, effect.taxes.get(line.id, line.tax), 0, units)
        worth += shares.Worth(line.unit_price * units, shares.worth(line, 0, units).discount, taxed)
    for one in effect.added:
        worth += shares.Worth(one.unit_price * one.quantity, one.discount, one.tax)
    rows = [("items_base_amount", "Items", worth.goods)]
    if worth.discount:
        rows.append(("items_discount", "Discount", worth.discount))
    rows.append(("subtotal", "Subtotal", worth.net))
    option = effect.fulfillment or order.fulfillment
    included, fee = order.tax_included, effect.shipping
    fee += effect.shipping_tax if included else 0
    if option:
        rows.append(("fulfillment", f"Shipping: {option.get('title', '')}", fee))
    tax = worth.tax + effect.shipping_tax
    rows.append(("tax", "Tax included" if included else "Tax", tax))
    rows.append(("total", "Total", worth.net + fee + (0 if included else tax)))
    told: list[dict[str, Any]] = [{"type": kind, "display_text": said, "amount": much} for kind, said, much in rows]
    if included:
        told[-2]["included"] = True
    return told


def view(order: Order, change: OrderChange) -> ChangeView:
    """The change with everything that was, or is to be, agreed to."""
    effect, currency = effect_of(change), order.currency
    method = effect.method
    return ChangeView(
        id=change.id,
        order_id=order.id,
        order_number=order.number,
        kind=change.kind,
        status=change.status,
        ended=[
            ChangeLineView(
                line_id=one.line_id,
                variant_id=one.variant_id,
                title=one.title,
                options=one.options,
                quantity=one.quantity,
                total=Price(amount=one.total, currency=currency),
            )
            for one in effect.ended
        ],
        added=[
            ChangeLineView(
                line_id=None,
                variant_id=one.variant_id,
                title=one.title,
                options=one.options,
                quantity=one.quantity,
                total=Price(amount=one.total, currency=currency),
                notice=one.notice,
            )
            for one in effect.added
        ],
        difference=Price(amount=effect.amount, currency=currency),
        charge=Price(amount=effect.charge, currency=currency),
        refund=Price(amount=effect.refund, currency=currency),
        kept_fee=Price(amount=effect.kept_fee, currency=currency),
        bank_gave=Price(amount=effect.bank_gave, currency=currency),
        set_aside=Price(amount=effect.hold, currency=currency),
        refund_to=effect.refund_to,
        refund_label=effect.refund_label,
        purse=_purse(change.quote.get("purse"), currency),
        totals=[TotalView(**row) for row in change.quote["totals"]],
        balance_after=Price(amount=effect.balance, currency=currency),
        payment_method=PaymentMethodView(brand=method.brand, last4=method.last4, label=method.label)
        if method
        else None,
        ship_to=AddressView(**effect.ship_to) if effect.ship_to else None,
        fulfillment=FulfillmentOptionView(**effect.fulfillment, selected=True) if effect.fulfillment else None,
        reason=change.reason,
        needs_partner=effect.asks_partner,
        message=change.message or "",
        consent_id=change.consent_id,
        expires_at=change.expires_at,
        digest=change.digest,
        order_version=change.order_version,
        returned=[_back(one, currency) for one in effect.returned],
        terms=_terms(effect, currency),
        return_path=f"/v1/orders/{order.id}/returnable" if RETURN_PATH in (change.message or "") else None,
    )


def _purse(told: dict[str, Any] | None, currency: str) -> PurseView | None:
    if told is None:
        return None
    before, after = (Price(amount=told[name], currency=currency) for name in ("before", "after"))
    return PurseView(label=told["label"], before=before, after=after)


def _back(one: Returned, currency: str) -> ChangeLineView:
    return ChangeLineView(
        line_id=one.line_id,
        variant_id=one.variant_id,
        title=one.title,
        options=one.options,
        quantity=one.quantity,
        total=Price(amount=one.credit, currency=currency),
    )


def _terms(effect: Effect, currency: str) -> ReturnTermsView | None:
    terms = effect.terms
    if terms is None:
        return None
    return ReturnTermsView(
        refund=Price(amount=terms.refund, currency=currency),
        fee=Price(amount=terms.fee, currency=currency),
        shipping=Price(amount=sum(one.shipping + one.shipping_tax for one in effect.returned), currency=currency),
        refund_at=terms.refund_at,
        keep=terms.keep,
        reviewed=terms.reviewed,
        label=terms.label,
        send_within_days=terms.send_within_days,
        to_charge=Price(amount=terms.to_charge, currency=currency) if terms.to_charge else None,
    )
