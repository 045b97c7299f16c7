"""Stock of a shop: available, committed to orders, on hand. Quantities are set, never guessed."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from engine.sync.sandbox.shopify.mistakes import TopLevel, UserErrors, user_error
from engine.sync.sandbox.shopify.shop import Shop, numbered
from engine.sync.sandbox.shopify.state import Level, Location, OrderedLine, Variant
from engine.sync.sandbox.wire import Json

CHUNK: Final = 250
_HIGHEST: Final = 1_000_000_000
REASONS: Final = frozenset(
    {
        "correction",
        "cycle_count_available",
        "damaged",
        "movement_canceled",
        "movement_created",
        "movement_received",
        "movement_updated",
        "other",
        "promotion",
        "quality_control",
        "received",
        "reservation_created",
        "reservation_deleted",
        "reservation_updated",
        "restock",
        "safety_stock",
        "shrinkage",
    }
)


def place_for(shop: Shop, variant: Variant | None, quantity: int) -> tuple[Location, bool]:
    """The first place that can send so many, and whether it truly can."""
    places = [one for one in shop.state.locations.values() if one.is_active]
    if variant is None or not variant.tracked:
        return places[0], True
    for place in places:
        level = variant.levels.get(place.id)
        if level is not None and level.available >= quantity:
            return place, True
    return next((one for one in places if one.id in variant.levels), places[0]), False


def commit(shop: Shop, row: OrderedLine, place_id: int) -> None:
    """An order waits for it: less is available, as much is on hand."""
    if row.line.variant is not None:
        row.held = row.total
        _move(shop, row.line.variant, place_id, available=-row.held, committed=row.held)


def release(shop: Shop, row: OrderedLine, place_id: int, quantity: int, *, restock: bool) -> None:
    """Nobody waits for it any more: it can be sold again, or is written off."""
    held = _let_go(row, quantity)
    if row.line.variant is not None and held:
        _move(shop, row.line.variant, place_id, available=held if restock else 0, committed=-held)


def ship(shop: Shop, row: OrderedLine, place_id: int, quantity: int) -> None:
    """It left: what was committed is gone; of an order that committed nothing, what was available."""
    held = _let_go(row, quantity)
    if row.line.variant is not None:
        _move(shop, row.line.variant, place_id, available=held - quantity, committed=-held)


def _let_go(row: OrderedLine, quantity: int) -> int:
    held = min(quantity, row.held)
    row.held -= held
    return held


def sell(shop: Shop, variant: Variant, place_id: int, quantity: int) -> None:
    """It went over the counter."""
    _move(shop, variant, place_id, available=-quantity, committed=0)


def restock(shop: Shop, variant: Variant, place_id: int, quantity: int) -> None:
    """It came back."""
    _move(shop, variant, place_id, available=quantity, committed=0)


def _level(variant: Variant, place_id: int) -> Level:
    return variant.levels.setdefault(place_id, Level())


def _move(shop: Shop, variant: Variant, place_id: int, *, available: int, committed: int) -> None:
    if not variant.tracked:
        return
    level = _level(variant, place_id)
    level.available += available
    level.committed += committed
    level.updated_at = shop.now()
    tell_level(shop, variant, place_id)


def tell_level(shop: Shop, variant: Variant, place_id: int) -> None:
    level = variant.levels[place_id]
    gid = f"gid://shopify/InventoryLevel/{variant.item_id}{place_id % 1000:03d}?inventory_item_id={variant.item_id}"
    body = {
        "inventory_item_id": variant.item_id,
        "location_id": place_id,
        "available": level.available,
        "updated_at": (level.updated_at or shop.now()).isoformat(),
        "admin_graphql_api_id": gid,
    }
    shop.emit("INVENTORY_LEVELS_UPDATE", gid, body)


def set_quantities(shop: Shop, args: Json) -> Json:
    """``inventorySetQuantities``: all of them or, where one is refused, none."""
    given = args["input"]
    rows = given["quantities"]
    if len(rows) > CHUNK:
        raise TopLevel(
            f"The input array size of {len(rows)} is greater than the maximum allowed of {CHUNK}.",
            "MAX_INPUT_SIZE_EXCEEDED",
        )
    faults = [*_form_faults(given), *_twins(rows)]
    for number, row in enumerate(rows):
        faults += _row_faults(shop, given["name"], number, row)
    if faults:
        raise UserErrors(*faults)
    now = shop.now()
    changes = [change for row in rows for change in _set(shop, given["name"], row)]
    group = {
        "typename": "InventoryAdjustmentGroup",
        "number": shop.number(),
        "reason": given["reason"],
        "referenceDocumentUri": given.get("referenceDocumentUri"),
        "createdAt": now,
        "changes": changes,
    }
    return {"inventoryAdjustmentGroup": group if changes else None}


def _form_faults(given: Json) -> list[Json]:
    faults = []
    if given["name"] not in {"available", "on_hand"}:
        faults.append(
            user_error(
                "The quantity name must be either 'available' or 'on_hand'.", "input", "name", code="INVALID_NAME"
            )
        )
    if given["reason"] not in REASONS:
        faults.append(user_error("The specified reason is invalid.", "input", "reason", code="INVALID_REASON"))
    reference = given.get("referenceDocumentUri")
    if reference is not None and not _is_reference(reference):
        message = "The specified reference document is invalid."
        faults.append(user_error(message, "input", "referenceDocumentUri", code="INVALID_REFERENCE_DOCUMENT"))
    return faults


def _is_reference(text: str) -> bool:
    parts = urlsplit(text)
    return bool(parts.scheme and parts.netloc and parts.path.strip("/"))


def _twins(rows: list[Json]) -> list[Json]:
    pairs = [(numbered(row["inventoryItemId"]), numbered(row["locationId"])) for row in rows]
    message = "The combination of inventoryItemId and locationId must be unique."
    return [
        user_error(message, "input", "quantities", str(number), code="NO_DUPLICATE_INVENTORY_ITEM_ID_GROUP_ID_PAIR")
        for number, pair in enumerate(pairs)
        if pair in pairs[:number]
    ]


def _row_faults(shop: Shop, name: str, number: int, row: Json) -> list[Json]:
    at = ("input", "quantities", str(number))
    variant = shop.state.items.get(numbered(row["inventoryItemId"]))
    place_id = numbered(row["locationId"])
    if variant is None:
        return [
            user_error(
                "The specified inventory item could not be found.",
                *at,
                "inventoryItemId",
                code="INVALID_INVENTORY_ITEM",
            )
        ]
    if variant.components:
        message = "The quantity of a bundle follows from its components and can't be set."
        return [user_error(message, *at, "inventoryItemId", code="NON_MUTABLE_INVENTORY_ITEM")]
    if place_id not in shop.state.locations:
        return [user_error("The specified location could not be found.", *at, "locationId", code="INVALID_LOCATION")]
    faults = _quantity_faults(at, row)
    return faults or _stale(at, name, variant.levels.get(place_id, Level()), row)


def _quantity_faults(at: tuple[str, ...], row: Json) -> list[Json]:
    if row["quantity"] < 0:
        return [user_error("The quantity can't be negative.", *at, "quantity", code="INVALID_QUANTITY_NEGATIVE")]
    if row["quantity"] > _HIGHEST:
        return [user_error("The quantity is too high.", *at, "quantity", code="INVALID_QUANTITY_TOO_HIGH")]
    if "changeFromQuantity" not in row:
        message = "changeFromQuantity is required: a number to compare with, or null to set whatever is there."
        return [user_error(message, *at, "changeFromQuantity", code="COMPARE_QUANTITY_REQUIRED")]
    return []


def _stale(at: tuple[str, ...], name: str, level: Level, row: Json) -> list[Json]:
    expected = row["changeFromQuantity"]
    if expected is None or expected == getattr(level, name):
        return []
    message = "The changeFromQuantity argument no longer matches the persisted quantity."
    return [user_error(message, *at, "changeFromQuantity", code="CHANGE_FROM_QUANTITY_STALE")]


def _set(shop: Shop, name: str, row: Json) -> list[Json]:
    variant = shop.state.items[numbered(row["inventoryItemId"])]
    place_id = numbered(row["locationId"])
    level = _level(variant, place_id)
    delta = row["quantity"] - getattr(level, name)
    if not delta:
        return []
    level.available += delta
    level.updated_at = shop.now()
    tell_level(shop, variant, place_id)
    place = shop.state.locations[place_id]
    changed = {"delta": delta, "item": variant, "location": place, "ledgerDocumentUri": None}
    return [changed | {"name": one, "quantityAfterChange": getattr(level, one)} for one in ("available", "on_hand")]
