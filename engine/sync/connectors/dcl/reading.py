"""DCL's answers in canonical words. An answer that cannot be read is refused: it is never taken for an empty one."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, TypeVar
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ValidationError

from engine.sync.canonical import (
    Parcel,
    ParcelItem,
    Parcels,
    Receipt,
    ReceiptLine,
    StockLevel,
    WarehouseOrder,
    WarehouseState,
)
from engine.sync.connectors.dcl.wire import ItemRow, OrderRow, Package, ReceiptRow, Shipment
from engine.sync.errors import FieldFault, Rejected
from engine.sync.models import System

M = TypeVar("M", bound=BaseModel)
STATES: Final[Mapping[WarehouseState, int]] = {
    WarehouseState.OPEN: 1,
    WarehouseState.CANCELED: 2,
    WarehouseState.SHIPPED: 3,
}
"""What the parameter ``status`` says; 0 is any but canceled."""
_STATES: Final = {number: state for state, number in STATES.items()}
_MOST_FAULTS: Final = 10


def rows(data: Any, name: str) -> list[Any]:
    """A page's rows. Raises ``Rejected`` where the answer is not a page of them."""
    found = data.get(name) if isinstance(data, dict) else None
    if not isinstance(found, list):
        raise Rejected(f"DCL's answer has no list of {name}.", fields=[FieldFault(name, "it is missing")])
    return found


def row(model: type[M], value: Any, place: str) -> M:
    """Raises ``Rejected`` with what of it is not as it should be."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        faults = [
            FieldFault(".".join([place, *(str(step) for step in one["loc"])]), one["msg"])
            for one in error.errors(include_input=False, include_url=False)[:_MOST_FAULTS]
        ]
        raise Rejected("DCL's answer cannot be read.", fields=faults) from None


def order_of(row: OrderRow, account: str, zone: ZoneInfo) -> WarehouseOrder:
    return WarehouseOrder(
        source=System.DCL,
        account=row.account_number or account,
        source_id=row.order_number,
        order_ref=row.order_number,
        state=_state(row),
        reference=row.po_number,
        stage=row.stage_description,
        modified_at=_aware(row.modified_at, zone) if row.modified_at else None,
        shipments=tuple(_shipment(row, one, account, zone) for one in row.shipments),
    )


def _state(row: OrderRow) -> WarehouseState:
    """By its number where the answer has one, else by the words of its stage."""
    if row.order_status in _STATES:
        return _STATES[row.order_status]
    stage = row.stage_description.lower()
    if "cancel" in stage:
        return WarehouseState.CANCELED
    return WarehouseState.SHIPPED if stage.startswith("shipped") else WarehouseState.OPEN


def _shipment(row: OrderRow, shipment: Shipment, account: str, zone: ZoneInfo) -> Parcels:
    name = shipment_id(row.order_number, shipment)
    return Parcels(
        source=System.DCL,
        account=row.account_number or account,
        source_id=name,
        order_ref=row.order_number,
        parcels=tuple(_parcel(one, shipment) for one in shipment.packages) or _loose(shipment, name),
        shipped_at=_aware(shipment.ship_date, zone),
    )


def shipment_id(order_number: str, shipment: Shipment) -> str:
    """DCL names no shipments: its cartons do, in whatever order they are listed, or what lay in it and when it left."""
    cartons = sorted(one.carton_id or one.tracking_number for one in shipment.packages)
    if not any(cartons):
        lines = sorted(f"{line.item_number}x{line.quantity}" for line in shipment.shipped_lines)
        cartons = [shipment.ship_date.isoformat(), *lines]
    return hashlib.sha256("\n".join([order_number, *cartons]).encode()).hexdigest()[:12]


def _parcel(package: Package, shipment: Shipment) -> Parcel:
    return Parcel(
        ref=package.carton_id or package.tracking_number,
        tracking_number=package.tracking_number,
        carrier=shipment.carrier,
        service=shipment.service,
        items=tuple(
            ParcelItem(sku=one.item_number, quantity=one.quantity, serials=tuple(one.serial_numbers))
            for one in package.shipped_items
            if one.quantity
        ),
    )


def _loose(shipment: Shipment, name: str) -> tuple[Parcel, ...]:
    """What left without cartons that anybody told of."""
    items = tuple(
        ParcelItem(sku=one.item_number, quantity=one.quantity) for one in shipment.shipped_lines if one.quantity
    )
    return (Parcel(ref=name, tracking_number="", carrier=shipment.carrier, service=shipment.service, items=items),)


def receipt_of(row: ReceiptRow, account: str, zone: ZoneInfo) -> Receipt:
    return Receipt(
        source=System.DCL,
        account=account,
        source_id=row.receipt_id,
        ref=row.receipt_id,
        purchase_ref=row.po_number,
        at=_aware(row.received_date, zone),
        lines=tuple(
            ReceiptLine(line=one.line_number, sku=one.item_number, quantity=one.quantity_received) for one in row.lines
        ),
    )


def level_of(row: ItemRow, location: str) -> StockLevel:
    return StockLevel(
        sku=row.item_number,
        item_id=row.item_number,
        location=location,
        available=row.available,
        on_hand=row.on_hand,
    )


def said(at: datetime) -> str:
    """A moment as a filter."""
    return at.astimezone(UTC).replace(microsecond=0).isoformat().replace("+00:00", "Z")


def _aware(at: datetime, zone: ZoneInfo) -> datetime:
    return at if at.tzinfo else at.replace(tzinfo=zone)
