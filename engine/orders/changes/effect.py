"""What a change does, worked out before anything happens: to units, to what is due, and to money that moves."""

from __future__ import annotations

from datetime import date
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from engine.orders.models import ChangeKind
from engine.returns.models import Condition


class _Fact(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Ended(_Fact):
    """Units of a line that will no longer be sent; ``at_partner`` of them are in a warehouse's or partner's hands."""

    line_id: str
    variant_id: str
    title: str
    options: dict[str, str]
    quantity: int
    total: int
    """What they stand for, tax included."""
    at_partner: int = 0


class Added(_Fact):
    """A line that takes the place of units that end; amounts for all its units."""

    replaces_line_id: str
    product_id: str
    variant_id: str
    sku: str
    title: str
    options: dict[str, str]
    quantity: int
    unit_price: int
    unit_cost: int
    discount: int
    tax: int
    taxes: list[dict[str, Any]] = Field(default_factory=list)
    tax_included: bool = False
    later: int = 0
    """Units that are not there yet and are promised for ``promised_on``."""
    promised_on: date | None = None
    backorder: str | None = None
    """The kind of waiting: backorder or preorder."""
    notice: str = ""
    """What the shopper must know of them before agreeing."""
    components: list[dict[str, Any]] = Field(default_factory=list)
    """Of a bundle: [{variant_id, quantity, price, share}] per unit."""

    @property
    def now(self) -> int:
        """Units that are there."""
        return self.quantity - self.later

    @property
    def total(self) -> int:
        return self.unit_price * self.quantity - self.discount + (0 if self.tax_included else self.tax)


class Method(_Fact):
    """A way to pay: a card behind a gateway, or an account of stored value."""

    gateway: str
    ref: str
    brand: str
    last4: str
    label: str
    stored_value_id: str | None = None
    method_id: str | None = None
    """The saved way to pay."""
    tender: str = "card"


class Returned(_Fact):
    """Units that are to come back; amounts for all of them, as a row of ``return_lines`` keeps them."""

    line_id: str
    component_variant_id: str | None = None
    variant_id: str
    title: str
    options: dict[str, str]
    quantity: int
    reason: str
    condition: Condition
    goods: int
    discount: int
    tax: int
    shipping: int = 0
    shipping_tax: int = 0
    fee: int = 0
    waived_fee: int = 0
    """What restocking would cost if it were not exchanged: it is kept when what is had for it is canceled."""
    exchanged: bool = False
    """Whether one of the added lines takes their place, in the order of both."""
    withheld: int = 0
    withheld_tax: int = 0

    @property
    def credit(self) -> int:
        """What they count for, tax included."""
        return self.goods - self.discount + self.tax + self.shipping + self.shipping_tax - self.withheld

    @property
    def credit_tax(self) -> int:
        return self.tax + self.shipping_tax - self.withheld_tax


class Terms(_Fact):
    """On what terms goods come back: ``credit - fee - replacement + charge + to_charge =
    refund``.
    """

    credit: int
    credit_tax: int
    fee: int
    replacement: int
    replacement_tax: int
    refund: int
    """What goes back, at once where the goods may be kept, else when they have come as far as ``refund_at``."""
    refund_tax: int
    to_charge: int = 0
    """What is taken once the goods have come as far as ``refund_at``, for goods in exchange that cost more."""
    to_charge_tax: int = 0
    keep: bool
    reviewed: bool
    """Somebody of the shop looks at it before anything is sent."""
    refund_at: str
    label: str
    """Who pays for the label: shop or customer; none where nothing is sent."""
    send_within_days: int
    valid_minutes: int | None = None
    """How long the quote stands, where it is not as long as for any change."""


class Effect(_Fact):
    """Everything that was agreed to. Minor units of the order's currency; ``amount`` and ``tax`` are how what is due
    moves, tax included in the first.
    """

    kind: ChangeKind
    ended: tuple[Ended, ...] = ()
    added: tuple[Added, ...] = ()
    taxes: dict[str, int] = Field(default_factory=dict)
    """Line → its tax at the new address, for all its units."""
    tax_parts: dict[str, list[dict[str, Any]]] = Field(default_factory=dict)
    """Line → whose that tax is."""
    order_taxes: list[dict[str, Any]] | None = None
    """Whose the order's tax is then."""
    shipping: int
    shipping_tax: int
    ship_to: dict[str, Any] | None = None
    fulfillment: dict[str, Any] | None = None
    amount: int
    tax: int
    charge: int = 0
    charge_tax: int = 0
    hold: int = 0
    """What is only set aside on ``method``, in place of what another payment holds."""
    method: Method | None = None
    """What is charged, or holds the money."""
    refund: int = 0
    refund_tax: int = 0
    moved_tax: int = 0
    """Tax that moves in the books without a charge or refund to carry it."""
    absorbed: int = 0
    """Goodwill given before for what ends now: it counts as part of what goes back, and is due again."""
    absorbed_tax: int = 0
    moved_returns: int = 0
    """How much of it stands in the books as returned sales, and turns out never to have been earned."""
    bank_gave: int = 0
    """Of what would go back, what the card's bank gave back before, for good: it stays due, and paid."""
    refund_to: str = "original"
    refund_account: str | None = None
    """The gift card, store credit or saved way to pay that they named."""
    refund_label: str = ""
    old_payment_id: str | None = None
    """The payment that another method takes the place of."""
    due: int
    """What is due for the order afterwards."""
    balance: int
    """What is still to be paid afterwards."""
    reason: str | None = None
    kept_fees: dict[str, tuple[int, int]] = Field(default_factory=dict)
    """Of units had in exchange that end: line of the return → how many of its units, and the fee that is kept."""
    returned: tuple[Returned, ...] = ()
    terms: Terms | None = None
    """Of a return."""

    @property
    def kept_fee(self) -> int:
        """What is kept of it all."""
        return sum(fee for _, fee in self.kept_fees.values())

    @property
    def takes(self) -> int:
        """All the money that is taken or held because of it, now or when goods have come back."""
        return self.charge or self.hold or (self.terms.to_charge if self.terms else 0)

    @property
    def takes_tax(self) -> int:
        """How much of what is taken is tax."""
        later = self.terms.to_charge_tax if self.terms else 0
        return self.charge_tax if self.charge else later

    @property
    def gives_back(self) -> int:
        """All the money that goes back because of it, now or when goods have come back."""
        return self.terms.refund if self.terms else self.refund

    @property
    def sets_aside(self) -> bool:
        """Whether money is only held at first: in place of what is held, or until somebody who has the goods agrees."""
        return self.hold > 0 or (self.charge > 0 and self.asks_partner)

    @property
    def asks_partner(self) -> bool:
        """Whether somebody who has the goods must agree first."""
        return any(one.at_partner for one in self.ended)
