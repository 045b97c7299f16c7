"""What the shop's staff bring to an end: deliveries that arrived, exceptions, parcels that were lost."""

from __future__ import annotations

import re
from collections.abc import Generator, Sequence
from typing import Final

from icommerce_agents.offline import lexicon, shapes
from icommerce_agents.offline.asks import Ask
from icommerce_agents.offline.choosing import id_of, named, placed
from icommerce_agents.offline.dialogue import Call, Json, Result
from icommerce_agents.offline.goals.operations import item_of, proposed, units_of
from icommerce_agents.offline.language import plain
from icommerce_agents.offline.scene import Scene
from icommerce_agents.offline.script import Script
from icommerce_agents.offline.tell import anything
from icommerce_agents.offline.tell.phrases import failure, listed, say

_SHIPMENT: Final = re.compile(r"\bshi_[0-9A-Za-z]+")
_NOT_HERE: Final = frozenset({"none", "decide_order"})
_AGAIN: Final = lexicon.pattern("sends_again")
_MONEY_BACK: Final = lexicon.pattern("gives_up")


def receive_stock(ask: Ask, scene: Scene) -> Script:
    """The delivery that is meant, with the units that were said or else all that are still to come."""
    found = yield from _rows("list_incoming", scene)
    row = found if isinstance(found, str) else _one(ask, found, scene, "nothing_incoming", "ops_which_incoming")
    if isinstance(row, str):
        return row
    lines = _arrived(ask, row)
    if not lines:
        return say("ops_which_item", scene.seed)
    return (yield from proposed("propose_receipt", {"inbound_id": id_of(row, "inbound_id"), "lines": lines}, scene))


def _arrived(ask: Ask, row: Json) -> list[Json]:
    lines = shapes.rows(row, "lines")
    said = {word.upper() for text in ask.said for word in re.findall(r"[\w-]+", text)}
    meant = [line for line in lines if str(line.get("sku")).upper() in said] or (
        named([item_of(ask) or ""], lines, anything.row) or lines
    )
    units = units_of(ask) if len(meant) == 1 else None
    counted = [(str(line.get("sku")), units or _outstanding(line)) for line in meant]
    return [{"sku": sku, "quantity": quantity} for sku, quantity in counted if quantity > 0]


def _outstanding(line: Json) -> int:
    return int(line.get("expected") or 0) - int(line.get("received") or 0)


def settle_exception(ask: Ask, scene: Scene) -> Script:
    """The exception that is meant, of those with one safe thing to do."""
    found = yield from _rows("list_exceptions", scene)
    if isinstance(found, str):
        return found
    rows = [row for row in found if str(row.get("action") or "") not in _NOT_HERE]
    row = _one(ask, rows, scene, "nothing_to_settle", "ops_which_exception")
    if isinstance(row, str):
        return row
    return (yield from proposed("settle_exception", {"alert_id": id_of(row, "alert_id")}, scene))


def lost_parcel(ask: Ask, scene: Scene) -> Script:
    """The parcel by its id or its exception; what follows is for the staff to say."""
    remedy = next((code for text in ask.said if (code := _remedy(plain(text)))), None)
    if remedy is None:
        return say("ops_which_remedy", scene.seed)
    shipment = next((id_.group() for text in ask.said if (id_ := _SHIPMENT.search(text))), None)
    if shipment is None:
        found = yield from _rows("list_exceptions", scene)
        if isinstance(found, str):
            return found
        rows = [row for row in found if _SHIPMENT.search(str(row))]
        row = _one(ask, rows, scene, "nothing_lost", "ops_which_exception")
        if isinstance(row, str):
            return row
        shipment = "".join(_SHIPMENT.findall(str(row))[:1])
    return (yield from proposed("propose_remedy", {"shipment_id": shipment, "remedy": remedy}, scene))


def _remedy(words: str) -> str | None:
    return "reship" if _AGAIN.search(words) else "refund" if _MONEY_BACK.search(words) else None


def _rows(ability: str, scene: Scene) -> Generator[Call, Result, list[Json] | str]:
    result = yield Call(ability)
    return shapes.rows(result.value) if result.ok else failure(result, scene.seed)


def _one(ask: Ask, rows: Sequence[Json], scene: Scene, none: str, question: str) -> Json | str:
    """The row that is meant by its id, its place in our question or its words; else what to say."""
    if not rows:
        return say(none, scene.seed)
    by_id = [row for row in rows if any(code in text.lower() for text in ask.said for code in _codes(row))]
    by_place = placed(ask.said, rows) if ask.question == question else []
    found = by_id or by_place or named(ask.said, rows, _words) or list(rows)
    if len(found) > 1:
        return say(question, scene.seed, choices=listed((_words(row) for row in found[:5]), "or"))
    return found[0]


def _codes(row: Json) -> list[str]:
    """What a row is called by letter and digit: its id, its reference."""
    return [value.lower() for value in row.values() if isinstance(value, str) and re.search(r"\d", value)]


def _words(row: Json) -> str:
    return anything.row(row).replace("_", " ")
