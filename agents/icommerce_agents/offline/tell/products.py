"""Products in words: lists, one product, comparisons. Every fact comes from the result."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from icommerce_agents.offline import lexicon, slots
from icommerce_agents.offline.comparing import first_by_fact
from icommerce_agents.offline.dialogue import Json, Result
from icommerce_agents.offline.language import plain, words_of
from icommerce_agents.offline.scene import Scene
from icommerce_agents.offline.tell.phrases import failure, joined, listed, say, sentence


def listing(result: Result, scene: Scene, *, more: bool = False) -> str:
    """The numbered products of a search, with price and why."""
    if not result.ok:
        return failure(result, scene.seed)
    items: list[Json] = [item for item in result.value.get("items") or () if isinstance(item, dict)]
    what = _what(result)
    if not items:
        return say("listing_no_more" if more else "listing_none", scene.seed, what=what)
    key = (
        "listing_near"
        if result.value.get("near_matches")
        else "listing_more"
        if more
        else "listing_one"
        if len(items) == 1
        else "listing"
    )
    head = say(key, scene.seed, count=len(items), what=what)
    rows = [f"{number}. {_row(item, items)}" for number, item in enumerate(items, start=1)]
    return "\n".join(
        [
            head,
            *rows,
            joined(
                _total(result, items, scene), say("product_hint" if len(items) == 1 else "listing_hint", scene.seed)
            ),
        ]
    )


def _what(result: Result) -> str:
    asked = result.call.arguments
    money = next((re.split(r"\d", str(item.get("price")))[0] for item in result.value.get("items") or ()), "")
    words = " ".join(str(value) for value in (asked.get("options") or {}).values())
    about = (
        f" for “{asked['query']}”"
        if asked.get("query")
        else f" in {asked['category']}"
        if asked.get("category")
        else ""
    )
    limits = [
        f"up to {money}{asked['max_price']:,}" if asked.get("max_price") else "",
        f"from {money}{asked['min_price']:,}" if asked.get("min_price") else "",
    ]
    return f"{about}{f' in {words}' if words else ''}{''.join(f', {limit}' for limit in limits if limit)}"


def _total(result: Result, items: Sequence[Json], scene: Scene) -> str:
    total = result.value.get("total")
    more = result.value.get("next_cursor") and isinstance(total, int) and total > len(items)
    return say("listing_total", scene.seed, total=total) if more else ""


def _row(item: Json, items: Sequence[Json]) -> str:
    return f"{item.get('title')}, {item.get('price')} ({'; '.join(_reasons(item, items))})".replace(" ()", "")


def _reasons(item: Json, items: Sequence[Json]) -> list[str]:
    """Why this one: facts that set it apart, at most three."""
    reasons = []
    if len(items) > 1 and _price(item) < min(_price(other) for other in items if other is not item):
        reasons.append("the cheapest here")
    if item.get("rating"):
        best = max(_rating(other) for other in items)
        top = len(items) > 1 and _rating(item) == best and sum(_rating(other) == best for other in items) == 1
        reasons.append(f"{'top rated, ' if top else 'rated '}{item['rating']}")
    choices = [f"{name}: {_values(values)}" for name, values in (item.get("options") or {}).items() if len(values) > 1]
    reasons += choices[:1]
    if item.get("in_stock") is False:
        reasons.insert(0, "out of stock")
    return reasons[:3]


def _values(values: Sequence[Any]) -> str:
    return ", ".join(map(str, values)) if len(values) <= 4 else f"{len(values)} choices"


def _price(item: Json) -> Decimal:
    return slots.amount_of(str(item.get("price", ""))) or Decimal(0)


def _rating(item: Json) -> Decimal:
    return Decimal(str(item.get("rating") or 0))


def product(item: Json, scene: Scene) -> str:
    """One product at a glance: price, rating, description, choices, features."""
    rating = f", rated {item['rating']}" if item.get("rating") else ""
    text = say(
        "product",
        scene.seed,
        title=item.get("title"),
        price=item.get("price"),
        rating=rating,
        description=shorten(str(item.get("description") or "")),
    )
    choices = [f"{name}: {', '.join(map(str, values))}" for name, values in (item.get("options") or {}).items()]
    extra = sentence(f"Choices: {'; '.join(choices)}") if choices else ""
    warranty = f"Warranty: {months(item['warranty_months'])}." if item.get("warranty_months") else ""
    stock = "" if item.get("in_stock", True) else "It is out of stock right now."
    return joined(text, extra, warranty, stock, say("product_hint", scene.seed) if not stock else "")


def shorten(text: str, sentences: int = 2) -> str:
    """The first sentences of a description."""
    return " ".join(re.split(r"(?<=[.!?])\s+", text.strip())[:sentences])


def months(count: int) -> str:
    years, rest = divmod(int(count), 12)
    return f"{years} year{'s' if years > 1 else ''}" if years and not rest else f"{count} months"


def weight(grams: int) -> str:
    """Metric and American: ``1.95 kg (4.3 lb)``."""
    shown = f"{grams / 1000:.2f}".rstrip("0").rstrip(".") + " kg" if grams >= 1000 else f"{grams} g"
    pounds = grams / 453.592
    return f"{shown} ({pounds:.1f} lb)" if pounds >= 1 else f"{shown} ({grams / 28.3495:.1f} oz)"


def comparison(result: Result, scene: Scene) -> str:
    """Prices, then the facts in which the products differ."""
    if not result.ok:
        return failure(result, scene.seed)
    items = [item for item in result.value.get("items") or () if isinstance(item, dict)]
    heads = listed(
        f"{number}. {item.get('title')} at {item.get('price')}" for number, item in enumerate(items, start=1)
    )
    rows = [row for row in result.value.get("rows") or () if len({str(v) for v in row.get("values") or ()}) > 1]
    told = [
        f"- {row['name']}: {' vs '.join(str(v) or 'not given' for v in row['values'])}"
        for row in rows
        if str(row.get("name", "")).lower() != "price"
    ]
    body = told[:7] or [say("comparison_same", scene.seed)]
    return "\n".join([say("comparison", scene.seed, heads=heads), *body, say("comparison_hint", scene.seed)])


def winner(result: Result, question: str) -> str:
    """Which of the compared is first by the fact asked for, when every one gives a number for it."""
    found = first_by_fact(result, question)
    items = result.value.get("items") or []
    if found is None or found[0] >= len(items):
        return ""
    place, value, word = found
    return f"{items[place].get('title')} is the {word} of these: {value}."


def categories(result: Result, scene: Scene) -> str:
    if not result.ok:
        return failure(result, scene.seed)
    rows = [row for row in result.value.get("categories") or () if isinstance(row, dict)]
    rows.sort(key=lambda row: -int(row.get("products") or 0))
    names = [str(row.get("name")) for row in rows]
    shown = listed([*names[:12], f"{len(names) - 12} more"] if len(names) > 12 else names)
    return say("categories", scene.seed, names=shown) if names else say("listing_none", scene.seed, what="")


def answer(question: str, item: Json, scene: Scene) -> str:
    """The fact of a product that answers a question, or an honest "it does not say"."""
    told = [text for topic in topics_of(question) if (text := _topic(topic, item, question))]
    if told:
        return joined(*dict.fromkeys(told))
    if text := _overlap(question, item):
        return sentence(f"{item.get('title')}: {text}")
    if not topics_of(question) and not _asks_a_fact(question):
        return product(item, scene)
    known = shorten(str(item.get("description") or ""), 2) or f"it costs {item.get('price')}."
    return say("fact_unknown", scene.seed, title=item.get("title"), known=known)


def _asks_a_fact(question: str) -> bool:
    return bool(lexicon.pattern("asks_a_fact").match(question)) and "tell me" not in question


def topics_of(question: str) -> list[Json]:
    found: list[Json] = [
        topic
        for topic in lexicon.load("lexicon")["topics"]
        if any(re.search(rf"\b{re.escape(word)}\b", question) for word in topic["words"])
    ]
    return found[:3]


def _topic(topic: Json, item: Json, question: str) -> str:
    tell = _TELLERS.get(topic["name"])
    if tell:
        return tell(item, question)
    facts = _facts(item, topic["fields"])
    return sentence(f"{item.get('title')}: {'; '.join(facts)}") if facts else ""


def _facts(item: Json, fields: Sequence[str]) -> list[str]:
    attributes: Json = item.get("attributes") or {}
    facts = []
    for name in fields:
        if name.startswith("attributes."):
            stem = name.removeprefix("attributes.")
            facts += [
                f"{key.replace('_', ' ')}: {_value(value)}"
                for key, value in attributes.items()
                if key == stem or key.startswith(stem)
            ]
        elif item.get(name):
            facts.append(f"{', '.join(map(str, item[name])) if isinstance(item[name], list) else item[name]}")
    return list(dict.fromkeys(facts))


def _value(value: Any) -> str:
    return "yes" if value is True else "no" if value is False else str(value)


def _warranty(item: Json, _question: str) -> str:
    return (
        f"{item.get('title')} comes with {months(item['warranty_months'])} of warranty."
        if item.get("warranty_months")
        else f"No warranty is given for {item.get('title')}."
        if item.get("warranty_months") == 0
        else ""
    )


def _weight(item: Json, _question: str) -> str:
    return f"{item.get('title')} weighs {weight(int(item['weight_g']))} packed." if item.get("weight_g") else ""


def _waterproof(item: Json, _question: str) -> str:
    attributes: Json = item.get("attributes") or {}
    head = attributes.get("hydrostatic_head_mm")
    more = f" (hydrostatic head {head:,} mm)" if isinstance(head, int) else ""
    if "waterproof" in attributes:
        yes, no = f"Yes, {item.get('title')} is waterproof{more}.", f"No, {item.get('title')} is not waterproof{more}."
        return yes if attributes["waterproof"] else no
    if "water_resistant" in attributes:
        return f"{item.get('title')} is {'' if attributes['water_resistant'] else 'not '}water resistant{more}."
    return ""


def _stock(item: Json, question: str) -> str:
    wanted = slots.options(question)
    variants = [v for v in item.get("variants") or () if _suits(v, wanted)]
    if wanted and not variants:
        return ""
    ready = [v for v in variants if v.get("available")]
    names = [listed((v.get("options") or {}).values()) for v in ready]
    if not ready:
        return f"{item.get('title')} is out of stock right now."
    return f"Yes, {item.get('title')} is in stock{f': {listed(n for n in names[:6] if n)}' if any(names) else ''}."


def _suits(variant: Json, wanted: dict[str, str]) -> bool:
    values = plain(" ".join(map(str, (variant.get("options") or {}).values())))
    return all(re.search(rf"\b{re.escape(plain(value))}\b", values) for value in wanted.values())


def _options(item: Json, question: str) -> str:
    if slots.options(question):
        return offered(item, question)
    choices = [f"{name}: {', '.join(map(str, values))}" for name, values in (item.get("options") or {}).items()]
    return (
        f"{item.get('title')} comes in {'; '.join(choices)}."
        if choices
        else f"{item.get('title')} comes in one version only."
    )


def offered(item: Json, question: str) -> str:
    """Whether it is made in the color or size asked for."""
    wanted = slots.options(question)
    variants = [v for v in item.get("variants") or () if _suits(v, wanted)]
    said = listed(wanted.values())
    if not variants:
        values = [value for values in (item.get("options") or {}).values() for value in values]
        return joined(
            f"No, {item.get('title')} isn't offered in {said}.", f"It comes in {listed(values)}." if values else ""
        )
    ready = [v for v in variants if v.get("available")]
    name = listed(_values_like((ready or variants)[0], wanted))
    return (
        f"Yes, {item.get('title')} comes in {name}, in stock now at {ready[0].get('price')}."
        if ready
        else f"{item.get('title')} is made in {name}, but that is out of stock right now."
    )


def _values_like(variant: Json, wanted: dict[str, str]) -> list[str]:
    """The variant's own names for what was asked: ``slate blue`` for blue."""
    values = [str(value) for value in (variant.get("options") or {}).values()]
    return [value for value in values if any(plain(want) in plain(value) for want in wanted.values())] or values


