"""Orders, shop facts, hand-over and stock in words."""

from __future__ import annotations

import re
from typing import Any

from icommerce_agents.offline.dialogue import Json, Result
from icommerce_agents.offline.scene import Scene
from icommerce_agents.offline.tell.phrases import failure, joined, listed, say, sentence

_SHIPPING_KEYS = ("shipping", "free_shipping_hint", "ships_to")


def _words(code: object) -> str:
    return str(code or "").replace("_", " ")


def order(item: Json) -> str:
    """One order: state, shipments, refunds."""
    head = f"{item.get('number')} ({item.get('placed')}, {item.get('total')}): {_words(item.get('status'))}, {_words(item.get('payment'))}, {_words(item.get('fulfillment'))}"
    what = listed(f"{line.get('quantity')} × {line.get('title')}" for line in item.get("lines") or ())
    parcels = [_parcel(shipment) for shipment in item.get("shipments") or ()]
    refunds = f"Refunded: {listed(item['refunds'])}." if item.get("refunds") else ""
    return joined(sentence(head), sentence(what), *parcels, refunds)


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


def shop(result: Result, scene: Scene, topic: str) -> str:
    """The part of the shop's own words that a topic is about."""
    if not result.ok:
        return failure(result, scene.seed)
    tell = {"returns_policy": _returns, "shop_shipping": _shipping, "shop_hours": _hours, "shop_contact": _contact}.get(
        topic, _about
    )
    contact = result.value.get("support_email")
    return tell(result.value, scene.text) or say(
        "shop_unknown", scene.seed, contact=f"; you can ask {contact}" if contact else ""
    )


def _returns(info: Json, _question: str) -> str:
    return " ".join(_flat(value) for key, value in info.items() if "return" in key)


def _shipping(info: Json, question: str) -> str:
    zones = [zone for zone in info.get("shipping") or () if isinstance(zone, dict)]
    named = [
        zone for zone in zones if re.search(rf"\b{re.escape(str(zone.get('zone', '')).lower())}\b", question.lower())
    ]
    told = [
        f"{zone.get('zone')}: {'; '.join(_rate(rate) for rate in zone.get('rates') or ())}." for zone in named or zones
    ]
    if not told:
        told = [_flat(info[key]) for key in _SHIPPING_KEYS if info.get(key)]
    places = f"We ship to {listed(info['ships_to'])}." if info.get("ships_to") and not named else ""
    hint = sentence(str(info["free_shipping_hint"])) if info.get("free_shipping_hint") else ""
    return joined(*told, places, hint)


def _rate(rate: Json) -> str:
    free = f", free over {rate['free_over']}" if rate.get("free_over") else ""
    return f"{rate.get('title')} {rate.get('price')} ({rate.get('days')} days{free})"


def _hours(info: Json, _question: str) -> str:
    hours = next((value for key, value in info.items() if "hours" in key and value), "")
    return sentence(f"Our team is here {_flat(hours)}") if hours else ""


def _contact(info: Json, question: str) -> str:
    email = f"You can write to {info['support_email']}." if info.get("support_email") else ""
    return joined(email, _hours(info, question), "Or say “talk to a person”, and I'll fetch someone here.")


def _about(info: Json, question: str) -> str:
    name = f"This is {info['name']}." if info.get("name") else ""
    return joined(
        name,
        sentence(_flat(info.get("tagline") or info.get("about") or "")),
        _returns(info, question),
        _hours(info, question),
    )


def _flat(value: Any) -> str:
    if isinstance(value, dict):
        return "; ".join(f"{_words(key)}: {_flat(part)}" for key, part in value.items() if part)
    if isinstance(value, list):
        return ", ".join(_flat(part) for part in value)
    return str(value)


def stock(result: Result, scene: Scene) -> str:
    if not result.ok:
        return failure(result, scene.seed)
    query = result.call.arguments.get("query", "")
    items = [item for item in result.value.get("items") or () if isinstance(item, dict)]
    if not items:
        return say("stock_none", scene.seed, query=query)
    return "\n".join([say("stock", scene.seed, query=query), *(_stock_row(item) for item in items[:12])])


def _stock_row(item: Json) -> str:
    places = [
        f"{place.get('code') or place.get('name')}: {place.get('on_hand')} on hand, {place.get('reserved')} reserved, {place.get('available')} available"
        for place in item.get("locations") or ()
    ]
    total = f", {item['available']} available in all" if item.get("available") is not None else ""
    return f"- {item.get('title')} ({item.get('sku')}){total}: {'; '.join(places) or 'no locations'}"
