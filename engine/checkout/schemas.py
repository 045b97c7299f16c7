"""What a checkout and its card look like from outside."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from engine.kit.views import Price, View


class TotalView(View):
    """One ACP total: ``type`` ∈ items_base_amount, items_discount, subtotal, discount, fulfillment, tax, total."""

    type: str
    display_text: str
    amount: int
    included: bool = False
    """Of tax: it is within the other amounts and adds nothing to the total."""


class AddressView(View):
    name: str
    line_one: str
    line_two: str = ""
    city: str
    state: str
    postal_code: str
    country: str


class BuyerView(View):
    name: str = ""
    email: str = ""
    phone: str = ""


class CheckoutLineView(View):
    variant_id: str
    product_id: str
    sku: str
    title: str
    options: dict[str, str]
    image: str
    quantity: int
    unit_price: Price
    base_amount: int
    discount: int
    tax: int
    total: int
    """base_amount - discount + tax (which adds nothing where prices include it), minor units."""
    notice: str = ""
    """What is not in stock, and when it is promised; empty when all of it ships at once."""


class FulfillmentOptionView(View):
    id: str
    title: str
    carrier: str
    amount: int
    min_days: int
    max_days: int
    selected: bool
    type: str = "shipping"
    """shipping, pickup, local_delivery or digital."""
    surcharges: list[str] = Field(default_factory=list)
    """What is in the amount on top of the usual price."""
    earliest: str = ""
    """First and last day (ISO) on which it arrives when it is ordered now; empty while that is not known."""
    latest: str = ""
    place: dict[str, str] | None = None
    """Where it is fetched: an address with the place's name; location_id, kind, phone, instructions, hours."""
    ready_by: str = ""
    """From when and until when it can be fetched, ISO; empty for what is sent."""
    pickup_by: str = ""


class WayView(View):
    """How some of the lines go, where not all of them go the same way."""

    option: FulfillmentOptionView
    variant_ids: list[str]


class PaymentMethodView(View):
    brand: str
    last4: str
    label: str
    """``Visa •••• 4242``, ``Test Visa •••• 4242`` or ``Demo Wallet · Visa ending 4242``."""
    keep: bool = False
    """It is kept for the next purchase once it has paid for this one; the label says so too."""


class TenderView(View):
    """A part of the total that a gift card or store credit pays, in minor units."""

    label: str
    amount: int


class CheckoutView(View):
    """A session as the shopper may see it."""

    id: str
    status: str
    currency: str
    lines: list[CheckoutLineView]
    totals: list[TotalView]
    total: Price
    buyer: BuyerView
    ship_to: AddressView | None
    fulfillment_options: list[FulfillmentOptionView]
    ways: list[WayView] = Field(default_factory=list)
    """Every way with its lines, where there are several: what is digital goes by itself."""
    payment_method: PaymentMethodView | None
    tenders: list[TenderView] = Field(default_factory=list)
    due: Price | None = None
    """What the payment method pays: the total, but for what the tenders do."""
    discount_codes: list[str]
    missing: list[str]
    """What is still needed before payment, of: email, name, address, fulfillment_option, payment_method."""
    problems: list[str]
    """Plain sentences on why it can't be bought as it is: out of stock, cannot ship there, code not valid."""
    notices: list[str] = Field(default_factory=list)
    """What the shopper must know before agreeing: who signs for it, what the carrier collects, why a good code takes
    nothing off.
    """
    expires_at: datetime


class ConfirmationSummary(View):
    """The interrupt's ``metadata.checkout``: everything the human agrees to."""

    session_id: str
    lines: list[CheckoutLineView]
    totals: list[TotalView]
    total: Price
    ship_to: AddressView | None
    """None where nothing of it has a parcel."""
    fulfillment: FulfillmentOptionView
    ways: list[WayView] = Field(default_factory=list)
    """Every way with its lines, where there are several."""
    payment_method: PaymentMethodView | None
    """None where the tenders pay all of it."""
    buyer: BuyerView
    merchant: str
    digest: str
    tenders: list[TenderView] = Field(default_factory=list)
    due: Price | None = None
    """What the payment method pays, where that is not the total."""


class ConsentView(View):
    """A card: its id is the interrupt's id."""

    id: str
    status: str
    """open, approved, declined, expired, superseded, claimed."""
    expires_at: datetime
    checkout: ConfirmationSummary


class PaymentMethodChoice(View):
    """A way to pay this session could use."""

    ref: str
    """``pm_…`` of a stored method, or ``test_visa`` in a demo shop."""
    kind: str = "card"
    """card or wallet."""
    brand: str
    last4: str
    label: str
