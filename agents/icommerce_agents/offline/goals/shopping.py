"""Finding, looking at, comparing and recommending products."""

from __future__ import annotations

import re
from collections.abc import Generator

from icommerce_agents.offline import lexicon, slots
from icommerce_agents.offline.asks import Ask
from icommerce_agents.offline.comparing import fact_asked
from icommerce_agents.offline.dialogue import Call, Json, Result
from icommerce_agents.offline.language import words_of
from icommerce_agents.offline.references import best_by, beyond_listing, counted, names_known, products_meant
from icommerce_agents.offline.scene import Scene
from icommerce_agents.offline.script import Script, in_turn
from icommerce_agents.offline.tell import products as tell
from icommerce_agents.offline.tell.phrases import failure, joined, listed, say

Sub = Generator[Call, Result, Result]
_CHANGING = frozenset({"stock", "price"})


def search_arguments(plain: str) -> Json:
    """What a request says, as arguments of search_products."""
    prices, wanted = slots.price_range(plain), slots.options(plain)
    sort = next(
        (
            key
            for phrase, key in lexicon.table("superlatives").items()
            if phrase != "best" and re.search(rf"\b{phrase}\b", plain)
        ),
        None,
    )
    arguments: Json = {
        "query": query(plain),
        "min_price": prices.low,
        "max_price": prices.high,
        "options": wanted or None,
    }
    arguments["sort"] = sort or (
        "price_low" if re.search(_CHEAP if prices.high else rf"{_CHEAP}|\bbudget\b", plain) else None
    )
    return {key: value for key, value in arguments.items() if value is not None}


def query(plain: str) -> str:
    """The words that say what is wanted, without talk, prices and options."""
    text = slots.without_options(slots.without_prices(plain))
    text = lexicon.pattern("price_talk").sub(" ", text)
    words = [
        word.removesuffix("'s") if word.endswith("'s") and word not in {"men's", "women's", "kid's"} else word
        for word in words_of(text)
    ]
    kept = [
        word if word not in lexicon.words("filler") else ("" if word not in _KEEP else f"?{word}") for word in words
    ]
    return _joined([word for word in kept if word])


_CHEAP = r"\b(?:cheap|cheaper|affordable|inexpensive)\b"
"""A budget with an amount is a limit, not a wish for the cheapest."""
_KEEP = frozenset(str(word) for word in lexicon.load("lexicon")["keep_with"])


def _joined(words: list[str]) -> str:
    """Small words stay only between two that carry meaning."""
    kept: list[str] = []
    for index, word in enumerate(words):
        after = index + 1 < len(words) and not words[index + 1].startswith("?")
        if not word.startswith("?"):
            kept.append(word)
        elif kept and after:
            kept.append(word.removeprefix("?"))
    while kept and kept[0] in _KEEP:
        kept.pop(0)
    return " ".join(kept)


def browse(ask: Ask, scene: Scene) -> Script:
    if _asks_about_one(ask.plain):
        return (yield from details(ask, scene))
    return "\n\n".join((yield from in_turn(_look(part, scene) for part in _things(ask.plain))))


def _asks_about_one(plain: str) -> bool:
    """A question about a product by name, before any was shown."""
    asked = _is_question(plain) and tell.topics_of(plain) and re.search(r"^(?:is|does|will|can|how) .*\bthe\b", plain)
    return bool(asked) or bool(re.search(r"\b(?:tell me|know|learn)\b.*\babout\b", plain))


def _things(plain: str) -> list[str]:
    """``a stove and some fuel`` is two searches; ``a tent for me and a friend`` is one."""
    head, *rest = re.split(r"\s+and (?:also )?(?=(?:a|an|some)\b)", plain)
    return [plain] if re.search(r"\b(?:for|with|between)\b", head) or not query(head) else [head, *rest][:3]


def _look(plain: str, scene: Scene) -> Script:
    arguments = search_arguments(plain)
    if len(arguments) == 1 and not arguments["query"]:
        result = yield Call("list_categories")
        return tell.categories(result, scene)
    result = yield Call("search_products", arguments)
    return tell.listing(result, scene)


