"""A store's order in canonical words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

from pydantic import ValidationError

from engine.kit.money import exponent, is_currency
from engine.sync.canonical import Address, Buyer, OrderCreated, OrderLine, OrderPayment, ShippingCharge
from engine.sync.connectors.addresses import Spelling, address_of
from engine.sync.connectors.woocommerce.wire import WooAddress, WooFee, WooLine, WooOrder
from engine.sync.errors import FieldFault, Rejected
from engine.sync.models import System

UNPAID: Final = frozenset({"pending", "on-hold", "checkout-draft", "auto-draft"})
"""Orders that are none yet."""
OVER: Final = frozenset({"cancelled", "refunded", "failed", "trash"})
_PLACE: Final[Spelling] = {
    "name": ("name",),
    "company": ("company",),
    "line_one": ("address_1",),
    "line_two": ("address_2",),
    "city": ("city",),
    "region": ("state",),
    "postal_code": ("postcode",),
    "country": ("country",),
    "phone": ("phone",),
}
Minor = Callable[[str], int]


def wire_of(data: Any) -> WooOrder:
    """Raises ``Rejected`` for what is no order."""
    try:
        return WooOrder.model_validate(data)
    except ValidationError as error:
        faults = [
            FieldFault(".".join(str(step) for step in one["loc"]), one["msg"])
            for one in error.errors(include_input=False, include_url=False)[:10]
        ]
        raise Rejected("WooCommerce's order cannot be read.", fields=faults) from None


def order_of(data: Mapping[str, Any], account: str) -> OrderCreated:
    """Quantities are as they were ordered: what was refunded of a line is told elsewhere, and not read."""
    order = wire_of(data)
    minor = _minor_of(order.currency)
    lines = [_line(line, minor) for line in order.line_items] + [_fee(fee, minor) for fee in order.fee_lines]
    shipping = tuple(
        ShippingCharge(code=one.method_id, title=one.method_title, price=minor(one.total), tax=minor(one.total_tax))
        for one in order.shipping_lines
    )
    return OrderCreated(
        source=System.WOOCOMMERCE,
        account=account,
        source_id=str(order.id),
        raw=dict(data),
        source_ref=f"#{order.number}",
        placed_at=order.date_created_gmt,
        updated_at=order.date_modified_gmt,
        currency=order.currency,
        canceled_at=order.date_modified_gmt if order.status in OVER else None,
        buyer=_buyer(order),
        ship_to=_address(order.shipping),
        bill_to=_address(order.billing),
        lines=tuple(lines),
        shipping=shipping,
        discount=sum(line.discount for line in lines),
        tax=minor(order.total_tax),
        total=minor(order.total),
        payments=_payments(order, minor),
        note=order.customer_note,
    )


def _line(line: WooLine, minor: Minor) -> OrderLine:
    """The price of one, rounded up; what that is too much for all of them is part of the discount."""
    before, after = minor(line.subtotal or line.total), minor(line.total)
    each = -(-before // line.quantity) if line.quantity else 0
    return OrderLine(
        source_line_id=str(line.id),
        sku=line.sku,
        title=line.name,
        quantity=line.quantity,
        unit_price=each,
        discount=each * line.quantity - after,
        tax=minor(line.total_tax),
    )


def _fee(fee: WooFee, minor: Minor) -> OrderLine:
    return OrderLine(
        source_line_id=str(fee.id),
        sku="",
        title=fee.name,
        quantity=1,
        unit_price=minor(fee.total),
        tax=minor(fee.total_tax),
        requires_shipping=False,
    )


def _buyer(order: WooOrder) -> Buyer:
    return Buyer(
        source_id=str(order.customer_id) if order.customer_id else None,
        email=order.billing.email,
        name=order.billing.name,
        phone=order.billing.phone,
    )


def _address(one: WooAddress) -> Address | None:
    """A store keeps an empty one where there is none."""
    return address_of(one, _PLACE) if one.address_1 else None


def _payments(order: WooOrder, minor: Minor) -> tuple[OrderPayment, ...]:
    """A store takes the whole at once, and says when."""
    if order.date_paid_gmt is None or not minor(order.total):
        return ()
    name = order.transaction_id or f"wc-{order.id}"
    return (OrderPayment(id=name, gateway=order.payment_method, amount=minor(order.total), at=order.date_paid_gmt),)


def _minor_of(currency: str) -> Minor:
    """Raises ``Rejected`` for a currency of which nobody knows how many decimals it has."""
    if not is_currency(currency):
        raise Rejected(f"{currency} is no currency.", fields=[FieldFault("currency", "ISO 4217 does not know it")])
    places = exponent(currency)

    def minor(text: str) -> int:
        scaled = Decimal(text).scaleb(places)
        if scaled != scaled.to_integral_value():
            raise Rejected(f"{text} {currency} has a fraction that this currency has not.")
        return int(scaled)

    return minor
