"""What a short message goes on with: the question the model asked last, or the call it has just made."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

from icommerce_agents.offline import contact, lexicon, slots
from icommerce_agents.offline.deciding import ABILITY
from icommerce_agents.offline.dialogue import Json
from icommerce_agents.offline.language import plain, words_of
from icommerce_agents.offline.scene import Scene

_CORRECTS: Final = lexicon.pattern("corrects")
_QUESTION: Final = re.compile(r"^(?:how|what|where|when|which|who|why|do|does|is|are|can|could|will|would|has|have)\b")
_LONGEST: Final = 6
"""Exchanges that one request may take."""


@dataclass(frozen=True, slots=True)
class Thread:
    """A request that is not done: its words, newest first, and what was asked or called last."""

    turns: tuple[str, ...]
    question: str = ""
    ability: str = ""
    previous: Json | None = None


@cache
def _questions() -> Mapping[str, re.Pattern[str]]:
    """The model's own questions as patterns, by their key in ``replies.yaml``."""
    replies, found = lexicon.load("replies"), {}
    for key in lexicon.load("questions"):
        variants = [re.sub(r"\\\{\w+\\\}", ".{1,600}?", re.escape(text)) for text in replies[key]]
        found[str(key)] = re.compile("|".join(variants), re.DOTALL)
    return found


def asked(said: str) -> str:
    """The key of the question in what the model said, or nothing."""
    return next((key for key, pattern in _questions().items() if pattern.search(said)), "")


def open_thread(scene: Scene) -> Thread | None:
    """The request that this message goes on with, if it does."""
    text, exchanges = scene.text, scene.dialogue.exchanges
    question = asked(scene.dialogue.said)
    if question and exchanges and answers(question, text):
        return Thread((text, *_since(exchanges)), question=question)
    return _corrected(scene)


def _since(exchanges: tuple[tuple[str, str], ...]) -> list[str]:
    """The words of the request, newest first: back to where no question stood before them."""
    found = [exchanges[-1][0]]
    for words, said in reversed(exchanges[-_LONGEST:-1]):
        if not asked(said):
            break
        found.append(words)
    return found


def answers(question: str, text: str) -> bool:
    """Whether the message gives what the question is about."""
    kind, words = lexicon.load("questions")[question], plain(text)
    if re.fullmatch(r"(?:no|nope|never ?mind|forget it|stop|nothing|cancel)(?: .{0,12})?[.! ]*", words):
        return False
    bare = len(words_of(words)) <= 7 and not _QUESTION.match(words)
    if kind == "order":
        return bool(slots.order_number(text) or slots.bare_number(text)) or bare
    if kind == "address":
        return bool(contact.extract(text, expects_address=True).fields) or bool(
            re.search(r"\baddress|home|work|office\b", words)
        )
    if kind == "email":
        return contact.email_in(text) is not None
    if kind == "words":
        return not _QUESTION.match(words)
    return bare


def _corrected(scene: Scene) -> Thread | None:
    """``no, the other one`` and ``make it two`` about what was just asked of a tool."""
    made = [result.call for result in scene.dialogue.before if result.call.name in _GOES_ON]
    words = plain(scene.text)
    puts_right = _CORRECTS.search(words) or (slots.order_number(scene.text) and len(words_of(words)) <= 2)
    if not made or not scene.dialogue.exchanges or not puts_right or len(words_of(words)) > 14:
        return None
    turns = (scene.text, *_since(scene.dialogue.exchanges))
    return Thread(turns, ability=made[-1].name, previous=made[-1].arguments)


_GOES_ON: Final = frozenset(
    ability
    for ability in ABILITY.values()
    if ability.startswith(("quote_", "propose_"))
    or ability
    in {
        "check_availability",
        "track_order",
        "get_refunds",
        "reorder",
        "get_return_options",
        "explain_routing",
        "stock_movements",
        "stock_by_location",
    }
)
