"""The checkout in words: what is missing, what it costs, what the card shows."""

from __future__ import annotations

import re
from collections.abc import Sequence

from icommerce_agents.offline.dialogue import Json, Result
from icommerce_agents.offline.scene import Scene
from icommerce_agents.offline.tell.cart import names
from icommerce_agents.offline.tell.phrases import days, failure, joined, listed, say, sentence

_ASKED = {
    "name": "the name of the person who receives it",
    "email": "an e-mail address",
    "address": "the delivery address",
    "fulfillment_option": "your choice of shipping",
    "payment_method": "how you'd like to pay",
}
_PARTS = {"line_one": "street and number", "city": "city", "state": "state", "postal_code": "ZIP or postal code"}


def missing(scene: Scene) -> str:
    """One sentence that asks for exactly what is still missing."""
    view = scene.checkout or {}
    wanted = [_asked(name, scene) for name in view.get("missing") or ()]
    text = say("ask_missing", scene.seed, missing=listed(wanted)) if wanted else ""
    if "payment_method" in (view.get("missing") or ()) and scene.methods == []:
        text = joined(text, say("payment_none", scene.seed))
    if "fulfillment_option" in (view.get("missing") or ()) and view.get("fulfillment_options"):
        text = joined(text, say("shipping_which", scene.seed, options=options(view, "or")))
    return text


def _asked(name: str, scene: Scene) -> str:
    given = {**{k: v for k, v in ((scene.checkout or {}).get("ship_to") or {}).items() if v}, **scene.given}
    if name == "address" and any(given.get(part) for part in _PARTS):
        parts = [
            label
            for part, label in _PARTS.items()
            if not given.get(part) and not (part == "state" and given.get("country", "US") not in {"US", "CA", "AU"})
        ]
        return f"the {listed(parts)} for the delivery address" if parts else "the complete delivery address"
    if name == "payment_method" and scene.methods:
        return f"how you'd like to pay ({methods(scene.methods)})"
    return _ASKED.get(name, name.replace("_", " "))


def problems(view: Json, seed: int) -> str:
    found = [sentence(str(text)) for text in view.get("problems") or ()]
    return say("problem", seed, problems=" ".join(found)) if found else ""


def started(view: Json, scene: Scene) -> str:
    lines = view.get("lines") or scene.lines
    return say("checkout_started", scene.seed, lines=names(lines)) if lines else ""


def noted(fields: Json, seed: int) -> str:
    """Which details were taken down, named but not repeated in full."""
    heard = [
        word
        for word, keys in (
            ("name", ("name",)),
            ("e-mail", ("email",)),
            ("phone", ("phone",)),
            ("address", ("line_one", "city", "postal_code")),
        )
        if any(fields.get(k) for k in keys)
    ]
    return say("noted", seed, what=f", {listed(heard)} taken down" if heard else "")


def options(view: Json, last: str = "and") -> str:
    rows = [row for row in view.get("fulfillment_options") or () if isinstance(row, dict)]
    return listed(map(shipping, rows), last)


def shipping(row: Json) -> str:
    """``Expedited ($16.95, 2-3 days)``: a title's own days are left out."""
    price = str(row.get("price") or "")
    return f"{shipping_title(row)} ({price if re.search('[1-9]', price) else 'free'}, {days(row.get('days'))})"


def shipping_title(row: Json) -> str:
    return re.split(r",| \(", str(row.get("title") or ""))[0]


def chosen(view: Json) -> Json | None:
    return next((row for row in view.get("fulfillment_options") or () if row.get("selected")), None)


def shipping_set(view: Json, scene: Scene) -> str:
    row = chosen(view)
    return say("shipping_set", scene.seed, option=shipping(row)) if row else ""


def summary(view: Json, scene: Scene) -> str:
    """The total, what it is made of, and what ships later."""
    totals: Json = view.get("totals") or {}
    named = {
        "subtotal": "items",
        "items_base_amount": "items",
        "items_discount": "item discount",
        "discount": "discount",
        "fulfillment": "shipping",
        "tax": "tax",
    }
    parts = {named[key]: f"{named[key]} {value}" for key, value in totals.items() if key in named}
    text = say(
        "checkout_summary", scene.seed, total=view.get("total"), parts=f": {listed(parts.values())}" if parts else ""
    )
    return joined(text, *map(str, view.get("notices") or ()))


def card(result: Result, scene: Scene) -> str:
    """The card is there; only its button pays."""
    if not result.ok:
        return failure(result, scene.seed)
    return say(
        "card_shown",
        scene.seed,
        total=result.value.get("total"),
        method=result.value.get("payment_method") or "your card",
    )


def methods(rows: Sequence[Json], last: str = "or") -> str:
    return listed((row.get("label") or row.get("brand") for row in rows), last)