def refine(ask: Ask, scene: Scene) -> Script:
    assert scene.search is not None
    before = {
        k: v for k, v in scene.search.call.arguments.items() if k not in {"cursor", "limit"} and v not in (None, "", {})
    }
    changed = _narrower(ask.plain, before, scene)
    if str(before.get("query", "")) in changed["query"] and (category := _common_category(scene)):
        changed["category"] = category
    result = yield Call("search_products", changed if changed.pop("fresh", False) else before | changed)
    return tell.listing(result, scene)


def _common_category(scene: Scene) -> str | None:
    """What the list is a list of: then "cheaper" does not mean a cheap accessory."""
    found = [str(scene.product(i).get("category") or "") for i in scene.listing]
    return found[0] if found and found[0] and found.count(found[0]) * 2 >= len(found) else None


def _narrower(plain: str, before: Json, scene: Scene) -> Json:
    """What changes against the last search."""
    new = search_arguments(plain)
    sort = next(
        (key for phrase, key in lexicon.table("comparatives").items() if re.search(rf"\b{phrase}\b", plain)), None
    )
    added = {word for phrase, word in lexicon.table("qualities").items() if re.search(rf"\b{phrase}\b", plain)}
    known = set(words_of(str(before.get("query", ""))))
    dropped = set(lexicon.table("qualities")) | lexicon.words("refine_talk")
    more = [word for word in words_of(new.pop("query")) if word not in dropped | known | _KEEP]
    if more and _replaces(more, known):
        return {"query": " ".join([*sorted(added), *more]), "fresh": True, **new}
    words = " ".join([*sorted(added - known), str(before.get("query", "")), *more]).strip()
    changed: Json = {"query": words, **new}
    if "options" in new and isinstance(before.get("options"), dict):
        changed["options"] = before["options"] | new["options"]
    if sort and not {"min_price", "max_price"} & new.keys():
        changed |= _moved_price(sort, scene)
    return changed


def _replaces(more: list[str], known: set[str]) -> bool:
    """Whether the new words name another kind of thing."""
    nouns = lexicon.words("nouns")
    return any(
        word in nouns and word.rstrip("s") not in {k.rstrip("s") for k in known} for word in more
    ) and not known & set(more)


def _moved_price(sort: str, scene: Scene) -> Json:
    ids = scene.focus[:1] or scene.listing[:1]
    price = slots.amount_of(str(scene.product(ids[0]).get("price", ""))) if ids else None
    if price is None or sort == "rating":
        return {"sort": sort}
    if sort == "price_low":
        return {"sort": sort, "max_price": max(0, int(price) - (1 if price == int(price) else 0))}
    return {"sort": sort, "min_price": int(price) + 1}


def more(_ask: Ask, scene: Scene) -> Script:
    cursor = scene.search.value.get("next_cursor") if scene.search else None
    if scene.search is None or not cursor:
        return say("listing_no_more", scene.seed)
    result = yield Call("search_products", scene.search.call.arguments | {"cursor": cursor})
    return tell.listing(result, scene, more=True)


def categories(_ask: Ask, scene: Scene) -> Script:
    result = yield Call("list_categories")
    return tell.categories(result, scene)


def details(ask: Ask, scene: Scene) -> Script:
    ids = products_meant(ask.plain, scene)
    if (number := beyond_listing(ask.plain, scene)) and not counted(ask.plain, scene.listing):
        return say("no_such_number", scene.seed, count=len(scene.listing), number=number)
    if not names_known(ask.plain, scene) and (not ids or _names_unseen(ask, ids)):
        found = yield from find(ask.plain)
        ids = [item["id"] for item in found.value.get("items") or ()][:1] if found.ok else []
        if not ids:
            return tell.listing(found, scene)
    asked_for = counted(ask.plain, scene.listing or scene.focus)
    if len(ids) > 1 and not asked_for:
        return say("which_product", scene.seed, choices=choices(ids, scene))
    return "\n\n".join((yield from in_turn(_detail(ask, scene, product_id) for product_id in ids[:3])))


def _names_unseen(ask: Ask, ids: list[str]) -> bool:
    """``does the Ridgeline stove …`` about something never shown."""
    named = re.search(r"\b(?:the|a|your) ((?:\w+[ -]){0,3}\w+)", ask.plain)
    talk = {word for topic in lexicon.load("lexicon")["topics"] for phrase in topic["words"] for word in phrase.split()}
    return len(ids) > 1 and named is not None and bool(set(words_of(named.group(1))) & lexicon.words("nouns") - talk)


