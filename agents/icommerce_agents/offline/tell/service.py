"""Orders, shop facts, hand-over and stock in words."""

from __future__ import annotations

from icommerce_agents.offline.dialogue import Json, Result
from icommerce_agents.offline.scene import Scene
from icommerce_agents.offline.tell.phrases import failure, joined, listed, say, sentence

_NOT_YET = "not shipped yet"


def _words(code: object) -> str:
    return str(code or "").replace("_", " ")


def order(item: Json) -> str:
    """One order: state, shipments, refunds."""
    head = f"{item.get('number')}, placed on {item.get('placed')} for {item.get('total')}: {_states(item)}"
    what = listed(f"{line.get('quantity')} \u00d7 {line.get('title')}" for line in item.get("lines") or ())
    parcels = [_parcel(shipment) for shipment in item.get("shipments") or ()]
    refunds = f"Refunded: {listed(item['refunds'])}." if item.get("refunds") else ""
    return joined(sentence(head), sentence(what), *parcels, refunds)


def _states(item: Json) -> str:
    """``paid, not shipped yet`` instead of the codes; a canceled or waiting order says so first."""
    first = [] if item.get("status") in {"open", "closed"} else [_words(item.get("status"))]
    shipped = _NOT_YET if item.get("fulfillment") == "unfulfilled" else _words(item.get("fulfillment"))
    return ", ".join(dict.fromkeys([*first, _words(item.get("payment")), shipped]))


def _parcel(shipment: Json) -> str:
    number = f", tracking {shipment['tracking_number']}" if shipment.get("tracking_number") else ""
    state = f"delivered {shipment['delivered']}" if shipment.get("delivered") else _words(shipment.get("status"))
    event = f" Latest: {sentence(str(shipment['last_event']))}" if shipment.get("last_event") else ""
    return f"Parcel with {shipment.get('carrier')}{number}: {state}.{event}"


def orders(result: Result, scene: Scene) -> str:
    if not result.ok:
        return failure(result, scene.seed)
    items = result.value.get("items") or []
    if not items:
        return say("order_none", scene.seed)
    return (
        order(items[0])
        if len(items) == 1
        else "\n".join([say("orders", scene.seed), *(f"- {order(item)}" for item in items)])
    )


def status(result: Result, scene: Scene) -> str:
    """The masked state, whatever fields the shop gives."""
    if not result.ok:
        return failure(result, scene.seed)
    known = dict(result.value)
    number, placed = known.pop("number", "") or "that order", known.pop("placed_on", None) or known.pop("placed", None)
    states = [_words(value) for value in known.values() if value and isinstance(value, str)]
    return sentence(f"Order {number}{f', placed on {placed}' if placed else ''}, is {listed(dict.fromkeys(states))}")


def handoff(result: Result, scene: Scene, *, sorry: bool) -> str:
    if not result.ok:
        return failure(result, scene.seed)
    reference = result.value.get("reference")
    hours = result.value.get("hours")
    told = say(
        "human_sorry" if sorry else "human",
        scene.seed,
        reference=f" Your reference is {reference}." if reference else "",
    )
    return told + (f" {say('hours_note', scene.seed, hours=hours)}" if isinstance(hours, str) and hours else "")


def stock(result: Result, scene: Scene) -> str:
    if not result.ok:
        return failure(result, scene.seed)
    query = result.call.arguments.get("query", "")
    items = [item for item in result.value.get("items") or () if isinstance(item, dict)]
    if not items:
        return say("stock_none", scene.seed, query=query)
    return "\n".join([say("stock", scene.seed, query=query), *(_stock_row(item) for item in items[:12])])


def _stock_row(item: Json) -> str:
    places = [_stock_place(place) for place in item.get("locations") or ()]
    total = f", {item['available']} available in all" if item.get("available") is not None else ""
    return f"- {item.get('title')} ({item.get('sku')}){total}: {'; '.join(places) or 'no locations'}"


def _stock_place(place: Json) -> str:
    units = ", ".join(f"{place.get(key)} {_words(key)}" for key in ("on_hand", "reserved", "available"))
    return f"{place.get('code') or place.get('name')}: {units}"
