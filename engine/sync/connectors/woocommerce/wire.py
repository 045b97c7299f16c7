"""Orders as WooCommerce's REST interface (v3) tells them; other fields are passed over.

Amounts are text. ``price`` of a line is a JSON number there, and is not read: no float is ever money.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

Gmt = Annotated[datetime, AfterValidator(lambda at: at if at.tzinfo else at.replace(tzinfo=UTC))]
"""Times whose names end in ``_gmt`` come without a zone."""
Text = Annotated[str, BeforeValidator(lambda value: "" if value is None else str(value))]
Amount = Annotated[str, Field(pattern=r"^-?\d{1,12}(\.\d{1,6})?$")]


class Wire(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class WooAddress(Wire):
    first_name: Text = ""
    last_name: Text = ""
    company: Text = ""
    address_1: Text = ""
    address_2: Text = ""
    city: Text = ""
    state: Text = ""
    postcode: Text = ""
    country: Text = ""
    email: Text = ""
    phone: Text = ""

    @property
    def name(self) -> str:
        return f"{self.first_name} {self.last_name}".strip()


class WooLine(Wire):
    """``subtotal`` is before coupons, ``total`` after; both without tax."""

    id: int
    name: Text = ""
    sku: Text = ""
    quantity: Annotated[int, Field(ge=0)]
    subtotal: Amount | None = None
    total: Amount
    total_tax: Amount = "0"


class WooShippingLine(Wire):
    method_id: Text = ""
    method_title: Text = ""
    total: Amount
    total_tax: Amount = "0"


class WooFee(Wire):
    """What is charged, or taken off, beside goods."""

    id: int
    name: Text = ""
    total: Amount
    total_tax: Amount = "0"


class WooOrder(Wire):
    id: int
    number: Text
    status: str
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    date_created_gmt: Gmt
    date_modified_gmt: Gmt
    date_paid_gmt: Gmt | None = None
    total: Amount
    total_tax: Amount = "0"
    customer_id: int = 0
    """0 is a guest."""
    customer_note: Text = ""
    payment_method: Text = ""
    transaction_id: Text = ""
    billing: WooAddress = WooAddress()
    shipping: WooAddress = WooAddress()
    line_items: list[WooLine]
    shipping_lines: list[WooShippingLine] = []
    fee_lines: list[WooFee] = []
