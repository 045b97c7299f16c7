"""What Shopify's webhooks carry: still the old REST resources, snake case, numeric ids, money as text."""

from __future__ import annotations

from pydantic import AwareDatetime, BaseModel, ConfigDict

from engine.sync.connectors.shopify.wire import Amount, Text


class Letter(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


Id = int


class Tax(Letter):
    price: Amount


class Allocation(Letter):
    amount: Amount


class Line(Letter):
    """``discount_allocations`` alone says what a line is cheaper by; ``total_discount`` knows no others."""

    id: Id
    sku: Text
    title: str
    quantity: int
    current_quantity: int | None = None
    price: Amount
    discount_allocations: list[Allocation] = []
    tax_lines: list[Tax] = []
    requires_shipping: bool
    gift_card: bool


class ShippingLine(Letter):
    code: Text = ""
    title: Text = ""
    price: Amount
    discounted_price: Amount | None = None
    tax_lines: list[Tax] = []
    is_removed: bool = False


class Address(Letter):
    name: Text = ""
    company: Text = ""
    address1: Text = ""
    address2: Text = ""
    city: Text = ""
    province: Text = ""
    province_code: Text = ""
    zip: Text = ""
    country_code: Text = ""
    phone: Text = ""


class Customer(Letter):
    id: Id
    email: Text = ""
    first_name: Text = ""
    last_name: Text = ""
    phone: Text = ""


class Order(Letter):
    id: Id
    name: str
    email: Text = ""
    phone: Text = ""
    tags: Text = ""
    note: Text = ""
    test: bool
    processed_at: AwareDatetime
    updated_at: AwareDatetime
    cancelled_at: AwareDatetime | None = None
    currency: str
    taxes_included: bool
    total_price: Amount
    current_total_price: Amount | None = None
    total_tax: Amount
    line_items: list[Line]
    shipping_lines: list[ShippingLine] = []
    shipping_address: Address | None = None
    billing_address: Address | None = None
    customer: Customer | None = None


class Transaction(Letter):
    id: Id
    kind: str
    status: str
    gateway: Text = ""
    amount: Amount
    currency: str


class Refund(Letter):
    id: Id
    order_id: Id
    processed_at: AwareDatetime
    transactions: list[Transaction] = []


class Picture(Letter):
    src: str


class Variant(Letter):
    id: Id
    title: Text = ""
    sku: Text = ""
    price: Amount
    inventory_item_id: Id


class Product(Letter):
    id: Id
    title: str
    body_html: Text = ""
    status: str = "active"
    updated_at: AwareDatetime
    image: Picture | None = None
    images: list[Picture] = []
    variants: list[Variant]
