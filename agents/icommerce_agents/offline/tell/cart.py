"""The cart in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from icommerce_agents.offline.dialogue import Json, Result
from icommerce_agents.offline.scene import Scene, added_variant
from icommerce_agents.offline.tell.phrases import failure, joined, listed, plural, say, sentence


def line_name(line: Json, *, count: bool = True) -> str:
    """``2 x Ridge Tent (blue)``."""
    options = ", ".join(str(value) for value in (line.get("options") or {}).values())
    title = f"{line.get('title')}{f' ({options})' if options else ''}"
    return f"{line.get('quantity')} \u00d7 {title}" if count and line.get("quantity") else title


def names(lines: Sequence[Json], *, count: bool = True) -> str:
    return listed(line_name(line, count=count) for line in lines)


def change(result: Result, scene: Scene, key: str) -> str:
    """What went in (``added`` or ``swapped``), the alternatives and the new total."""
    if not result.ok:
        return failure(result, scene.seed)
    return joined(
        say(key, scene.seed, what=_added(result)), _alternatives(result, scene), notices(result), total(result, scene)
    )


def _added(result: Result) -> str:
    added = result.value.get("added")
    variant = added_variant(result)
    line = next((row for row in result.value.get("lines") or () if row.get("variant_id") == variant), None)
    if isinstance(added, str):
        return added
    row: Json = {**(added if isinstance(added, dict) else {}), **(line or {})}
    there, asked = int(row.get("quantity") or 1), int(result.call.arguments.get("quantity") or 1)
    if result.call.name == "add_to_cart":
        row["quantity"] = min(asked, there)
    if not row.get("title"):
        return "it"
    price = row.get("unit_price") or row.get("price")
    each = f" at {price}{' each' if row.get('quantity', 1) != 1 else ''}" if price else ""
    more = f" (now {there} of it)" if there > int(row.get("quantity") or 1) else ""
    return f"{line_name(row)}{each}{more}"


def _alternatives(result: Result, scene: Scene) -> str:
    others: list[Any] = list(result.value.get("alternatives") or ())
    values: dict[str, list[str]] = {}
    for other in others:
        for name, value in (other.get("options") or {}).items() if isinstance(other, dict) else ():
            values.setdefault(str(name), []).append(str(value))
    taken = _taken(result)
    found = [value for name, named in values.items() for value in dict.fromkeys(named) if value != taken.get(name)]
    found = found or [str(other.get("title") or "") if isinstance(other, dict) else str(other) for other in others]
    found = [name for name in found if name]
    return say("alternatives", scene.seed, names=listed(found[:8])) if found else ""


def _taken(result: Result) -> Json:
    """The options of the variant that went in."""
    added = result.value.get("added")
    lines: list[Json] = result.value.get("lines") or []
    line: Json = next((row for row in lines if row.get("variant_id") == added_variant(result)), {})
    return (added.get("options") if isinstance(added, dict) else None) or line.get("options") or {}


def notices(result: Result) -> str:
    return joined(*(sentence(str(text)) for text in result.value.get("notices") or ()))


def total(result: Result, scene: Scene) -> str:
    """Count and total; a running checkout tells its own total instead."""
    if scene.checking_out:
        return ""
    if not result.value.get("lines"):
        return say("cart_emptied", scene.seed)
    count = result.value.get("item_count") or sum(int(line.get("quantity") or 0) for line in result.value["lines"])
    told = say("cart_total", scene.seed, count=plural(int(count), "item"), total=result.value.get("total"))
    return joined(told, say("cart_next", scene.seed))


def cart(result: Result, scene: Scene) -> str:
    """Every line, the total, codes and notices."""
    if not result.ok:
        return failure(result, scene.seed)
    lines = result.value.get("lines") or []
    if not lines:
        return joined(say("cart_empty", scene.seed), notices(result))
    rows = [f"- {line_name(line)}, {line.get('line_total')}" for line in lines]
    codes = result.value.get("discount_codes") or []
    coded = f"Discount code: {listed(codes)}." if codes else ""
    tail = joined(
        f"Total {result.value.get('total')} before shipping and tax.",
        coded,
        notices(result),
        "" if scene.checking_out else say("cart_next", scene.seed),
    )
    return "\n".join([say("cart", scene.seed), *rows, tail])


def removed(result: Result, scene: Scene, what: str) -> str:
    if not result.ok:
        return failure(result, scene.seed)
    return joined(say("removed", scene.seed, what=what), notices(result), total(result, scene))


def quantity(result: Result, scene: Scene, variant_id: str) -> str:
    """The line as it is now: the shop may have given fewer."""
    if not result.ok:
        return failure(result, scene.seed)
    line = next((row for row in result.value.get("lines") or () if row.get("variant_id") == variant_id), None)
    head = say("quantity_set", scene.seed, what=line_name(line)) if line else ""
    return joined(head, notices(result), total(result, scene))


def currency(result: Result, scene: Scene, wanted: str) -> str:
    """Which currency prices are in from now on, or why they are not."""
    if not result.ok:
        return sentence(result.message) if result.message else failure(result, scene.seed)
    shown = str(result.value.get("currency") or wanted)
    lines = result.value.get("lines")
    return joined(
        say("currency_set", scene.seed, currency=shown), notices(result), total(result, scene) if lines else ""
    )


def discount(result: Result, scene: Scene, code: str) -> str:
    """Whether the code is on the cart, as the result has it."""
    if not result.ok:
        return (
            say("code_refused", scene.seed, code=code, message=sentence(result.message))
            if result.message
            else failure(result, scene.seed)
        )
    if not code:
        return joined(say("code_off", scene.seed), notices(result))
    on = code.upper() in {str(known).upper() for known in result.value.get("discount_codes") or ()}
    if on:
        return joined(say("code_on", scene.seed, code=code), notices(result), total(result, scene))
    return joined(f"Code {code} did not apply.", notices(result))