_NOT_A_NAME = lexicon.pattern("not_a_name")


def find(plain: str) -> Sub:
    """A search for something named that no card shows yet."""
    text = _NOT_A_NAME.sub(" ", plain)
    result: Result = yield Call("search_products", {"query": query(text)})
    return result


def _detail(ask: Ask, scene: Scene, product_id: str) -> Script:
    item = scene.product(product_id)
    topics = {topic["name"] for topic in tell.topics_of(ask.plain)}
    if (
        item.get("description")
        and not topics & _CHANGING
        and (topics or ask.plain.endswith("?"))
        and not slots.options(ask.plain)
    ):
        scene.focus = [product_id]
        return tell.answer(ask.plain, item, scene)
    result = yield Call("get_product", {"product_id": product_id})
    if not result.ok:
        return failure(result, scene.seed)
    item = scene.product(product_id) | result.value
    if slots.options(ask.plain):
        return tell.offered(item, ask.plain)
    return tell.answer(ask.plain, item, scene) if topics or _is_question(ask.plain) else tell.product(item, scene)


def _is_question(plain: str) -> bool:
    return bool(
        re.match(r"^(?:and |so |but |ok )*(?:is|are|does|do|will|would|can|could|has|have|how|why|which)\b", plain)
    ) and not re.search(r"\bhow about\b|\bcan (?:you|i) (?:see|tell|show|get|have)\b", plain)


def choices(ids: list[str], scene: Scene) -> str:
    """``1. A, 2. B or 3. C`` with the numbers of the cards."""
    rows = []
    for product_id in ids[:6]:
        number = f"{scene.listing.index(product_id) + 1}. " if product_id in scene.listing else ""
        rows.append(f"{number}{scene.product(product_id).get('title', product_id)}")
    return listed(rows, "or")


def compare(ask: Ask, scene: Scene) -> Script:
    ids = counted(ask.plain, scene.listing)
    if len(ids) < 2:
        ids = yield from _named(ask, scene, ids)
    if len(ids) < 2:
        return say("which_to_compare", scene.seed)
    result = yield Call("compare_products", {"product_ids": ids[:4]})
    return tell.comparison(result, scene)


def _named(ask: Ask, scene: Scene, placed: list[str]) -> Generator[Call, Result, list[str]]:
    """Two products by name, or all that are on the table."""
    parts = [
        part
        for part in re.split(
            r"\b(?:and|with|to|versus|vs\.?|or|than)\b|,",
            re.sub(r"\bcompare\b|\bdifference\b|\bbetween\b", " ", ask.plain),
        )
        if part.strip()
    ]
    ids = list(placed)
    for part in parts if len(parts) > 1 else ():
        if names_known(part, scene):
            ids += [i for i in products_meant(part, scene)[:1] if i not in ids]
        elif set(words_of(part)) & lexicon.words("nouns") and not counted(part, scene.listing):
            found = yield from find(part)
            ids += [item["id"] for item in (found.value.get("items") or ())[:1] if item["id"] not in ids]
    if len(ids) == 1:
        ids += [i for i in [*scene.focus, *scene.listing] if i not in ids][:1]
    return ids or (scene.listing[:4] if len(scene.listing) > 1 else scene.focus[:2])


def recommend(ask: Ask, scene: Scene) -> Script:
    if fact_asked(ask.plain) and len(scene.listing) > 1:
        result = yield Call("compare_products", {"product_ids": scene.listing[:4]})
        return joined(tell.winner(result, ask.plain), tell.comparison(result, scene))
    key = next(
        (key for phrase, key in lexicon.table("superlatives").items() if re.search(rf"\b{phrase}\b", ask.plain)),
        "rating",
    )
    best = best_by(key, scene.listing or scene.focus, scene)
    item = scene.product(best) if best else {}
    if best is None or not item.get("price"):
        return say("nothing_shown", scene.seed)
    scene.focus = [best]
    rating = f"rated {item['rating']}" if item.get("rating") else "a good match for what you asked"
    why = {
        "price_low": f"the lowest price of these, {rating}",
        "price_high": f"the top of the range here, {rating}",
    }.get(key, f"{rating}, the best of these")
    return say("recommend", scene.seed, title=item["title"], price=item["price"], why=why)
