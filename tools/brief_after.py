"""Views of what comes after an order, cut down to what a model needs to know and say: returns, warranties, claims."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from engine.conversations.schemas import OpenCard
from engine.orders.given_back import GivenBackView
from engine.returns.schemas import ReturnableLineView, ReturnableView, ReturnView
from engine.warranties.schemas import ClaimParcelView, ClaimView, WarrantyPage, WarrantyView


def returnable(view: ReturnableView) -> dict[str, Any]:
    """What can come back, for the reasons that count."""
    return {
        "possible": view.possible,
        "message": view.message,
        "lines": [_returnable(line) for line in view.lines],
        "reasons": {one.code: one.text for one in view.reasons},
        "shop_fault_reasons": [one.code for one in view.reasons if one.shop_fault],
        "conditions": view.conditions,
        "refund_to": view.refund_to,
        "exchanges": view.exchanges,
    }


def _returnable(line: ReturnableLineView) -> dict[str, Any]:
    told: dict[str, Any] = {
        "line_id": line.line_id,
        "variant_id": line.variant_id,
        "title": line.title,
        "options": line.options,
        "units": line.units,
        "units_if_shop_fault": line.units_for_fault,
        "worth": str(line.worth),
        "until": line.until.date().isoformat() if line.until else None,
    }
    if line.message:
        told["why_not"] = line.message
    if line.parts:
        told["parts"] = [one.model_dump() for one in line.parts]
    return told


def given_back(rows: Sequence[GivenBackView]) -> list[dict[str, Any]]:
    return [
        {
            "amount": str(row.amount),
            "status": row.status,
            "reason": row.reason,
            "to": row.to,
            "asked_on": row.asked_at.date().isoformat(),
            "done_on": row.done_at.date().isoformat() if row.done_at else None,
        }
        for row in rows
    ]


def returning(view: ReturnView) -> dict[str, Any]:
    """A return as its shopper is told of it."""
    told: dict[str, Any] = {
        "id": view.id,
        "number": view.number,
        "order": view.order_number,
        "kind": view.kind,
        "status": view.status,
        "lines": [_back(line.model_dump()) for line in view.lines],
        "goes_back": str(view.refund),
        "went_back": str(view.given),
        "refund_to": view.refund_to.replace("_", " "),
        "refund_when": view.refund_at,
    }
    told |= {name: str(price) for name, price in (("fee", view.fee), ("charged", view.charge)) if price.amount}
    if view.keep:
        told["keep_the_goods"] = True
    if view.label:
        told |= {"label": "printable", "carrier": view.carrier, "tracking_number": view.tracking_number}
        told["send_by"] = view.send_by.date().isoformat()
    if view.parcel:
        told["last_event"] = view.parcel[-1].text
    return told | ({"message": view.message} if view.message else {})


def _back(line: dict[str, Any]) -> dict[str, Any]:
    kept = ("title", "quantity", "reason", "received", "exchange_title")
    return {name: line[name] for name in kept if line[name]}


def asked(card: OpenCard) -> dict[str, Any]:
    """A card that asks something, as its question says it."""
    note = "Say what it asks and that they press on the card. Nothing has been changed."
    return {
        "card": "shown",
        "question": card.message,
        "valid_until": f"{card.expires_at:%Y-%m-%d %H:%M} UTC",
        "note": note,
    }


def warranties(page: WarrantyPage) -> dict[str, Any]:
    """Units and the faults that can be told of them."""
    return {
        "items": [_warranty(one) for one in page.items],
        "faults": {one.code: one.text for one in page.symptoms if one.covered},
        "not_covered": [one.text for one in page.symptoms if not one.covered],
    }


def _warranty(view: WarrantyView) -> dict[str, Any]:
    told: dict[str, Any] = {
        "id": view.id,
        "title": view.title,
        "order": view.order_number,
        "unit": view.unit,
        "until": view.ends_on.isoformat(),
        "status": str(view.status),
        "claimable": view.claimable,
    }
    return told | ({"why_not": view.message} if view.message else {})


def claim(view: ClaimView) -> dict[str, Any]:
    """A claim as its shopper is told of it."""
    told: dict[str, Any] = {
        "id": view.id,
        "number": view.number,
        "title": view.title,
        "status": str(view.status),
        "fault": view.symptom,
        "filed_on": view.created_at.date().isoformat(),
    }
    if view.offers:
        told["offers"] = [str(one) for one in view.offers]
    if view.resolution:
        told["resolution"] = str(view.resolution)
    if view.refund.amount:
        told["refund"] = str(view.refund)
    if view.choose_by:
        told["choose_by"] = view.choose_by.date().isoformat()
    if view.answer_by:
        told["answer_by"] = view.answer_by.date().isoformat()
    told |= {name: _parcel(one) for name, one in (("send_in", view.send_in), ("sent_back", view.sent_back)) if one}
    return told | ({"message": view.message} if view.message else {})


def _parcel(view: ClaimParcelView) -> dict[str, Any]:
    last = view.events[-1].text if view.events else ""
    return {"carrier": view.carrier, "tracking_number": view.tracking_number, "last_event": last}
