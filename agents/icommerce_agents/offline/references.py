"""Which product, or which line of the cart, somebody means by "the second one", "the blue ones", "it", "the stove"."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal

from rapidfuzz import fuzz

from engine.catalog.matching import match_option
from icommerce_agents.offline import lexicon, slots
from icommerce_agents.offline.comparing import first_by_fact
from icommerce_agents.offline.dialogue import Json
from icommerce_agents.offline.language import words_of
from icommerce_agents.offline.scene import Scene

_COUNTED = lexicon.pattern("counted")
_NUMBERED = lexicon.pattern("numbered")
_PLACED = lexicon.pattern("placed")
_LISTED = lexicon.pattern("listed")
_STOP = lexicon.words("filler") | frozenset(lexicon.table("facts")) | lexicon.words("not_in_names")


_ABOUT_IT = lexicon.pattern("about_it")


def products_meant(plain: str, scene: Scene) -> list[str]:
    """Product ids meant, surest first: one is clear, several are candidates unless the words asked for several."""
    listed = scene.listing or scene.focus
    if several := counted(plain, listed):
        return several
    if best := _superlative(plain, listed, scene):
        return [best]
    if scene.focus and _ABOUT_IT.match(plain):
        return scene.focus[:1]
    colored = _by_options(plain, listed, scene)
    telling = bool(re.search(r"\bones?\b|\bthat\b", plain)) and set(colored) != set(listed)
    found = (
        _by_capacity(plain, listed, scene)
        or _by_name(plain, list(scene.products), scene)
        or (colored if telling or not scene.focus else [])
    )
    return _narrow(found, scene) or scene.focus[:1] or list(scene.listing)


def counted(plain: str, listed: Sequence[str]) -> list[str]:
    """``the second one``, ``1 and 3``, ``the first two``, ``both``: positions in the numbered cards."""
    positions: list[int] = []
    if found := _COUNTED.search(plain):
        count = (
            int(found.group(2) or found.group(3) or 2)
            if not (found.group(4) or "").startswith("all")
            else min(4, len(listed))
        )
        positions = list(range(1, count + 1)) if found.group(1) != "last" else list(range(-count, 0))
    elif found := _LISTED.match(plain):
        positions = [int(number) for number in re.findall(r"\d{1,2}", plain)]
    else:
        places = [(m.start(), lexicon.table("ordinals")[m.group(1)]) for m in _PLACED.finditer(plain)]
        places += [(m.start(), int(m.group(1))) for m in _NUMBERED.finditer(plain)]
        positions = [position for _, position in sorted(places)]
    return _at(positions, listed)


def _at(positions: Sequence[int], listed: Sequence[str]) -> list[str]:
    ids = [listed[p - 1 if p > 0 else p] for p in positions if p and -len(listed) <= p <= len(listed)]
    return list(dict.fromkeys(ids))


def beyond_listing(plain: str, scene: Scene) -> int | None:
    """The number somebody named that no card has."""
    found = _NUMBERED.search(plain) or _LISTED.match(plain)
    number = (
        int(found.group(1))
        if found
        else max((lexicon.table("ordinals")[m.group(1)] for m in _PLACED.finditer(plain)), default=0)
    )
    return number if scene.listing and number > len(scene.listing) else None


def _superlative(plain: str, listed: Sequence[str], scene: Scene) -> str | None:
    wanted = next(
        (key for phrase, key in lexicon.table("superlatives").items() if re.search(rf"\b{phrase}\b", plain)), None
    )
    if wanted is None and re.search(r"\bcheaper (?:one|of)\b|\b(?:less|more) expensive one\b", plain):
        wanted = "price_high" if "more expensive" in plain else "price_low"
    if wanted is None and scene.comparison and (found := first_by_fact(scene.comparison, plain)):
        return listed[found[0]] if found[0] < len(listed) else None
    return best_by(wanted, listed, scene) if wanted else None


def best_by(key: str, listed: Sequence[str], scene: Scene) -> str | None:
    """The listed product that is first by ``price_low``, ``price_high`` or ``rating``."""
    known = [product_id for product_id in listed if product_id in scene.products]
    if not known:
        return None
    if key == "rating":
        return max(known, key=lambda i: Decimal(str(scene.product(i).get("rating") or 0)))
    sign = 1 if key == "price_low" else -1
    return min(known, key=lambda i: sign * (slots.amount_of(str(scene.product(i).get("price", ""))) or Decimal(0)))


def _by_name(plain: str, pool: Sequence[str], scene: Scene) -> list[str]:
    """Products whose titles share the most telling words with the text."""
    asked = [
        word for word in words_of(plain) if word not in _STOP and len(word) > 1 and word not in lexicon.words("colors")
    ]
    titles = {i: _title_words(scene.product(i)) for i in pool}
    names = {i: words_of(str(scene.product(i).get("title", "")).lower().replace("-", " ")) for i in pool}
    scores = dict.fromkeys(pool, 0.0)
    for word in asked:
        holders = [i for i in pool if has_word(titles[i], word)]
        for i in holders:
            scores[i] += (1 if has_word(names[i], word) else 0.5) / len(holders)
    top = max(scores.values(), default=0.0)
    if top <= 0:
        return []
    numbers = [i for i in pool if scores[i] >= top - 1e-9]
    digits = set(re.findall(r"\b(\d)\b", plain))
    exact = [i for i in numbers if digits & set(titles[i])]
    return exact or numbers


def _by_capacity(plain: str, pool: Sequence[str], scene: Scene) -> list[str]:
    """``the 4 person one``: products with that number in their name."""
    found = re.search(r"\b(\d{1,2})[ -]?(?:person|people|man|seater|burner|liter|l)\b", plain)
    return [i for i in pool if found and found.group(1) in _title_words(scene.product(i))]


def _title_words(product: Json) -> list[str]:
    text = f"{product.get('title', '')} {product.get('category', '')} {product.get('brand', '')}".lower()
    return [*words_of(text), *words_of(text.replace("-", " "))]


def has_word(title: Sequence[str], word: str) -> bool:
    stem = word[:-1] if len(word) > 3 and word.endswith("s") else word
    return any(
        part in {word, stem} or part.rstrip("s") == stem or (len(stem) > 4 and fuzz.ratio(part, word) >= 86)
        for part in title
    )


def names_known(plain: str, scene: Scene) -> bool:
    """Whether a product seen before is named by words of its title."""
    return bool(_by_name(plain, list(scene.products), scene))


def all_seen(plain: str, scene: Scene) -> bool:
    """Whether every telling word is in the title of something already shown."""
    titles = [_title_words(product) for product in scene.products.values()]
    return all(any(has_word(title, word) for title in titles) for word in named_words(plain))


def named_words(plain: str) -> list[str]:
    """Words that could be part of a product's name."""
    return [
        word
        for word in words_of(plain)
        if word not in _STOP and word not in lexicon.words("colors") and len(word) > 2 and not word.isdigit()
    ]


