"""Filling and changing the cart."""

from __future__ import annotations

import re
from collections.abc import Generator, Sequence

from icommerce_agents.offline import lexicon, slots
from icommerce_agents.offline.asks import Ask
from icommerce_agents.offline.dialogue import Call, Json, Result
from icommerce_agents.offline.goals.shopping import choices, find, query
from icommerce_agents.offline.language import words_of
from icommerce_agents.offline.references import (
    all_seen,
    beyond_listing,
    counted,
    fits,
    lines_meant,
    named_words,
    names_known,
    options_for,
    products_meant,
)
from icommerce_agents.offline.scene import Scene
from icommerce_agents.offline.script import Script, in_turn
from icommerce_agents.offline.tell import cart as tell
from icommerce_agents.offline.tell import products as tell_products
from icommerce_agents.offline.tell.phrases import joined, listed, say

_TALK = lexicon.pattern("cart_talk")


def add(ask: Ask, scene: Scene) -> Script:
    parts = _parts(ask, scene)
    told = yield from in_turn(_add_one(part, scene, ask_key="which_to_add") for part in parts)
    return _without_repeats(told)


def buy(ask: Ask, scene: Scene) -> Script:
    """Into the cart, then on to the checkout."""
    ids = products_meant(ask.plain, scene)
    in_cart = [i for i in ids if any(line.get("product_id") == i for line in scene.lines)]
    before = _units(scene)
    text = ""
    if not (len(ids) == 1 and in_cart and slots.quantity(ask.plain) is None):
        parts = _parts(ask, scene)
        text = joined(*(yield from in_turn(_add_one(part, scene, ask_key="which_to_buy") for part in parts)))
    if _units(scene) > before or in_cart:
        scene.settle = scene.stale = True
    return text


def _units(scene: Scene) -> int:
    return sum(int(line.get("quantity") or 0) for line in scene.lines)


def _parts(ask: Ask, scene: Scene) -> list[str]:
    """``the tent and two stoves`` → two parts, when each names something by itself."""
    if counted(ask.plain, scene.listing) and not re.search(r"\bof\b.*\band\b", ask.plain):
        return [ask.plain]
    parts = [part.strip() for part in re.split(r",\s*(?:and\s+)?|\s+and\s+|\s+plus\s+", ask.plain) if part.strip()]
    named = [part for part in parts if named_words(_TALK.sub(" ", part))]
    return (
        named
        if len(named) > 1 and all(names_known(p, scene) or set(words_of(p)) & lexicon.words("nouns") for p in named)
        else [ask.plain]
    )


def _add_one(plain: str, scene: Scene, *, ask_key: str) -> Script:
    placed = counted(plain, scene.listing or scene.focus)
    if not placed and (number := beyond_listing(plain, scene)):
        return say("no_such_number", scene.seed, count=len(scene.listing), number=number)
    bare = _TALK.sub(" ", plain)
    if named_words(bare) and query(plain) and not placed and not all_seen(bare, scene):
        return (yield from _find_and_add(plain, scene))
    ids = placed or products_meant(bare, scene)
    if not ids:
        return say("nothing_shown", scene.seed)
    if len(ids) > 1 and not placed:
        if not _definite(plain, ids, scene):
            return say(ask_key, scene.seed, choices=choices(ids, scene))
        ids = ids[:1]
    return (yield from _put(plain, ids, scene))


def _definite(plain: str, ids: Sequence[str], scene: Scene) -> bool:
    """``the tent`` after a list of tents: the first of them, which can be taken back."""
    return (
        bool(re.search(r"\b(?:the|that|this) (?!ones?\b|first|second)\w+", plain))
        and names_known(plain, scene)
        and ids[0] in scene.listing[:1]
    )