def _price_fact(item: Json, _question: str) -> str:
    return f"{item.get('title')} costs {item.get('price')}."


def _rating_fact(item: Json, _question: str) -> str:
    return (
        f"{item.get('title')} is rated {item['rating']} out of 5."
        if item.get("rating")
        else f"{item.get('title')} has no ratings yet."
    )


def _compatibility(item: Json, question: str) -> str:
    rows = [str(row) for row in item.get("compatibility") or ()]
    words = _telling(question)
    near = [row for row in rows if words & set(words_of(row.lower()))]
    if near or (rows and not re.search(r"\b(people|person|adults|women|men|kids)\b", question)):
        return f"{item.get('title')}: {'; '.join(near or rows)}."
    return ""


def _dimensions(item: Json, question: str) -> str:
    """The measure asked for by name; all of them for a question about its size."""
    measures = {
        "tall": "height",
        "height": "height",
        "long": "length",
        "length": "length",
        "wide": "width",
        "width": "width",
    }
    asked = [
        part
        for word, part in measures.items()
        if re.search(rf"\bhow {word}\b|\b(?:what|which|the) .*\b{word}\b", question)
    ]
    wanted = asked or (
        ["height", "length", "width", "size"] if re.search(r"\b(dimensions|measurements|how big)\b", question) else []
    )
    attributes: Json = item.get("attributes") or {}
    facts = [
        f"{key.replace('_', ' ')}: {_value(value)}"
        for key, value in attributes.items()
        if any(part in key for part in wanted)
    ]
    return f"{item.get('title')}: {'; '.join(facts)}." if facts else ""