def _narrow(candidates: list[str], scene: Scene) -> list[str]:
    """Prefer what was spoken about last, then what the last cards show."""
    if len(candidates) < 2:
        return candidates
    for recent in ([i for i in scene.focus[:1] if i in candidates], [i for i in scene.listing if i in candidates]):
        if recent:
            return recent
    return candidates


def _by_options(plain: str, pool: Sequence[str], scene: Scene) -> list[str]:
    wanted = slots.options(plain)
    return [i for i in pool if wanted and fits(scene.product(i), wanted)]


def fits(product: Json, wanted: dict[str, str]) -> bool:
    """Whether a product is made with the options named."""
    offered = product.get("options") or {}
    return all(match_option(name, value, offered) is not None for name, value in wanted.items())


def options_for(plain: str, product: Json) -> dict[str, str]:
    """Options named in the text: those of the product first (``12 cm``, ``single``), then colors and sizes at large."""
    offered = product.get("options") or {}
    found: dict[str, str] = {}
    for name, values in offered.items():
        said = [
            value
            for value in values
            if re.search(rf"(?<![\w-]){re.escape(str(value).lower().replace('grey', 'gray'))}(?![\w-])", plain)
        ]
        if said and (
            len(max(said, key=len)) > 2
            or re.search(rf"\b(size|in|an?|the)\s+{re.escape(str(max(said, key=len)).lower())}\b", plain)
        ):
            found[name] = str(max(said, key=len))
    for name, value in slots.options(plain).items():
        match = match_option(name, value, offered)
        if match and match[0] not in found:
            found[match[0]] = value
        elif match is None and name not in found and not (found and value.lower() in " ".join(found.values()).lower()):
            found[name] = value
    return found


def lines_meant(plain: str, scene: Scene, *, strict: bool = False) -> list[Json]:
    """Cart lines meant: one is clear, several are candidates; none when something else was named.

    ``strict``: whatever was named must be in the line's name, also when there is only one line.
    """
    lines = scene.lines
    asked = [word for word in words_of(plain) if word not in _STOP and word not in _CART_TALK and len(word) > 1]
    scores = [sum(has_word(_line_words(line, scene), word) for word in asked) for line in lines]
    if max(scores, default=0) > 0:
        return [line for line, score in zip(lines, scores, strict=True) if score == max(scores)]
    ids = [str(line.get("variant_id")) for line in lines]
    if placed := counted(plain, ids):
        return [line for line in lines if line.get("variant_id") in placed]
    if asked and (strict or any(word in lexicon.words("nouns") for word in asked) or names_known(plain, scene)):
        return []
    if re.search(r"\b(it|that|this|them|those|these|one|ones)\b", plain) or not asked:
        recent = [line for i in scene.focus[:1] for line in lines if line.get("product_id") == i]
        return recent[-1:] or lines
    return lines


_CART_TALK = lexicon.words("cart_words")


def _line_words(line: Json, scene: Scene) -> list[str]:
    product = scene.product(str(line.get("product_id")))
    options = " ".join(map(str, (line.get("options") or {}).values()))
    return words_of(f"{line.get('title', '')} {options} {product.get('category', '')}".lower().replace("-", " "))