def _put(plain: str, ids: Sequence[str], scene: Scene) -> Script:
    told = []
    for product_id in ids[:4]:
        wanted = options_for(plain, scene.product(product_id)) or _searched_for(product_id, scene)
        arguments: Json = {"item_id": product_id, "quantity": slots.quantity(plain) or 1, "options": wanted or None}
        result = yield Call("add_to_cart", {k: v for k, v in arguments.items() if v is not None})
        told.append(joined(tell.change(result, scene, "added"), _instead(result, scene.product(product_id))))
        touched(scene, result)
    return _without_repeats(told)


def _searched_for(product_id: str, scene: Scene) -> dict[str, str]:
    """The color or size the list was narrowed to, if the product has it."""
    asked: dict[str, str] = (scene.search.call.arguments.get("options") if scene.search else None) or {}
    return dict(asked) if product_id in scene.listing and asked and fits(scene.product(product_id), asked) else {}


def _instead(result: Result, product: Json) -> str:
    """What there is, when the refusal did not say so itself."""
    return (
        "" if result.ok or re.search(r"\b(offered|in stock):? ", result.message, re.IGNORECASE) else _made_in(product)
    )


def _made_in(product: Json) -> str:
    offered = [f"{name}: {', '.join(map(str, values))}" for name, values in (product.get("options") or {}).items()]
    return f"It is offered in {'; '.join(offered)}." if offered else ""


def _without_repeats(told: Sequence[str]) -> str:
    """Several additions need the cart's total and the next step once: at the end."""
    if len(told) < 2:
        return "".join(told)
    heads = [re.split(r" (?=Your cart: |That makes )", text)[0] for text in told[:-1]]
    return joined(*heads, told[-1])


def _find_and_add(plain: str, scene: Scene) -> Script:
    """Something not seen yet: search, and add it when the name leaves no doubt."""
    found = yield from find(_TALK.sub(" ", plain))
    items = [item for item in found.value.get("items") or () if isinstance(item, dict)]
    words = named_words(query(plain))
    exact = [
        item
        for item in items
        if all(any(w.rstrip("s") in part for part in words_of(str(item.get("title", "")).lower())) for w in words)
    ]
    if len(exact) == 1:
        return (yield from _put(plain, [exact[0]["id"]], scene))
    return tell_products.listing(found, scene)


def touched(scene: Scene, result: Result) -> None:
    """A changed cart makes a running checkout stale."""
    if result.ok and scene.checking_out:
        scene.settle = scene.stale = True


def _cart_first(scene: Scene) -> Generator[Call, Result, None]:
    """Look at the cart when nothing in the conversation shows it."""
    if not scene.cart_known:
        yield Call("view_cart")


def remove(ask: Ask, scene: Scene) -> Script:
    yield from _cart_first(scene)
    lines = lines_meant(ask.plain, scene, strict=True)
    ids = [str(line.get("variant_id")) for line in scene.lines]
    if not scene.lines:
        return say("cart_empty", scene.seed)
    if not lines:
        return say("not_in_cart", scene.seed, lines=tell.names(scene.lines))
    if len(lines) > 1 and len(lines) != len(counted(ask.plain, ids)):
        return say("which_line_remove", scene.seed, lines=listed((tell.line_name(line) for line in lines), "or"))
    return _without_repeats((yield from in_turn(_take_out(ask, scene, line) for line in lines)))


def _take_out(ask: Ask, scene: Scene, line: Json) -> Script:
    fewer = slots.relative_quantity(ask.plain)
    left = max(0, int(line.get("quantity") or 1) + fewer) if fewer and fewer < 0 else 0
    variant = str(line.get("variant_id"))
    result = yield Call("update_cart_line", {"variant_id": variant, "quantity": left})
    touched(scene, result)
    if left:
        return tell.quantity(result, scene, variant)
    return tell.removed(result, scene, tell.line_name(line, count=False))


