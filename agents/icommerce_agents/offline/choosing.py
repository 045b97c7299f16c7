"""Which of the shopper's orders, and which of its lines, the words mean."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Sequence
from typing import Any, Final

from icommerce_agents.offline import lexicon, slots
from icommerce_agents.offline.asks import Ask
from icommerce_agents.offline.dialogue import Call, Json, Result
from icommerce_agents.offline.language import plain, words_of
from icommerce_agents.offline.references import has_word
from icommerce_agents.offline.scene import Scene
from icommerce_agents.offline.tell.phrases import failure, listed, say

Rows = Sequence[Json]
_ID: Final = re.compile(r"^[a-z]{2,5}_[0-9A-Za-z_-]+$")
_NEWEST: Final = re.compile(r"\b(?:last|latest|newest|(?:most )?recent|just (?:placed|made|ordered|bought))\b")
_OTHER: Final = re.compile(r"\bother (?:one|order|item|thing)\b|\bthe other\b|\bnot (?:that|this)(?: one)?\b")
_EVERY: Final = re.compile(r"\b(?:both|all|everything|whole|entire|complete|each)\b")
_STOP: Final = lexicon.words("filler") | lexicon.words("not_in_names") | lexicon.words("order_words")
_UNSENT: Final = frozenset({"unfulfilled", "not_shipped", "open", "on_hold", "pending", "scheduled"})
_SENT: Final = frozenset(
    {"shipped", "delivered", "fulfilled", "in_transit", "partially_shipped", "partially_fulfilled"}
)


def telling(text: str) -> list[str]:
    """The words of a text that could be part of a name."""
    return [w for w in words_of(plain(text)) if w not in _STOP and len(w) > 1 and not slots.order_number(w)]


def named(texts: Sequence[str], rows: Rows, words: Callable[[Json], str]) -> list[Json]:
    """The rows whose words the newest telling text shares most, a word counting the more the fewer rows have it."""
    held = [words_of(words(row).lower().replace("-", " ")) for row in rows]
    for text in texts:
        scores = [0.0] * len(rows)
        for word in telling(text):
            having = [place for place, row in enumerate(held) if has_word(row, word)]
            for place in having:
                scores[place] += 1 / len(having)
        top = max(scores, default=0.0)
        if top > 0:
            return [row for row, score in zip(rows, scores, strict=True) if score > top - 1e-9]
    return []


def placed(texts: Sequence[str], rows: Rows) -> list[Json]:
    """The rows meant by their place in a list: ``the second one``, ``number 2``."""
    ids = [str(place) for place in range(len(rows))]
    from icommerce_agents.offline.references import counted

    found = counted(plain(texts[0]), ids) if texts else []
    return [rows[int(place)] for place in found]


def title_of(row: Json) -> str:
    """What a row is called."""
    return next((str(row[key]) for key in ("title", "name", "product", "item", "label") if row.get(key)), "")


def id_of(row: Json, *keys: str) -> str:
    """The row's id, by the keys first and else by its look."""
    known = [row.get(key) for key in (*keys, "id")] + list(row.values())
    return next(
        (str(value) for value in known if isinstance(value, str) and _ID.match(value)), str(row.get("id") or "")
    )


def number_of(order: Json) -> str:
    return str(order.get("number") or order.get("order_number") or order.get("id") or "")


def lines_of(order: Json) -> list[Json]:
    return [line for line in order.get("lines") or order.get("items") or () if isinstance(line, dict)]


def order_words(order: Json) -> str:
    """What an order can be called by."""
    return " ".join([number_of(order), *(line_words(line) for line in lines_of(order))])


def line_words(line: Json) -> str:
    options: Any = line.get("options") or {}
    return " ".join([title_of(line), *(map(str, options.values()) if isinstance(options, dict) else ())])


def order_name(order: Json) -> str:
    """``SP-10023 (Storm Tent, Sock)``."""
    titles = listed(title_of(line) for line in lines_of(order)[:3])
    return f"{number_of(order)}{f' ({titles})' if titles else ''}"


def is_sent(order: Json) -> bool:
    return str(order.get("fulfillment") or order.get("fulfillment_status") or "") in _SENT


def pick_order(ask: Ask, scene: Scene, *, sent: bool | None = None) -> Generator[Call, Result, Json | str]:
    """The order meant, or what to say instead: a question, or that there is none.

    ``sent`` prefers orders that have (not) left where the words leave it open.
    """
    newest_only = bool(_OTHER.search(plain(ask.said[0])))
    number = next((n for text in ask.said[: 1 if newest_only else None] if (n := _number(text, scene, ask))), None)
    if number:
        return scene.orders.get(number, {"number": number})
    if not scene.orders_listed and not _in_focus(ask, scene):
        result = yield Call("list_orders")
        if not result.ok:
            return failure(result, scene.seed)
    orders = list(scene.orders.values())
    if not orders:
        return say("order_none", scene.seed)
    found = _narrowed(ask, orders, scene, sent=sent)
    if len(found) == 1:
        return found[0]
    return say("which_order", scene.seed, choices=listed(map(order_name, found[:5]), "or"))


