"""Sentences that say something has happened, or promise something: which they are, and what must stand behind them.

Read in English. What such a sentence says in another language is not seen here; its figures are, and nothing moves by
words in any.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from icommerce_agents.guardrails.evidence import Evidence


@dataclass(frozen=True, slots=True)
class Claim:
    """``states``: one of them must be known. ``announces``: what a sentence of the shop itself makes known."""

    name: str
    pattern: re.Pattern[str]
    states: frozenset[str]


def _claim(name: str, pattern: str, states: str) -> Claim:
    return Claim(name, re.compile(pattern, re.IGNORECASE), frozenset([name, *states.split()]))


_ADVERB: Final = r"(?:now |just |already |successfully |fully |also |been )*"
_DONE: Final = rf"(?:has been|have been|is|are|was|were|'s been|got) {_ADVERB}"
_WE: Final = rf"\b(?:I|we)(?:'ve| have)? {_ADVERB}"
CLAIMS: Final = (
    _claim(
        "paid",
        rf"payment (?:{_DONE})?(?:received|taken|captured|successful|complete)"
        r"|(?:payment|charge) (?:went|has gone) through"
        rf"|\byou (?:have been|were|are) {_ADVERB}charged|card (?:has been|was|is) {_ADVERB}charged"
        rf"|{_WE}(?:charged|paid)\b|(?:order|it|everything|that|invoice) {_DONE}paid\b",
        "captured partially_refunded refunded partially_paid",
    ),
    _claim(
        "refunded",
        rf"refunds? (?:of \S+ )?{_DONE}(?:issued|processed|approved|sent|made|completed?|granted|on its way)"
        rf"|{_WE}refunded|{_WE}(?:issued|processed|approved|sent|granted) (?:you |your |the |a |full |partial )*refund"
        rf"|{_DONE}refunded|(?:your )?money {_DONE}(?:on its way|back|returned)",
        "partially_refunded",
    ),
    _claim(
        "placed",
        rf"order (?:\S+ )?{_DONE}(?:placed|confirmed|submitted)"
        rf"|{_WE}(?:placed|submitted|confirmed) (?:the|your|an|this) order"
        rf"|{_WE}ordered\b|thank you for your (?:order|purchase)",
        "paid authorized",
    ),
    _claim("canceled", rf"{_DONE}cancell?ed\b|{_WE}cancell?ed\b", "cancelled voided"),
    _claim(
        "changed",
        rf"(?:address|payment method|order|delivery) {_DONE}(?:changed|updated|redirected)"
        rf"|{_WE}(?:changed|updated|redirected|swapped) (?:the |your )?(?:\w+ )?"
        r"(?:order|address|payment method|delivery)",
        "applied executed done completed updated incomplete ready_for_payment",
    ),
    _claim(
        "returned",
        rf"return {_DONE}(?:approved|accepted|booked|registered|confirmed|created)"
        rf"|{_WE}(?:approved|accepted|booked|registered) (?:the|your) return",
        "requested approved authorized in_transit received inspected completed closed open",
    ),
    _claim(
        "shipped",
        rf"(?:order|parcel|package|it|replacement|shipment) (?:has|{_DONE}){_ADVERB}"
        r"(?:shipped|dispatched|delivered|sent out|arrived)\b|(?:replacement|new one) is on (?:its|the) way",
        "in_transit out_for_delivery delivered partially_shipped fulfilled partially_fulfilled partial shipping",
    ),
)
PROMISES: Final[tuple[tuple[re.Pattern[str], str], ...]] = tuple(
    (re.compile(pattern, re.IGNORECASE), term)
    for pattern, term in (
        (r"\bguarantee", "guarantee"),
        (r"\bprice[- ]match", "match"),
        (r"\blifetime\b", "lifetime"),
        (r"\bcompensat", "compensat"),
        (r"\bmoney[- ]back\b", "money"),
        (r"\bno questions asked\b", "no questions"),
        (r"\b(?:free of charge|at no (?:extra )?(?:cost|charge)|on the house)\b", "free"),
        (r"\bfree (?:shipping|delivery|returns?|replacement|exchange|gift)\b", "free"),
        (r"\bvouchers?\b", "voucher"),
        (r"\bI promise\b", "promise"),
        (r"\b(?:will|'ll) (?:be )?(?:refund|reimburse)", "refund"),
        (r"\b(?:will|'ll) (?:get|receive) (?:a |your |the )?(?:full |partial )?(?:refund|reimbursement)", "refund"),
    )
)
"""What is promised, and the word that a tool's result must have for it."""
_TELLING: Final = re.compile(
    r"\b(?:receiv|taken|captur|success|complet|through|charg|paid|refund|issued|processed|approv|grant|money|returned|"
    r"back|placed|confirmed|submit|ordered|thank you|cancel|chang|updat|redirect|swapped|accepted|booked|register|"
    r"created|ship|dispatch|deliver|sent|arrived|on its|on the way|guarant|match|lifetime|"
    r"compensat|questions|free|at no|house|voucher|promise|reimburs)",
    re.IGNORECASE,
)
_NOT_SO: Final = re.compile(
    r"\b(?:not|never|nothing|no|none|nobody|once|when|if|until|unless|after|before|whether|cannot|without|can)\b|n't\b",
    re.IGNORECASE,
)
_NOT_YET: Final = re.compile(r"\s*(?:only )?(?:once|when|if|as soon as|after|unless)\b", re.IGNORECASE)
_CLAUSE: Final = re.compile(r"[,;:()\u2014]|\s-\s|\b(?:and|but|so)\b")


def unfounded(sentence: str, evidence: Evidence) -> str | None:
    """What this sentence claims or promises that nothing in the conversation says; ``None`` for an honest one."""
    if sentence.rstrip().endswith("?"):
        return None
    for claim in CLAIMS:
        if _says(claim.pattern, sentence) and not evidence.knows_state(claim.states):
            return claim.name
    for pattern, term in PROMISES:
        if _says(pattern, sentence) and not evidence.mentions(term):
            return "promise"
    return None


def announced(text: str) -> set[str]:
    """What sentences of the shop itself make known."""
    return {claim.name for claim in CLAIMS if _says(claim.pattern, text)}


def telling_word(text: str) -> int | None:
    """Where an unfinished sentence has a word that may make a claim or promise of it."""
    found = _TELLING.search(text)
    return found.start() if found else None


def _says(pattern: re.Pattern[str], text: str) -> bool:
    return any(not _denied(text, match) for match in pattern.finditer(text))


def _denied(text: str, match: re.Match[str]) -> bool:
    """Whether the words around it make it something that is not, or not yet, so."""
    clause = _CLAUSE.split(text[: match.start()])[-1]
    after = text[match.end() :]
    return bool(_NOT_SO.search(clause) or _NOT_SO.search(match.group()) or _NOT_YET.match(after))
