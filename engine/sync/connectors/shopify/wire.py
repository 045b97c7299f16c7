"""What Shopify's GraphQL answers look like, as far as we read them. Fields that we do not ask for are nobody's matter;
one that is missing, or null where the schema says that it never is, refuses the answer.
"""

from __future__ import annotations

from typing import Annotated, Generic, TypeVar

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

T = TypeVar("T")
Text = Annotated[str, BeforeValidator(lambda value: "" if value is None else value)]
"""Text that may be null, which means the same as none."""
Amount = Annotated[str, BeforeValidator(lambda value: str(value) if isinstance(value, int) else value)]
"""Money is text on this wire."""


class Wire(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, alias_generator=to_camel, populate_by_name=True)


class PageInfo(Wire):
    has_next_page: bool
    end_cursor: str | None = None


class Page(Wire, Generic[T]):
    nodes: list[T]
    page_info: PageInfo


class Ref(Wire):
    id: str


class Amounts(Wire):
    amount: Amount
    currency_code: str


class MoneyBag(Wire):
    shop_money: Amounts


class Priced(Wire):
    price_set: MoneyBag


class Allocation(Wire):
    allocated_amount_set: MoneyBag


class Group(Wire):
    title: Text = ""
    variant_sku: Text = ""


class Line(Wire):
    id: str
    sku: Text
    title: str
    quantity: int
    current_quantity: int
    requires_shipping: bool
    is_gift_card: bool
    original_unit_price_set: MoneyBag
    discount_allocations: list[Allocation]
    tax_lines: list[Priced]
    line_item_group: Group | None = None


class ShippingLine(Wire):
    code: Text
    title: str
    original_price_set: MoneyBag
    discounted_price_set: MoneyBag
    tax_lines: list[Priced]


class Transaction(Wire):
    id: str
    kind: str
    status: str
    gateway: Text
    created_at: AwareDatetime
    processed_at: AwareDatetime | None = None
    amount_set: MoneyBag


class Customer(Wire):
    id: str
    display_name: Text
    email: Text
    phone: Text


class MailingAddress(Wire):
    name: Text
    company: Text
    address1: Text
    address2: Text
    city: Text
    province: Text
    province_code: Text
    zip: Text
    country_code: Annotated[Text, Field(alias="countryCodeV2")]
    phone: Text


class Shipping(Wire):
    nodes: list[ShippingLine]


class Head(Wire):
    """An order without its lines."""

    id: str
    name: str
    email: Text
    phone: Text
    tags: list[str]
    note: Text
    test: bool
    processed_at: AwareDatetime
    updated_at: AwareDatetime
    cancelled_at: AwareDatetime | None = None
    currency_code: str
    taxes_included: bool
    current_total_price_set: MoneyBag
    total_tax_set: MoneyBag | None = None
    customer: Customer | None = None
    shipping_address: MailingAddress | None = None
    billing_address: MailingAddress | None = None
    shipping_lines: Shipping
    transactions: list[Transaction]


class Order(Head):
    line_items: Page[Line]


class Money(Wire):
    """An order's money alone."""

    id: str
    name: str
    currency_code: str
    transactions: list[Transaction]


class Tracking(Wire):
    number: Text


class SentItem(Wire):
    sku: Text


class SentLine(Wire):
    quantity: int
    line_item: SentItem


class SentLines(Wire):
    nodes: list[SentLine]


class Fulfillment(Wire):
    id: str
    status: str
    location: Ref | None = None
    tracking_info: list[Tracking]
    fulfillment_line_items: SentLines


class Action(Wire):
    action: str


class Assigned(Wire):
    location: Ref | None = None


class WaitingLine(Wire):
    id: str
    sku: Text
    remaining_quantity: int


class FulfillmentOrder(Wire):
    id: str
    status: str
    supported_actions: list[Action]
    assigned_location: Assigned
    line_items: Page[WaitingLine]


class Shipments(Wire):
    fulfillments: list[Fulfillment]
    fulfillment_orders: Page[FulfillmentOrder]


class Quantity(Wire):
    name: str
    quantity: int


class Level(Wire):
    location: Ref
    quantities: list[Quantity]


class Item(Wire):
    id: str
    sku: Text
    tracked: bool
    inventory_levels: Page[Level]


class Bundled(Wire):
    sku: Text
    requires_components: bool


class Picture(Wire):
    url: str


class Option(Wire):
    name: str
    value: str


class Variant(Wire):
    id: str
    sku: Text
    title: str
    price: Amount
    requires_components: bool
    inventory_item: Ref
    image: Picture | None = None
    selected_options: list[Option] = []


class Product(Wire):
    id: str
    title: str
    status: str
    description_html: Text
    updated_at: AwareDatetime
    featured_image: Picture | None = None
    variants: Page[Variant]


class Subscription(Wire):
    id: str
    topic: str
