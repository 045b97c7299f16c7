"""Records in canonical words."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, Literal, TypeVar

from pydantic import BaseModel, ValidationError

from engine.sync.canonical import Expected, ExpectedLine, Invoice, SalesOrder, SalesOrderLine
from engine.sync.connectors.addresses import Spelling, address_of
from engine.sync.connectors.netsuite import wire
from engine.sync.connectors.netsuite.amounts import Currencies, exact_minor, minor
from engine.sync.connectors.netsuite.catalogue import Item
from engine.sync.connectors.netsuite.wire import LineRead, Named, TransactionRead
from engine.sync.errors import FieldFault, Rejected
from engine.sync.models import System

M = TypeVar("M", bound=BaseModel)
RECORDS: Final = {"purchase": "purchaseOrder", "transfer": "transferOrder"}
_SOURCE_LINE: Final = "custcol_shopify_line_id"
_PLACE: Final[Spelling] = {
    "name": ("addressee", "attention"),
    "company": ("company",),
    "line_one": ("addr1",),
    "line_two": ("addr2",),
    "city": ("city",),
    "region": ("state",),
    "postal_code": ("zip",),
    "country": ("country",),
    "phone": ("addr_phone",),
}


def transaction(raw: Mapping[str, Any]) -> TransactionRead:
    """Raises ``Rejected`` for a record that says something else than records do."""
    return _checked(TransactionRead, raw)


def payment(raw: Mapping[str, Any]) -> wire.PaymentRead:
    return _checked(wire.PaymentRead, raw)


def _checked(model: type[M], raw: Mapping[str, Any]) -> M:
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        faults = [FieldFault(".".join(map(str, one["loc"])), str(one["msg"])) for one in error.errors()]
        raise Rejected("The ERP's record is not what it should be.", fields=faults) from None


def units(number: Decimal, where: str) -> int:
    """Whole units, none below nothing. Raises ``Rejected``."""
    if number != number.to_integral_value() or number < 0:
        raise Rejected("The ERP tells a quantity that is no number of things.", fields=[FieldFault(where, str(number))])
    return int(number)


def sales_order(raw: dict[str, Any], *, account: str, items: Mapping[str, Item], currencies: Currencies) -> SalesOrder:
    """An order with its lines; ``items`` are those of its lines, by id."""
    read = transaction(raw)
    currency = currencies.code(read.currency)
    return SalesOrder(
        source=System.NETSUITE,
        account=account,
        source_id=read.id,
        raw=raw,
        external_id=read.external_id or "",
        number=read.tran_id or "",
        other_ref=read.other_ref_num or "",
        status=status("salesOrder", read),
        currency=currency,
        lines=tuple(_line(one, items, currency) for one in read.item.items),
        ship_to=address_of(read.shipping_address, _PLACE),
        email=read.email or "",
        ship_method=read.ship_method.id if read.ship_method else "",
        placed_on=read.tran_date or "",
        total=exact_minor(read.total, currency),
        shipping=exact_minor(read.shipping_cost, currency),
        flags=flags(read),
    )


def status(kind: str, read: TransactionRead) -> str:
    """The letter of an order's status; an order's own field goes before the general one."""
    return wire.letter(kind, read.order_status) or wire.letter(kind, read.status)


def flags(read: TransactionRead) -> dict[str, Any]:
    """The account's own fields."""
    return {name: value for name, value in (read.model_extra or {}).items() if name.startswith("custbody")}


def _line(read: LineRead, items: Mapping[str, Item], currency: str) -> SalesOrderLine:
    item, where = items.get(read.item.id), f"item.{read.line}.quantity"
    return SalesOrderLine(
        line=read.line,
        item_id=read.item.id,
        sku=item.sku if item and item.goods else "",
        quantity=units(abs(read.quantity), where),
        shipped=units(read.quantity_fulfilled, where),
        billed=units(read.quantity_billed, where),
        unit_price=exact_minor(read.rate, currency),
        amount=exact_minor(read.amount, currency),
        closed=read.is_closed,
        location=read.location.id if read.location else "",
        source_line_id=str((read.model_extra or {}).get(_SOURCE_LINE) or ""),
    )


def invoice(
    raw: dict[str, Any], *, kind: Literal["invoice", "cash_sale"], account: str, currencies: Currencies
) -> Invoice:
    """A bill. What was sold for cash is paid."""
    read = transaction(raw)
    currency = currencies.needed(read.currency)
    return Invoice(
        source=System.NETSUITE,
        account=account,
        source_id=read.id,
        raw=raw,
        kind=kind,
        external_id=read.external_id or "",
        number=read.tran_id or "",
        order_id=read.created_from.id if read.created_from else "",
        currency=currency,
        total=minor(read.total or Decimal(0), currency),
        remaining=0 if kind == "cash_sale" else minor(read.amountremaining or Decimal(0), currency),
    )


def expected(
    raw: dict[str, Any],
    *,
    kind: Literal["purchase", "transfer"],
    account: str,
    items: Mapping[str, Item],
    currencies: Currencies,
    changed_at: str,
    announced: bool,
) -> Expected:
    """Goods that are to come, with what came already. Of a transfer a line is what left the other place."""
    read = transaction(raw)
    place, currency = (read.location if kind == "purchase" else read.transferlocation), currencies.code(read.currency)
    return Expected(
        source=System.NETSUITE,
        account=account,
        source_id=read.id,
        raw=raw,
        kind=kind,
        number=read.tran_id or "",
        vendor=(read.entity or read.location or Named(id="")).ref_name,
        location=place.id if place else "",
        currency=currency if kind == "purchase" else "",
        expected_at=_day(read.ship_date),
        changed_at=changed_at,
        announced=announced,
        lines=tuple(_expected_line(one, items, currency, kind) for one in read.item.items if one.item.id in items),
    )


def _expected_line(read: LineRead, items: Mapping[str, Item], currency: str, kind: str) -> ExpectedLine:
    where = f"item.{read.line}.quantity"
    return ExpectedLine(
        line=read.line,
        sku=items[read.item.id].sku,
        quantity=units(abs(read.quantity), where),
        received=units(read.quantity_received, where),
        closed=read.is_closed,
        unit_cost=exact_minor(read.rate, currency) if kind == "purchase" else None,
    )


def _day(told: str | None) -> datetime | None:
    """A day, as its beginning in UTC; nothing where it is none."""
    try:
        return datetime.fromisoformat(told or "").replace(tzinfo=UTC)
    except ValueError:
        return None
