"""NetSuite's records as they go over the wire: what we write, and what we read of what it says.

What is written is checked before it leaves: a field that the record has not is refused here, but the account's own
(``custbody_…``, ``custcol_…``, ``custentity_…``). What is read is taken as it comes; fields that nobody here needs are
passed over. The names are those of the generated 2020.2 schema (certainty B).
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Final, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, model_validator
from pydantic.alias_generators import to_camel

_MOST_DIGITS: Final = 15
"""A number of JSON has no more that everybody reads alike."""


def _as_number(value: Decimal) -> int | float:
    """As JSON writes it, digit for digit: ``20`` and ``19.99``."""
    return int(value) if value == value.to_integral_value() else float(str(value))


def _exact(value: Any) -> Any:
    return str(value) if isinstance(value, float) else value


Number = Annotated[
    Decimal,
    BeforeValidator(_exact),
    Field(max_digits=_MOST_DIGITS),
    PlainSerializer(_as_number, return_type=int | float, when_used="json"),
]
"""An amount or a quantity."""
Told = Annotated[Decimal, BeforeValidator(_exact)]
"""A number that was read, however many digits it has."""
Day = Annotated[date, PlainSerializer(date.isoformat, return_type=str, when_used="json")]
ExternalId = Annotated[str, Field(min_length=1, max_length=120, pattern=r"^[^/\s?#%]+$")]


class Written(BaseModel):
    """``own`` begins the names of custom fields that may stand here beside the known ones."""

    own: ClassVar[tuple[str, ...]] = ()
    model_config = ConfigDict(extra="forbid", alias_generator=to_camel, populate_by_name=True)

    @model_validator(mode="after")
    def _only_own(self) -> Self:
        for name in self.model_extra or ():
            if not name.startswith(self.own or ("\0",)):
                raise ValueError(f"{name} is no field of this record")
        return self


class Ref(Written):
    """Another record, by one of its two names."""

    id: str | None = None
    external_id: str | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.id is None) == (self.external_id is None):
            raise ValueError("a reference is an id or an external id")
        return self


class AddressBody(Written):
    addressee: str | None = None
    attention: str | None = None
    addr1: str | None = None
    addr2: str | None = None
    city: str | None = None
    state: str | None = None
    zip: str | None = None
    country: Annotated[str | None, Field(min_length=2, max_length=2)] = None
    addr_phone: str | None = None


class OrderLineBody(Written):
    """``price`` ``-1`` is a price of our own: the item's own is not asked."""

    own: ClassVar[tuple[str, ...]] = ("custcol",)
    model_config = ConfigDict(extra="allow")

    item: Ref
    quantity: Annotated[Number, Field(gt=0)]
    rate: Number | None = None
    amount: Number | None = None
    price: Ref | None = None
    location: Ref | None = None
    description: str | None = None
    is_closed: bool | None = None
    department: Ref | None = None
    class_: Annotated[Ref | None, Field(alias="class")] = None


class OrderLines(Written):
    items: Annotated[list[OrderLineBody], Field(min_length=1)]


class SalesOrderBody(Written):
    """A sales order to be made or changed, its lines anew."""

    own: ClassVar[tuple[str, ...]] = ("custbody",)
    model_config = ConfigDict(extra="allow")

    entity: Ref
    item: OrderLines
    other_ref_num: Annotated[str | None, Field(max_length=45)] = None
    tran_date: Day | None = None
    memo: Annotated[str | None, Field(max_length=999)] = None
    email: Annotated[str | None, Field(max_length=254)] = None
    currency: Ref | None = None
    exchange_rate: Number | None = None
    subsidiary: Ref | None = None
    location: Ref | None = None
    department: Ref | None = None
    class_: Annotated[Ref | None, Field(alias="class")] = None
    terms: Ref | None = None
    order_status: Ref | None = None
    ship_date: Day | None = None
    ship_method: Ref | None = None
    ship_complete: bool | None = None
    shipping_cost: Number | None = None
    shipping_address: AddressBody | None = None
    billing_address: AddressBody | None = None
    discount_item: Ref | None = None
    discount_rate: Number | None = None


class CustomerBody(Written):
    """A customer to be made or changed. A person has a first and a last name, a company its own."""

    own: ClassVar[tuple[str, ...]] = ("custentity",)
    model_config = ConfigDict(extra="allow")

    subsidiary: Ref
    is_person: bool = True
    entity_id: Annotated[str | None, Field(max_length=83)] = None
    first_name: Annotated[str | None, Field(max_length=32)] = None
    last_name: Annotated[str | None, Field(max_length=32)] = None
    company_name: Annotated[str | None, Field(max_length=83)] = None
    email: Annotated[str | None, Field(max_length=254)] = None
    phone: Annotated[str | None, Field(max_length=32)] = None
    currency: Ref | None = None
    terms: Ref | None = None
    comments: str | None = None


class TransformLine(Written):
    """A line of a transform, by the order's line number; ``item_receive`` false leaves it out."""

    order_line: int
    item_receive: bool = True
    quantity: Number | None = None
    location: Ref | None = None


class TransformLines(Written):
    items: list[TransformLine]


class PackageBody(Written):
    package_tracking_number: str
    package_descr: str | None = None


class Packages(Written):
    items: list[PackageBody]


class FulfilmentBody(Written):
    external_id: ExternalId
    ship_status: Ref
    tran_date: Day | None = None
    memo: str | None = None
    item: TransformLines
    package: Packages