def set_quantity(ask: Ask, scene: Scene) -> Script:
    yield from _cart_first(scene)
    if _means_what_is_shown(ask.plain, scene):
        return (yield from add(ask, scene))
    lines = lines_meant(ask.plain, scene)
    if not lines:
        return (
            say("not_in_cart", scene.seed, lines=tell.names(scene.lines))
            if scene.lines
            else say("cart_empty", scene.seed)
        )
    if len(lines) > 1:
        return say("which_line_quantity", scene.seed, lines=listed((tell.line_name(line) for line in lines), "or"))
    wanted = _wanted(ask.plain, int(lines[0].get("quantity") or 1))
    if wanted is None:
        return say("how_many", scene.seed)
    variant = str(lines[0].get("variant_id"))
    result = yield Call("update_cart_line", {"variant_id": variant, "quantity": wanted})
    touched(scene, result)
    return tell.quantity(result, scene, variant)


def _means_what_is_shown(plain: str, scene: Scene) -> bool:
    """``two of these`` about a product just shown that is not in the cart yet."""
    shown = scene.last_tool in {"search_products", "get_product"} and scene.focus
    inside = any(line.get("product_id") in scene.focus[:1] for line in scene.lines)
    return (
        bool(shown)
        and not inside
        and bool(re.search(r"\b(of (these|those|them|it)|in [a-z]+)\b", plain))
        and slots.relative_quantity(plain) is None
    )


def _wanted(plain: str, now: int) -> int | None:
    change = slots.relative_quantity(plain)
    if change is not None:
        return min(99, max(0, now + change))
    if re.search(r"\bdouble\b", plain):
        return min(99, now * 2)
    if re.search(r"\b(?:only|just|make (?:it|that)|to) (?:one|1)\b|^(?:just )?one\b", plain):
        return 1
    return slots.quantity(plain)


def swap(ask: Ask, scene: Scene) -> Script:
    yield from _cart_first(scene)
    lines = _swappable(lines_meant(ask.plain, scene), scene)
    if not lines:
        return (
            say("not_in_cart", scene.seed, lines=tell.names(scene.lines))
            if scene.lines
            else say("cart_empty", scene.seed)
        )
    if len(lines) > 1:
        return say("which_line_swap", scene.seed, lines=listed((tell.line_name(line) for line in lines), "or"))
    product = scene.product(str(lines[0].get("product_id")))
    wanted = options_for(re.sub(r"\bfrom \w+(?: \w+)? to\b|\binstead of \w+", " to ", ask.plain), product)
    if not wanted:
        return say("swap_to_what", scene.seed, choices=_made_in(product))
    result = yield Call("swap_cart_variant", {"variant_id": str(lines[0].get("variant_id")), "options": wanted})
    touched(scene, result)
    return joined(tell.change(result, scene, "swapped"), _instead(result, product))


def _swappable(lines: list[Json], scene: Scene) -> list[Json]:
    """The wanted color is not the line's own: among several, the line just changed or the one that can be had so."""
    if len(lines) < 2:
        return lines or scene.lines[:1]
    recent = [line for line in scene.lines if line.get("product_id") in scene.focus[:1]]
    return recent[-1:] or lines


def view_cart(_ask: Ask, scene: Scene) -> Script:
    result = yield Call("view_cart")
    return tell.cart(result, scene)


def empty_cart(_ask: Ask, scene: Scene) -> Script:
    result = yield Call("empty_cart")
    touched(scene, result)
    return say("cart_emptied", scene.seed) if result.ok else tell.change(result, scene, "added")


def currency(ask: Ask, scene: Scene) -> Script:
    """The code is the tool's argument; whether the shop sells in it, the shop knows."""
    wanted = slots.currency(ask.plain)
    if wanted is None:
        return say("currency_which", scene.seed)
    result = yield Call("set_currency", {"currency": wanted})
    touched(scene, result)
    return tell.currency(result, scene, wanted)


def discount(ask: Ask, scene: Scene) -> Script:
    code = slots.discount_code(ask.text)
    if code is None:
        return say("code_which", scene.seed)
    result = yield Call("set_discount_code", {"code": code})
    touched(scene, result)
    return tell.discount(result, scene, code)


def discount_remove(_ask: Ask, scene: Scene) -> Script:
    result = yield Call("set_discount_code", {"code": ""})
    touched(scene, result)
    return tell.discount(result, scene, "")
