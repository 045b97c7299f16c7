"""What each kind of card shows, and the question it asks in a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy.orm import Session

from engine.checkout.models import Consent, ConsentStatus
from engine.conversations import events
from engine.kit.money import format_minor
from engine.orders.changes.views import view as change_view
from engine.orders.models import Order, OrderChange
from engine.warranties.models import Resolution

Shown = Mapping[str, Any]
_ACTS: Final = {
    "cancel": "Cancel {what} of order {number}?",
    "address": "Send order {number} to {to}?",
    "payment_method": "Pay order {number} with {label}?",
    "items": "Change items of order {number}?",
    "return": "Send {what} of order {number} back?",
}


def payment(_session: Session, row: Consent) -> dict[str, Any]:
    """``{checkout: ConfirmationSummary}``."""
    return {"checkout": row.summary}


def pay(shown: Shown) -> str:
    checkout = shown["checkout"]
    return f"Pay {_money(checkout['total'])} to {checkout['merchant']}?"


def change(session: Session, row: Consent) -> dict[str, Any]:
    """``{change: ChangeView}``: as it was quoted while it is open, then as it is now."""
    if row.status == ConsentStatus.OPEN:
        return {"change": row.summary["change"]}
    now = session.get_one(OrderChange, (row.tenant_id, row.subject_id), populate_existing=True)
    order = session.get_one(Order, (row.tenant_id, now.order_id))
    return {"change": change_view(order, now).model_dump(mode="json")}


def change_words(shown: Shown) -> str:
    """With what it costs or gives back."""
    told = shown["change"]
    gone = [*told["ended"], *told["returned"]]
    asked = _ACTS[told["kind"]].format(
        number=told["order_number"],
        what=", ".join(f"{one['quantity']} x {one['title']}" for one in gone),
        to=_place(told["ship_to"] or {}),
        label=(told["payment_method"] or {}).get("label", "another method"),
    )
    return " ".join([asked, *_money_words(told)])


def claim(session: Session, row: Consent) -> dict[str, Any]:  # noqa: ARG001 (all kinds are asked alike)
    """``{claim, offers}``, and the choice once there is one."""
    summary = row.summary
    refund = summary["refund"]
    offers = [{"resolution": one, "refund": refund if one == Resolution.REFUND else None} for one in summary["offers"]]
    made = {"choice": row.choice} if row.choice else {}
    return {"claim": summary["claim"] | {"merchant": summary["merchant"]}, "offers": offers} | made


def claim_words(shown: Shown) -> str:
    *first, last = [_OFFERS[one["resolution"]] for one in shown["offers"]]
    offers = f"{', '.join(first)} or {last}" if first else last
    return f"{shown['claim']['title']}: do you want {offers}?"


_OFFERS: Final = {
    Resolution.REPAIR: "a repair",
    Resolution.REPLACEMENT: "a replacement",
    Resolution.REFUND: "your money back",
}


def claim_answer(shown: Shown) -> dict[str, Any]:
    """A yes names what was chosen."""
    choice = {"type": "string", "enum": [one["resolution"] for one in shown["offers"]]}
    schema = events.RESUME_SCHEMA
    return schema | {"properties": schema["properties"] | {"choice": choice}, "required": ["approved", "choice"]}


def return_cancel(_session: Session, row: Consent) -> dict[str, Any]:
    """``{return_cancel}``: what is given up, and what goes back for it."""
    return dict(row.summary)


def return_words(shown: Shown) -> str:
    told = shown["return_cancel"]
    back = [f"{_money(told['refund'])} goes back to you."] if told["refund"]["amount"] else []
    return " ".join([f"Give up {told['kind']} {told['number']}?", *back])


def default_address(_session: Session, row: Consent) -> dict[str, Any]:
    """``{default_address}``: where things are to go from now on."""
    return dict(row.summary)


def address_words(shown: Shown) -> str:
    return f"Keep {_place(shown['default_address']['ship_to'])} as your default address?"


def _place(ship_to: Mapping[str, Any]) -> str:
    return ", ".join(ship_to[part] for part in ("line_one", "city") if ship_to.get(part))


def _money_words(told: Shown) -> list[str]:
    """What is charged, set aside or given back; nothing where no money moves."""
    words = []
    if told["charge"]["amount"]:
        words.append(f"{_money(told['charge'])} is charged.")
    if told["set_aside"]["amount"]:
        words.append(f"{_money(told['set_aside'])} is set aside.")
    back = told["terms"]["refund"] if told["terms"] else told["refund"]
    if back["amount"]:
        words.append(f"{_money(back)} goes back to you.")
    return words


def _money(price: Mapping[str, Any]) -> str:
    return format_minor(price["amount"], price["currency"])
