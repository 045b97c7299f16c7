"""Warranties and claims: what is covered, telling a fault, and choosing how it is put right."""

from __future__ import annotations

import re
from collections.abc import Generator

from icommerce_agents.offline import lexicon, slots
from icommerce_agents.offline.asks import Ask
from icommerce_agents.offline.choosing import id_of, named, placed, telling, title_of
from icommerce_agents.offline.dialogue import Call, Json, Result
from icommerce_agents.offline.language import plain, words_of
from icommerce_agents.offline.scene import Scene
from icommerce_agents.offline.script import Script, nearest
from icommerce_agents.offline.tell import anything
from icommerce_agents.offline.tell import orders as tell
from icommerce_agents.offline.tell.phrases import failure, listed, say, sentence

_CLAIM = re.compile(r"\b(clm_[0-9A-Za-z]+|[A-Z]{2,4}-?\d{3,})\b", re.IGNORECASE)
_SERIAL = re.compile(r"\bserial(?: number| no\.?)?(?: is|:)?\s+([A-Za-z0-9-]{4,40})\b", re.IGNORECASE)
_ONLY_WISH = re.compile(
    r"^(?:i (?:want|would like|need|have) (?:to )?)?(?:make|file|start|open|claim|submit|use)?\s*(?:a |the |my )?"
    r"(?:warranty|guarantee|claim)(?: claim| case)?(?: (?:on|for|about) .*)?[.!? ]*$"
)


def warranty_info(_ask: Ask, scene: Scene) -> Script:
    result = yield Call("list_warranties")
    return tell.listing(result, scene, "warranties", "warranties_none")


def warranty_claim(ask: Ask, scene: Scene) -> Script:
    """Which unit, which fault and what happened; the rest is for the shop to decide."""
    row = yield from _pick_warranty(ask, scene)
    if isinstance(row, str):
        return row
    if row.get("claimable") is False:
        why = str(row.get("message") or row.get("why_not") or "")
        return say("not_covered", scene.seed, title=title_of(row), message=sentence(why))
    fault = _fault(ask, scene)
    if fault is None:
        return say("what_is_wrong", scene.seed)
    codes = [str(one.get("code")) for one in scene.symptoms] or [str(one) for one in row.get("symptoms") or ()]
    texts = [str(one.get("text") or one.get("code")) for one in scene.symptoms]
    symptom = nearest(plain(fault), codes, texts) if codes else plain(fault)
    serial = next((found.group(1) for text in ask.said if (found := _SERIAL.search(text))), None)
    arguments = {"warranty_id": id_of(row, "warranty_id"), "symptom": symptom, "description": fault, "serial": serial}
    result = yield Call("file_claim", {key: value for key, value in arguments.items() if value})
    if not result.ok:
        return failure(result, scene.seed)
    number = result.value.get("number")
    return say("claim_filed", scene.seed, number=f" as {number}" if number else "", what=anything.told(result.value))


def _pick_warranty(ask: Ask, scene: Scene) -> Generator[Call, Result, Json | str]:
    if scene.warranties is None:
        result = yield Call("list_warranties")
        if not result.ok:
            return failure(result, scene.seed)
    rows = scene.warranties or []
    if not rows:
        return say("warranties_none", scene.seed)
    said = (*ask.said, *_before(scene))
    ordered = {number for text in said if (number := slots.order_number(text))}
    rows = [row for row in rows if ordered & set(map(str, row.values()))] or rows
    found = placed(ask.said[:1], rows) or named(said, rows, title_of) or [r for r in rows if r.get("claimable")] or rows
    if len(found) > 1:
        return say("which_warranty", scene.seed, choices=listed(dict.fromkeys(map(title_of, found[:6])), "or"))
    return found[0]


def _before(scene: Scene) -> list[str]:
    """What was said of it just before, newest first: a claim is often told in two messages."""
    return list(reversed(scene.dialogue.asked[-3:-1]))


def _fault(ask: Ask, scene: Scene) -> str | None:
    """What is wrong, in the shopper's words; ``None`` while they only said that they want to claim."""
    if ask.question == "what_is_wrong":
        return ask.said[0].strip()
    told = [text.strip() for text in ask.said if not _ONLY_WISH.match(plain(text)) and _tells(text)]
    told += [text.strip() for text in _before(scene) if _FAULT.search(plain(text))]
    return told[0] if told else None


def _tells(text: str) -> bool:
    return len(words_of(plain(text))) > 2 and bool(_FAULT.search(plain(text)) or len(telling(text)) > 2)


_FAULT = lexicon.pattern("fault")


def claim_status(ask: Ask, scene: Scene) -> Script:
    claim = _claim_id(ask, scene)
    result = yield Call("get_claim", {"claim": claim} if claim else {})
    return anything.told(result.value) if result.ok else failure(result, scene.seed)


def claim_choice(ask: Ask, scene: Scene) -> Script:
    """The cards choose; words never do."""
    claim = yield from _pick_claim(ask, scene)
    if isinstance(claim, str):
        return claim
    result = yield Call("offer_claim_choice", claim)
    return tell.done(result, scene, "choose_on_card")


def claim_answer(ask: Ask, scene: Scene) -> Script:
    """What the shop asked about a claim is answered in the shopper's own words."""
    claim = yield from _pick_claim(ask, scene)
    if isinstance(claim, str):
        return claim
    text = ask.said[0].strip() if ask.question == "claim_answer_what" else _answer(ask)
    if not text:
        return say("claim_answer_what", scene.seed, number=str((scene.claim or {}).get("number") or ""))
    result = yield Call("answer_claim", {**claim, "text": text})
    return anything.told(result.value) if result.ok else failure(result, scene.seed)


def _answer(ask: Ask) -> str:
    """What follows a colon or a dash, else a message that says more than that there is an answer."""
    for text in ask.said:
        if (parts := re.split(r":\s+|\s[-\u2013\u2014]\s", text, maxsplit=1))[1:]:
            return parts[1].strip()
        if len(telling(text)) > 2:
            return text.strip()
    return ""


def _pick_claim(ask: Ask, scene: Scene) -> Generator[Call, Result, Json | str]:
    """The claim as an argument, or what is said where it is not known which."""
    claim = _claim_id(ask, scene)
    if claim is None:
        found = yield Call("get_claim")
        if not found.ok:
            return failure(found, scene.seed)
        claim = _claim_id(ask, scene)
    return {"claim_id": claim} if claim else say("which_claim", scene.seed)


def _claim_id(ask: Ask, scene: Scene) -> str | None:
    """The claim named, or the one spoken about."""
    for text in ask.said:
        if found := _CLAIM.search(text):
            return found.group(1) if found.group(1).startswith("clm_") else found.group(1).upper()
    known = scene.claim or {}
    rows = [row for row in scene.warranties or () if row.get("claim_id") or row.get("claim")]
    return id_of(known, "id", "claim_id") or (
        str(rows[0].get("claim_id") or rows[0].get("claim")) if len(rows) == 1 else None
    )
