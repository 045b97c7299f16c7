"""A message taken apart: one ask per thing the shopper wants, in the order said."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from icommerce_agents.offline import contact, deciding, intents, lexicon, pending, slots
from icommerce_agents.offline.dialogue import Json
from icommerce_agents.offline.language import as_typed, foreign_language, plain, words_of
from icommerce_agents.offline.scene import Scene

SMALL_TALK = frozenset({"greeting", "thanks", "goodbye", "praise", "yes", "no"})
ABOUT_ORDERS = frozenset({"order_status", "order_cancel", "return_item", "human", "complaint", "card_number"})
READS = frozenset({"returns_policy", "shop_shipping", "shop_hours", "shop_contact", "shop_about", "payment_methods"})
_ONCE = (
    frozenset(
        {
            "checkout",
            "decline",
            "more",
            "pay",
            "view_cart",
            "empty_cart",
            "categories",
            "human",
            "complaint",
            "order_status",
            "payment_methods",
            "shop_about",
        }
    )
    | SMALL_TALK
)
_SPLIT = lexicon.pattern("clause_end")
_EMPTY = lexicon.words("filler") | lexicon.words("contact_talk")


_AFTER_CONTACT = frozenset({"shipping_choose", "payment_choose", "checkout_status"})
"""The cart is filled before its checkout is; the way of shipping needs the address."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One thing wanted. ``plain`` is the clause in plain words, ``text`` the whole message as typed."""

    intent: str
    plain: str
    text: str
    fields: dict[str, str] = field(default_factory=dict)
    sure: bool = True
    turns: tuple[str, ...] = ()
    """The words of the request, newest first, where it took more than one message."""
    question: str = ""
    """What these words answer, by the key of the question."""
    previous: Json | None = None
    """The arguments of the call that these words put right."""

    @property
    def said(self) -> tuple[str, ...]:
        """All words of the request, newest first, as typed."""
        return self.turns or (self.typed,)

    @property
    def typed(self) -> str:
        """The clause as it was typed."""
        return as_typed(self.plain, self.text)


def understand(scene: Scene) -> list[Ask]:
    """The asks of the last message. Never empty."""
    text = scene.text
    language = foreign_language(text)
    details = contact.extract(text)
    if language is not None and not details.fields:
        return [Ask("foreign", language, text)]
    flags = intents.flags_of(scene)
    whole = plain(text)
    if going_on := _going_on(scene, whole, flags):
        return going_on
    if _is_service(scene, details, whole, flags) or _answers_order_question(scene, details):
        return _order_asks(scene, details, whole, flags)
    if scene.staff and not scene.checking_out:
        details = contact.Contact(rest=text)
    details = _with_expected(scene, details, flags)
    asks = [Ask("contact", whole, text, details.fields)] if details.fields else []
    rest = plain(details.rest)
    if not asks or _means_something(rest):
        more = _clauses(scene, rest, flags | {"checkout"} if asks else flags, sure_only=bool(asks))
        asks += [ask for ask in more if not (asks and ask.intent in deciding.kinds("service"))]
    told = _tidy(scene, asks) or [Ask("unclear", whole, text, sure=False)]
    alone = len(told) == 1 and told[0].intent in deciding.taught() and not told[0].turns
    return [replace(told[0], turns=(text,))] if alone else told


def _going_on(scene: Scene, whole: str, flags: frozenset[str]) -> list[Ask]:
    """The request of an earlier message, with what this one adds or puts right."""
    thread = pending.open_thread(scene)
    if thread is None or intents.by_rule(whole, flags) in _BREAKS:
        return []
    intent = _of_ability(thread.ability) if thread.ability else _asked_for(scene, thread.turns[1:], flags)
    if intent is None or _is_another(scene, whole, intent, thread, flags):
        return []
    fields = contact.extract(scene.text, expects_address=thread.question == "new_address").fields
    ask = Ask(intent, whole, scene.text, fields, turns=thread.turns)
    return [replace(ask, question=thread.question, previous=thread.previous)]


_BREAKS = frozenset({"human", "card_number", "thanks", "goodbye", "identity", "capabilities", "view_cart", "offtopic"})


def _of_ability(ability: str) -> str | None:
    return next((intent for intent, name in deciding.ABILITY.items() if name == ability), None)


def _asked_for(scene: Scene, texts: tuple[str, ...], flags: frozenset[str]) -> str | None:
    """What the request was about: the last thing in its first words that the trained layer knows."""
    for text in reversed(texts):
        found = [row[0] for row in _split(scene, plain(text), flags, sure_only=True)]
        if known := [intent for intent in found if intent in deciding.taught()]:
            return known[-1]
    return None


def _is_another(scene: Scene, whole: str, intent: str, thread: pending.Thread, flags: frozenset[str]) -> bool:
    """Whether the words are plainly a request of their own."""
    new = deciding.intent_of(whole, scene, flags)
    long = len(words_of(whole)) > (3 if thread.question else 4)
    return bool(long and new in deciding.taught() and new != intent and deciding.is_sure(whole, scene, str(new)))


