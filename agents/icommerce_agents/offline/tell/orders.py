"""Changes of orders, parcels and refunds in words. Figures are the result's own."""

from __future__ import annotations

import re

from icommerce_agents.offline import lexicon, shapes
from icommerce_agents.offline.choosing import number_of
from icommerce_agents.offline.dialogue import Json, Result
from icommerce_agents.offline.scene import Scene
from icommerce_agents.offline.tell import anything
from icommerce_agents.offline.tell.anything import plainly
from icommerce_agents.offline.tell.phrases import failure, joined, listed, say


def quote(result: Result, scene: Scene) -> str:
    """What a change would do, and that only the card does it."""
    if not result.ok:
        return failure(result, scene.seed)
    told = change(result.value) if result.value.get("kind") in _heads() else anything.told(result.value)
    return ("\n" if "\n" in told else " ").join([told, say("on_card", scene.seed)])


def _heads() -> dict[str, str]:
    found: dict[str, str] = lexicon.load("replies")["quote_head"]
    return found


def change(value: Json) -> str:
    """A quoted change: what goes and comes, what it costs or gives back, and where that goes."""
    rows = {key: shapes.rows(value, key) for key in ("ends", "sent_back", "comes") if value.get(key)}
    parts = [f"{_WORDS[key]}{listed(map(_line, found))}" for key, found in rows.items()]
    terms = value.get("terms") if isinstance(value.get("terms"), dict) else {}
    back = value.get("refund") or (terms or {}).get("goes_back")
    where = f" to {plainly(value['refund_to'])}" if value.get("refund_to") else ""
    parts += [f"{back} goes back{where}{_when(terms or {})}"] if back else []
    parts += [f"{value['charge']} is charged{_with(value)}"] if value.get("charge") else []
    address = value.get("ship_to")
    parts += (
        [f"it goes to {anything.address(address)}"] if isinstance(address, dict) and value["kind"] == "address" else []
    )
    parts += [f"the order is then {value['order_total_after']}"] if value.get("order_total_after") else []
    return (
        f"{_heads()[str(value['kind'])]} {value.get('order')}: {'; '.join(parts)}." if parts else anything.told(value)
    )


_WORDS = {"ends": "", "sent_back": "", "comes": "in exchange "}


def _line(row: Json) -> str:
    options = row.get("options") or {}
    chosen = f" ({', '.join(map(str, options.values()))})" if isinstance(options, dict) and options else ""
    return f"{row.get('quantity')} \u00d7 {row.get('title')}{chosen}"


def _when(terms: Json) -> str:
    fee = f", fee {terms['fee']}" if re.search(r"[1-9]", str(terms.get("fee") or "")) else ""
    return f" {terms['when']}{fee}" if terms.get("when") else fee


def _with(value: Json) -> str:
    return f" to {value['pays_with']}" if value.get("pays_with") else ""


def tracking(result: Result, order: Json, scene: Scene) -> str:
    if not result.ok:
        return failure(result, scene.seed)
    told = anything.told(result.value)
    return told if number_of(order) in told else joined(f"{number_of(order)}:", told)


def refunds(result: Result, order: Json, scene: Scene) -> str:
    if not result.ok:
        return failure(result, scene.seed)
    rows = shapes.rows(result.value)
    spoken = anything.told(result.value)
    return spoken if rows or spoken else say("refund_none", scene.seed, number=number_of(order))


def listing(result: Result, scene: Scene, head: str, empty: str) -> str:
    """Rows under a heading, or that there are none."""
    if not result.ok:
        return failure(result, scene.seed)
    rows = shapes.rows(result.value)
    if not rows:
        return say(empty, scene.seed)
    return "\n".join([say(head, scene.seed), *(f"- {anything.row(row)}" for row in rows[:10])])


def done(result: Result, scene: Scene, key: str) -> str:
    """A sentence of our own and what the result says."""
    return joined(say(key, scene.seed), anything.told(result.value)) if result.ok else failure(result, scene.seed)