_TELLERS = {
    "warranty": _warranty,
    "weight": _weight,
    "waterproof": _waterproof,
    "stock": _stock,
    "options": _options,
    "price": _price_fact,
    "rating": _rating_fact,
    "compatibility": _compatibility,
    "dimensions": _dimensions,
}


def _telling(question: str) -> set[str]:
    words = {word for word in words_of(question) if word not in lexicon.words("filler") and len(word) > 2}
    return words | {word.rstrip("s") for word in words} | {f"{word}s" for word in words}


def _overlap(question: str, item: Json) -> str:
    """The fact or sentence of the page that shares most words with the question."""
    attributes: Json = item.get("attributes") or {}
    facts = [f"{key.replace('_', ' ')}: {_value(value)}" for key, value in attributes.items()]
    facts += [str(row) for name in ("features", "compatibility", "materials") for row in item.get(name) or ()]
    facts += re.split(r"(?<=[.!?])\s+", f"{item.get('description') or ''} {item.get('care') or ''}")
    title = set(words_of(str(item.get("title", "")).lower()))
    words = _telling(question) - title
    scored = [(len(words & set(words_of(plain(fact)))), fact) for fact in facts if fact.strip()]
    best = max(scored, key=lambda pair: pair[0], default=(0, ""))
    return best[1] if best[0] else ""
