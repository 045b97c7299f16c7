"""What a change looks like from outside."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from engine.checkout.schemas import AddressView, FulfillmentOptionView, PaymentMethodView, TotalView
from engine.kit.views import Price, View


class ChangeLineView(View):
    """Units that go or come; ``total`` is what they stand for, tax included."""

    line_id: str | None
    variant_id: str
    title: str
    options: dict[str, str]
    quantity: int
    total: Price
    notice: str = ""
    """Of units that come: what is not there yet, and when it is promised."""


class ReturnTermsView(View):
    """On what terms goods come back."""

    refund: Price
    """What goes back: at once when ``keep``, else when the goods have come as far as ``refund_at``."""
    fee: Price
    """Kept by the shop."""
    shipping: Price
    """How much of the shipping goes back, tax included."""
    refund_at: str
    """approved, in_transit, received or inspected."""
    keep: bool
    """The goods need not come back."""
    reviewed: bool
    """The shop looks at it before anything is sent or charged."""
    label: str
    """Who pays for the label: shop or customer; empty where nothing is sent."""
    send_within_days: int
    to_charge: Price | None = None
    """What is charged once the goods have come as far as ``refund_at``, where goods in exchange cost more."""


class PurseView(View):
    """A gift card or store credit that pays, or that money goes to."""

    label: str
    before: Price
    after: Price


class ChangeView(View):
    """A change and everything that somebody agrees to with it."""

    id: str
    order_id: str
    order_number: str
    kind: str
    """cancel, address, payment_method or items."""
    status: str
    """quoted, confirmed, charging, requested, applied, refused, failed, expired or superseded."""
    ended: list[ChangeLineView]
    added: list[ChangeLineView]
    difference: Price
    """What the order costs more because of it (less: negative), tax included."""
    charge: Price
    refund: Price
    kept_fee: Price
    """What the shop keeps of it: restocking that an exchange waived, of units had in exchange."""
    bank_gave: Price
    """Of what would go back, what the card's bank gave back before, when it decided a dispute: it goes back no more."""
    set_aside: Price
    """What the new way to pay only holds, in place of the old one."""
    refund_to: str
    """original, store_credit, account or method."""
    refund_label: str = ""
    """The gift card, store credit or saved way to pay that was named."""
    purse: PurseView | None = None
    """What is on the gift card or store credit that it moves, before and after, as it was when this was quoted."""
    totals: list[TotalView]
    """Of the order afterwards: items_base_amount, items_discount, subtotal, fulfillment, tax, total."""
    balance_after: Price
    """Still to be paid afterwards."""
    payment_method: PaymentMethodView | None
    """What is charged."""
    ship_to: AddressView | None
    fulfillment: FulfillmentOptionView | None
    reason: str | None
    needs_partner: bool
    """A warehouse or partner has the goods in hand and must agree first."""
    message: str
    consent_id: str | None
    """The confirmation that the shopper gives or refuses; none where staff answer for it."""
    expires_at: datetime
    digest: str
    order_version: int
    returned: list[ChangeLineView] = Field(default_factory=list)
    """Units that come back; ``total`` is what they count for."""
    terms: ReturnTermsView | None = None
    """Of a return."""
    return_path: str | None = None
    """Where to ask what can be sent back, when that is the way that is left."""


class ChangeAgreement(View):
    """What the consent's row keeps: what was agreed to, ``total`` being what is charged or set aside."""

    change: ChangeView
    total: Price
    refund: Price
    merchant: str