def _number(text: str, scene: Scene, ask: Ask) -> str | None:
    if found := slots.order_number(text):
        return next((n for n in scene.orders if n == found or n.endswith(f"-{found}")), found)
    bare = slots.bare_number(text) if ask.question == "which_order" else None
    return next((n for n in scene.orders if bare and n.endswith(bare)), None)


def _in_focus(ask: Ask, scene: Scene) -> bool:
    """Whether the order spoken about is the one meant: nothing said names another or a thing it does not have."""
    order = scene.orders.get(scene.order)
    if order is None or _OTHER.search(plain(ask.said[0])) or any(_NEWEST.search(plain(text)) for text in ask.said):
        return False
    points = bool(re.search(r"\b(?:it|its|this|that|them|these|those)\b", plain(ask.said[0])))
    return (
        points
        or bool(named(ask.said, [order], order_words))
        or not re.search(r"\b(?:the|my) \w+", plain(ask.said[0]))
        or _speaks_of_orders(ask)
    )


def _speaks_of_orders(ask: Ask) -> bool:
    return bool(
        re.search(
            r"\b(?:the|my) (?:whole |entire )?(?:order|purchase|money|refund|card|address|courier|package|delivery)\b",
            plain(ask.said[0]),
        )
    )


def _narrowed(ask: Ask, orders: list[Json], scene: Scene, *, sent: bool | None) -> list[Json]:
    other = bool(_OTHER.search(plain(ask.said[0])))
    before = str((ask.previous or {}).get("order") or (scene.order if other else ""))
    if other and len(orders) > 1 and before:
        orders = [order for order in orders if before not in {number_of(order), str(order.get("id"))}] or orders
    if found := placed(ask.said, orders) if ask.question == "which_order" else []:
        return found[:1]
    if any(_NEWEST.search(plain(text)) for text in ask.said):
        return orders[:1]
    found = named(ask.said, orders, order_words) or orders
    if len(found) > 1 and not other:
        current = [order for order in found if scene.order and scene.order == number_of(order)]
        found = current or found
    if len(found) > 1 and sent is not None:
        found = [order for order in found if is_sent(order) == sent] or found
    return found


def pick_lines(ask: Ask, order: Json) -> list[tuple[Json, int | None]]:
    """The lines of the order that the words name, each with its units where those were said; none for the whole."""
    lines = lines_of(order)
    newest = plain(ask.said[0])
    if _OTHER.search(newest) and (excluded := _line_ids(ask.previous)):
        lines = [line for line in lines if id_of(line, "line_id") not in excluded] or lines
        return [(line, None) for line in lines]
    found = placed(ask.said, lines) if ask.question.startswith("which_lines") else []
    found = found or _each_named(ask.said, lines)
    if not found and _EVERY.search(newest) and ask.question.startswith("which_lines"):
        found = lines
    kept = _kept_lines(ask.previous, lines) if not found else []
    units = next((n for text in ask.said if (n := slots.quantity(plain(_without_numbers(text))))), None)
    return [(line, units if len(found or kept) == 1 else None) for line in found or kept]


def _without_numbers(text: str) -> str:
    return re.sub(r"(?i)\b[a-z]{2,4}-\d{3,}\b", " ", text)


def _each_named(texts: Sequence[str], lines: list[Json]) -> list[Json]:
    """``the boots and the tent`` names two lines."""
    for text in texts:
        parts = re.split(r",|\band\b|\bplus\b|&", plain(text))
        found = [line for part in parts for line in named([part], lines, line_words)]
        if found:
            return [line for place, line in enumerate(found) if line not in found[:place]]
    return []


def _line_ids(previous: Json | None) -> set[str]:
    rows = (previous or {}).get("lines") or (previous or {}).get("swaps") or ()
    return {str(row.get("line_id") or row.get("variant_id")) for row in rows if isinstance(row, dict)}


def _kept_lines(previous: Json | None, lines: list[Json]) -> list[Json]:
    ids = _line_ids(previous)
    return [line for line in lines if id_of(line, "line_id") in ids]


def with_lines(order: Json, scene: Scene) -> Generator[Call, Result, Json | str]:
    """The order with its lines and their ids, read if the conversation has not shown them."""
    if lines_of(order) and all(line.get("line_id") for line in lines_of(order)):
        return order
    result = yield Call("get_order", {"order": number_of(order)})
    if not result.ok:
        return failure(result, scene.seed)
    return scene.orders.get(number_of(result.value), result.value)


def line_names(lines: Rows, last: str = "or") -> str:
    return listed((line_words(line) for line in lines), last)