def _is_service(scene: Scene, details: contact.Contact, whole: str, flags: frozenset[str]) -> bool:
    """Whether part of the message is about orders that were placed, or for a person."""
    if intents.by_rule(whole, flags) in ABOUT_ORDERS - {"order_cancel", "return_item", "order_status"}:
        return True
    pieces = [plain(details.rest)] if details.fields else [whole, *_pieces(whole)]
    wanted = deciding.kinds("service") if not (details.fields and scene.checking_out) else frozenset({"sign_in"})
    return any(deciding.intent_of(piece, scene, flags) in wanted for piece in pieces if piece)


def _answers_order_question(scene: Scene, details: contact.Contact) -> bool:
    if "email" in details.fields and slots.order_number(scene.text) and not scene.checking_out:
        return True
    asked = re.search(lexicon.load("offers")["asked"]["order_status"], scene.dialogue.said.lower())
    return (
        bool(asked)
        and not scene.checking_out
        and ("email" in details.fields or slots.order_number(scene.text) is not None)
    )


def _order_asks(scene: Scene, details: contact.Contact, whole: str, flags: frozenset[str]) -> list[Ask]:
    rest = plain(details.rest) if {"line_one", "city"} & details.fields.keys() else whole
    asks = [Ask(*found) for found in _split(scene, rest, flags, sure_only=True)]
    wanted = [ask for ask in asks if ask.intent != "contact"]
    if not any(ask.intent in ABOUT_ORDERS | deciding.taught() for ask in wanted):
        first = deciding.intent_of(whole, scene, flags)
        wanted = [Ask(first if first in ABOUT_ORDERS | deciding.taught() else "order_status", whole, scene.text)]
    alone = len(wanted) == 1
    told = [replace(ask, fields=details.fields, turns=(scene.text,) if alone else (ask.typed,)) for ask in wanted]
    return _tidy(scene, told)


def _with_expected(scene: Scene, details: contact.Contact, flags: frozenset[str]) -> contact.Contact:
    """Read again with what the checkout waits for in mind, unless the words are plainly something else."""
    missing = set((scene.checkout or {}).get("missing") or ())
    if not scene.checking_out or intents.by_rule(plain(details.rest), flags):
        return details
    name = "name" in missing and bool(re.search(r"\bname\b", scene.dialogue.said.lower()) or details.fields)
    return contact.extract(
        scene.text, expects_name=name, expects_address="address" in missing or _mentions_address(scene)
    )


def _mentions_address(scene: Scene) -> bool:
    return bool(re.search(r"\b(address|zip|postal|city)\b", f"{scene.dialogue.said} {scene.text}".lower()))


def _means_something(rest: str) -> bool:
    return any(word not in _EMPTY for word in words_of(rest))


def _clauses(scene: Scene, rest: str, flags: frozenset[str], *, sure_only: bool) -> list[Ask]:
    return [Ask(*found) for found in _split(scene, rest, flags, sure_only=sure_only)]


def _split(
    scene: Scene, text: str, flags: frozenset[str], *, sure_only: bool
) -> list[tuple[str, str, str, dict[str, str], bool]]:
    """Clauses with their intents; a clause that says nothing by itself belongs to a neighbor that searches."""
    found: list[tuple[str, str]] = []
    loose: list[str] = []
    growing = flags
    for piece in _pieces(text):
        intent = _pending(scene, piece) or deciding.intent_of(piece, scene, growing)
        if found and found[-1][0] == intent == "details" and re.search(r"\b(it|this|that|they)\b", piece):
            found[-1] = (intent, f"{found[-1][1]} {piece}")
        elif found and found[-1][0] in deciding.taught() and intent in _BELONGS:
            found[-1] = (found[-1][0], f"{found[-1][1]}, {piece}")
        elif found and found[-1][0] in _GROWS and intent in {None, "refine", "details"} and "listing" not in flags:
            found[-1] = (found[-1][0], f"{found[-1][1]} {piece}")
        elif intent in {"browse", "details"} and loose:
            found.append((intent, f"{' '.join(loose)} {piece}"))
            loose = []
        elif intent is not None:
            found.append((intent, piece))
        elif found and found[-1][0] in _GROWS and not sure_only:
            found[-1] = (found[-1][0], f"{found[-1][1]} {piece}")
        else:
            loose.append(piece)
        growing = growing | {"cart"} if intent == "add" else growing
    if found or sure_only:
        return [(intent, piece, scene.text, {}, True) for intent, piece in found]
    intent = intents.classify(text, flags)[0]
    return [(intent, text, scene.text, {}, False)] if intent else [_last_resort(scene, text, flags)]


_GROWS = frozenset({"browse", "refine", "add"})
_BELONGS = frozenset({None, "details", "refine", "yes", "no", "praise"})
"""A clause that tells more of the request before it."""