class BillBody(Written):
    """Of an invoice or a cash sale: everything that left and is not billed."""

    external_id: ExternalId
    tran_date: Day | None = None
    undep_funds: bool | None = None
    account: Ref | None = None
    payment_option: Ref | None = None


class AppliedBody(Written):
    doc: Ref
    apply: bool = True
    amount: Number


class AppliedRows(Written):
    items: list[AppliedBody]


class PaymentBody(Written):
    """``auto_apply`` stays off: the money goes where it is said to go. It lies in ``account``, else undeposited."""

    external_id: ExternalId
    customer: Ref
    payment: Number
    auto_apply: bool = False
    account: Ref | None = None
    undep_funds: bool | None = None
    currency: Ref | None = None
    tran_date: Day | None = None
    memo: str | None = None
    apply: AppliedRows | None = None


class CreditLine(Written):
    item: Ref
    quantity: Number
    rate: Number
    description: str | None = None


class CreditLines(Written):
    items: list[CreditLine]


class CreditBody(Written):
    entity: Ref
    item: CreditLines
    currency: Ref | None = None
    tran_date: Day | None = None
    memo: str | None = None


class ReceiptBody(Written):
    external_id: ExternalId
    tran_date: Day | None = None
    memo: str | None = None
    item: TransformLines


class ClosedLine(Written):
    line: int
    is_closed: bool = True


class ClosedLines(Written):
    items: list[ClosedLine]


class LinesClosed(Written):
    item: ClosedLines


def body(model: BaseModel) -> dict[str, Any]:
    """The document as it goes over the wire."""
    return model.model_dump(mode="json", by_alias=True, exclude_none=True)


class Read(BaseModel):
    """What the system says. Custom fields are kept, whatever else is not known as well."""

    model_config = ConfigDict(extra="allow", alias_generator=to_camel, populate_by_name=True, frozen=True)


class Named(Read):
    """A reference or a choice."""

    id: Annotated[str, BeforeValidator(str)]
    ref_name: str = ""


Code = Annotated[str | None, BeforeValidator(lambda told: told.get("id") if isinstance(told, dict) else told)]
"""A state or a country, told as it is or as a choice."""


class AddressRead(Read):
    addressee: str | None = None
    attention: str | None = None
    addr1: str | None = None
    addr2: str | None = None
    city: str | None = None
    state: Code = None
    zip: str | None = None
    country: Code = None
    addr_phone: str | None = None

    @property
    def company(self) -> str | None:
        """Whose attention is asked for, where somebody else is the addressee."""
        return self.attention if self.addressee else None


class LineRead(Read):
    line: int
    item: Named
    quantity: Told = Decimal(0)
    rate: Told | None = None
    amount: Told | None = None
    location: Named | None = None
    is_closed: bool = False
    quantity_fulfilled: Told = Decimal(0)
    quantity_billed: Told = Decimal(0)
    quantity_received: Told = Decimal(0)


class LinesRead(Read):
    items: list[LineRead] = []


class TransactionRead(Read):
    """An order, a purchase, a transfer or a bill, whichever fields it has."""

    id: Annotated[str, BeforeValidator(str)]
    external_id: str | None = None
    tran_id: str | None = None
    tran_date: str | None = None
    ship_date: str | None = None
    other_ref_num: str | None = None
    email: str | None = None
    status: Named | str | None = None
    order_status: Named | str | None = None
    entity: Named | None = None
    currency: Named | None = None
    location: Named | None = None
    transferlocation: Named | None = None
    ship_method: Named | None = None
    shipping_cost: Told | None = None
    shipping_address: AddressRead | None = None
    total: Told | None = None
    amountremaining: Told | None = None
    created_from: Named | None = None
    last_modified_date: str = ""
    item: LinesRead = LinesRead()


class PaymentRead(Read):
    id: Annotated[str, BeforeValidator(str)]
    external_id: str | None = None
    customer: Named | None = None
    currency: Named | None = None
    payment: Told = Decimal(0)
    applied: Told = Decimal(0)
    unapplied: Told = Decimal(0)


_STATUSES: Final[dict[str, dict[str, str]]] = {
    "salesOrder": {
        "pending approval": "A",
        "pending fulfillment": "B",
        "cancelled": "C",
        "partially fulfilled": "D",
        "pending billing/partially fulfilled": "E",
        "pending billing": "F",
        "billed": "G",
        "closed": "H",
    },
    "purchaseOrder": {
        "pending supervisor approval": "A",
        "pending receipt": "B",
        "partially received": "D",
        "pending billing/partially received": "E",
        "pending bill": "F",
        "fully billed": "G",
        "closed": "H",
    },
    "transferOrder": {
        "pending approval": "A",
        "pending fulfillment": "B",
        "partially fulfilled": "D",
        "pending receipt/partially fulfilled": "E",
        "pending receipt": "F",
        "received": "G",
        "closed": "H",
    },
}
"""Letters by the words for them (B; of purchases and transfers C)."""


def letter(kind: str, told: Any) -> str:
    """A status as one letter: told as ``B``, as ``SalesOrd:B``, as a choice of one of these, or in words. Nothing
    where it is none of them.
    """
    if isinstance(told, Named):
        return letter(kind, told.id) or letter(kind, told.ref_name)
    text = str(told or "").strip()
    last = text.rpartition(":")[2].strip()
    if len(last) == 1 and last.isalpha():
        return last.upper()
    return _STATUSES.get(kind, {}).get(text.lower(), "")
