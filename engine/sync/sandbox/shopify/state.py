"""What a shop holds. Amounts are integer minor units, in the shop's currency and in the buyer's."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Final

from engine.sync.sandbox.wire import Json

_EXPONENTS: Final = {"JPY": 0}


def minor(amount: Any, currency: str) -> int:
    """Minor units of a decimal amount as the wire has it."""
    from decimal import ROUND_HALF_UP, Decimal

    scale = Decimal(10) ** _EXPONENTS.get(currency, 2)
    return int((Decimal(str(amount)) * scale).quantize(Decimal(1), ROUND_HALF_UP))


def decimal(amount: int, currency: str) -> str:
    """An amount as the wire has it: ``129.00``."""
    digits = _EXPONENTS.get(currency, 2)
    if not digits:
        return str(amount)
    sign, whole = ("-" if amount < 0 else ""), abs(amount)
    return f"{sign}{whole // 10**digits}.{whole % 10**digits:0{digits}d}"


@dataclass(frozen=True)
class Bag:
    """An amount in the shop's currency and in the buyer's."""

    shop: int
    presentment: int
    currency: str
    presentment_currency: str

    def __add__(self, other: Bag) -> Bag:
        return self.of(self.shop + other.shop, self.presentment + other.presentment)

    def __sub__(self, other: Bag) -> Bag:
        return self.of(self.shop - other.shop, self.presentment - other.presentment)

    def times(self, number: int) -> Bag:
        return self.of(self.shop * number, self.presentment * number)

    def part(self, number: int, whole: int) -> Bag:
        """``number`` of ``whole`` parts, rounded down."""
        return self.of(self.shop * number // whole, self.presentment * number // whole) if whole else self.of(0, 0)

    def of(self, shop: int, presentment: int) -> Bag:
        """Another amount in the same currencies."""
        return Bag(shop, presentment, self.currency, self.presentment_currency)


@dataclass
class Thing:
    """Whatever has a number and a global id."""

    typename: ClassVar[str] = ""
    id: int

    @property
    def gid(self) -> str:
        return f"gid://shopify/{self.typename}/{self.id}"


@dataclass
class Location(Thing):
    typename = "Location"
    name: str
    address: Json
    is_active: bool = True


@dataclass
class Level:
    """Stock of one item at one place. What is on hand is what is available and what orders wait for."""

    available: int = 0
    committed: int = 0
    updated_at: datetime | None = None

    @property
    def on_hand(self) -> int:
        return self.available + self.committed


@dataclass
class Product(Thing):
    typename = "Product"
    title: str
    handle: str
    vendor: str
    product_type: str
    description_html: str
    created_at: datetime
    updated_at: datetime
    image_url: str = ""
    variants: list[Variant] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)


@dataclass
class Variant(Thing):
    typename = "ProductVariant"
    product: Product
    title: str
    sku: str
    price: int
    cost: int
    options: dict[str, str]
    item_id: int
    tracked: bool = True
    requires_shipping: bool = True
    gift_card: bool = False
    levels: dict[int, Level] = field(default_factory=dict)
    components: list[Component] = field(default_factory=list)
    updated_at: datetime | None = None

    def available(self) -> int:
        """What can be sold: of a bundle, as many as its components make."""
        if self.components:
            return min(one.variant.available() // one.quantity for one in self.components)
        return sum(level.available for level in self.levels.values())


@dataclass
class Component(Thing):
    typename = "ProductVariantComponent"
    variant: Variant
    quantity: int


@dataclass
class LineGroup(Thing):
    """A bundle that was sold: its components are lines of their own."""

    typename = "LineItemGroup"
    title: str
    quantity: int
    variant: Variant


@dataclass
class Line(Thing):
    typename = "LineItem"
    title: str
    variant_title: str
    vendor: str
    sku: str
    quantity: int
    price: Bag
    variant: Variant | None
    requires_shipping: bool
    taxable: bool
    gift_card: bool
    properties: list[Json]
    discounts: list[Bag] = field(default_factory=list)
    tax_lines: list[Json] = field(default_factory=list)
    group: LineGroup | None = None
    removed: int = 0
    fulfilled: int = 0

    @property
    def current(self) -> int:
        return self.quantity - self.removed

    @property
    def unfulfilled(self) -> int:
        return max(self.current - self.fulfilled, 0)

    def discount(self) -> Bag:
        total = self.price.of(0, 0)
        for one in self.discounts:
            total += one
        return total

    def total(self) -> Bag:
        """What the line costs after discounts, before tax."""
        return self.price.times(self.quantity) - self.discount()


@dataclass
class ShippingLine(Thing):
    typename = "ShippingLine"
    title: str
    code: str
    source: str
    price: Bag
    tax_lines: list[Json] = field(default_factory=list)


@dataclass
class Transaction(Thing):
    typename = "OrderTransaction"
    kind: str
    status: str
    gateway: str
    amount: Bag
    created_at: datetime
    processed_at: datetime
    test: bool = False
    parent: Transaction | None = None


@dataclass
class OrderedLine(Thing):
    """``held`` is what is committed to it at its place: nothing, where the order bypassed stock."""

    typename = "FulfillmentOrderLineItem"
    line: Line
    total: int
    remaining: int
    held: int = 0


@dataclass
class Hold(Thing):
    typename = "FulfillmentHold"
    reason: str
    reason_notes: str | None
    handle: str
    external_id: str | None


@dataclass
class FulfillmentOrder(Thing):
    typename = "FulfillmentOrder"
    order: Order
    location: Location
    lines: list[OrderedLine]
    created_at: datetime
    updated_at: datetime
    status: str = "OPEN"
    holds: list[Hold] = field(default_factory=list)
    fulfillments: list[Fulfillment] = field(default_factory=list)

    @property
    def remaining(self) -> int:
        return sum(line.remaining for line in self.lines)


@dataclass
class FulfilledLine(Thing):
    typename = "FulfillmentLineItem"
    line: Line
    quantity: int
    returned: int = 0


@dataclass
class Fulfillment(Thing):
    typename = "Fulfillment"
    order: Order
    name: str
    location: Location
    lines: list[FulfilledLine]
    tracking: list[Json]
    created_at: datetime
    updated_at: datetime
    notify: bool = False


@dataclass
class RefundLine(Thing):
    typename = "RefundLineItem"
    line: Line
    quantity: int
    restock_type: str
    location: Location | None
    subtotal: Bag


@dataclass
class Refund(Thing):
    typename = "Refund"
    order: Order
    note: str
    lines: list[RefundLine]
    total: Bag
    created_at: datetime


@dataclass
class Return(Thing):
    typename = "Return"
    order: Order
    name: str
    lines: list[tuple[FulfilledLine, int, Json]]
    created_at: datetime
    status: str = "OPEN"


@dataclass
class Customer(Thing):
    typename = "Customer"
    first_name: str
    last_name: str
    email: str
    phone: str | None = None
    tags: list[str] = field(default_factory=list)


@dataclass
class Order(Thing):
    typename = "Order"
    name: str
    number: int
    currency: str
    presentment_currency: str
    created_at: datetime
    processed_at: datetime
    updated_at: datetime
    email: str | None
    phone: str | None
    note: str | None
    po_number: str | None
    source_name: str
    test: bool
    taxes_included: bool
    customer: Customer | None
    shipping_address: Json | None
    billing_address: Json | None
    tags: list[str]
    attributes: list[Json]
    lines: list[Line] = field(default_factory=list)
    shipping: list[ShippingLine] = field(default_factory=list)
    transactions: list[Transaction] = field(default_factory=list)
    fulfillment_orders: list[FulfillmentOrder] = field(default_factory=list)
    fulfillments: list[Fulfillment] = field(default_factory=list)
    refunds: list[Refund] = field(default_factory=list)
    returns: list[Return] = field(default_factory=list)
    discount_codes: list[Json] = field(default_factory=list)
    metafields: list[Json] = field(default_factory=list)
    cancelled_at: datetime | None = None
    cancel_reason: str | None = None
    closed_at: datetime | None = None
    said_financial_status: str | None = None


@dataclass
class Subscription(Thing):
    typename = "WebhookSubscription"
    topic: str
    uri: str
    include_fields: list[str]
    metafield_namespaces: list[str]
    filter: str | None
    name: str | None
    created_at: datetime


@dataclass
class BulkOperation(Thing):
    typename = "BulkOperation"
    query: str
    created_at: datetime
    status: str = "CREATED"
    error_code: str | None = None
    completed_at: datetime | None = None
    object_count: int = 0
    result: bytes = b""
    client_identifier: str | None = None


@dataclass
class ShopState:
    """One shop."""

    domain: str
    name: str
    currency: str
    access_token: str
    client_secret: str
    rng: random.Random
    locations: dict[int, Location] = field(default_factory=dict)
    products: dict[int, Product] = field(default_factory=dict)
    variants: dict[int, Variant] = field(default_factory=dict)
    items: dict[int, Variant] = field(default_factory=dict)
    customers: dict[int, Customer] = field(default_factory=dict)
    orders: dict[int, Order] = field(default_factory=dict)
    fulfillment_orders: dict[int, FulfillmentOrder] = field(default_factory=dict)
    fulfillments: dict[int, Fulfillment] = field(default_factory=dict)
    subscriptions: dict[int, Subscription] = field(default_factory=dict)
    bulk_operations: dict[int, BulkOperation] = field(default_factory=dict)
    jobs: dict[str, datetime] = field(default_factory=dict)
    staged: dict[str, bytes | None] = field(default_factory=dict)
    idempotent: dict[tuple[str, str], tuple[str, datetime, Json]] = field(default_factory=dict)
    next_order_number: int = 1001
    plan_restore_rate: int = 100
    plan_maximum: int = 2000

    def variant_of_sku(self, sku: str) -> Variant | None:
        return next((one for one in self.variants.values() if one.sku == sku), None)