def _pieces(text: str) -> list[str]:
    pieces = [part for sentence in re.split(r"(?<=[.!?;])\s+|;\s*", text) for part in _SPLIT.split(sentence)]
    clean = [piece.strip(" ,.;") for piece in pieces]
    return [
        piece
        for piece in clean
        if piece and piece not in {"and", "please", "then", "so", "ok", "actually", "wait", "hm", "hmm", "oh"}
    ]


def _pending(scene: Scene, piece: str) -> str | None:
    """What a bare choice ("the second one", "2") means after our question which one."""
    if len(piece.split()) > 6 or intents.by_rule(piece, frozenset({"listing", "known"})) not in {
        "details",
        None,
        "yes",
    }:
        return None
    said = scene.dialogue.said.lower()
    bare = re.match(r"^(?:the |number |option |#|both|all|\d|first|second|third|fourth|fifth|last|1)", piece)
    for intent, pattern in lexicon.load("offers")["asked"].items():
        if bare and intent in {"add", "remove", "buy", "set_quantity", "swap", "compare"} and re.search(pattern, said):
            return str(intent)
    return None


def _last_resort(scene: Scene, text: str, flags: frozenset[str]) -> tuple[str, str, str, dict[str, str], bool]:
    words = [word for word in words_of(text) if word not in lexicon.words("filler")]
    code = (
        slots.discount_code(scene.text)
        if re.search(lexicon.load("offers")["asked"]["discount"], scene.dialogue.said.lower())
        else None
    )
    if code:
        return ("discount", text, scene.text, {}, True)
    asking = re.search(r"\?|^(what|how|why|who|when|where|is|are|does|do|can|could|will|would|should|has|have)\b", text)
    if asking and "known" in flags:
        return ("details", text, scene.text, {}, False)
    noun = any(word in lexicon.words("nouns") or word.rstrip("s") in lexicon.words("nouns") for word in words)
    if slots.price_range(text) or slots.options(text):
        return ("browse", text, scene.text, {}, False)
    bare = not asking and not re.search(r"\b(i|you|we|me|my|your|he|she|they)\b", text)
    if words and (noun or (len(words) <= (8 if bare else 4) and not asking)):
        return ("browse", text, scene.text, {}, False)
    return ("unclear", text, scene.text, {}, False)


def _tidy(scene: Scene, asks: list[Ask]) -> list[Ask]:
    if any(ask.intent not in SMALL_TALK | READS for ask in asks):
        asks = [ask for ask in asks if ask.intent != "yes"]
    asks = [_resolve(scene, ask) for ask in asks]
    asks = _without_reasons(scene, asks)
    serious = [ask for ask in asks if ask.intent not in SMALL_TALK]
    kept: list[Ask] = []
    for ask in serious or asks[:1]:
        if ask.intent in _ONCE and any(ask.intent == other.intent for other in kept):
            continue
        if ask.intent in deciding.taught() and any(_same(ask, other) for other in kept):
            continue
        kept.append(ask)
    kept.sort(key=lambda ask: 1 if ask.intent == "contact" else 2 if ask.intent in _AFTER_CONTACT else 0)
    if any(ask.intent in {"buy", "contact"} for ask in kept):
        kept = [ask for ask in kept if ask.intent not in {"pay", "checkout"}]
    return kept


def _without_reasons(scene: Scene, asks: list[Ask]) -> list[Ask]:
    """``my old boots leak, I need new ones``: a fault told as the reason for looking, or for asking what is covered."""
    if any(ask.intent == "warranty_info" for ask in asks):
        return [ask for ask in asks if ask.intent != "warranty_claim" or _CLAIMS.search(ask.plain)]
    faults = [ask for ask in asks if ask.intent == "warranty_claim"] if not scene.orders else []
    if not faults or not any(ask.intent == "browse" for ask in asks):
        return asks
    told = " ".join(fault.plain for fault in faults)
    rest = [ask for ask in asks if ask not in faults]
    return [replace(ask, plain=f"{told} {ask.plain}") if ask.intent == "browse" else ask for ask in rest]


_CLAIMS = re.compile(r"\b(?:claims?|repair\w*|replace\w*|case)\b")


def _same(ask: Ask, other: Ask) -> bool:
    """Said twice: ``where is it and when will it come``."""
    numbers = [slots.order_number(one.plain) for one in (ask, other)]
    plainly = not lexicon.words("filler") >= set(words_of(ask.plain)) and len(words_of(ask.plain)) > 6
    return ask.intent == other.intent and (numbers[0] == numbers[1]) and not plainly


def _resolve(scene: Scene, ask: Ask) -> Ask:
    """A yes is what was offered."""
    if ask.intent != "yes":
        return ask
    said = scene.dialogue.said.lower()
    tail = " ".join(re.findall(r"[^.!?\n]*\?", said)[-2:])
    for offer in lexicon.load("offers")["offers"]:
        if re.search(offer["pattern"], tail):
            return replace(ask, intent=str(offer["intent"]), plain="it")
    return ask
