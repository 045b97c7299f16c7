"""An agent's words on their way out: shown as they come, but for sentences with a figure or a claim, which wait for
their end and are left out when nothing in the conversation stands behind them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from icommerce_agents.guardrails import claims, figures
from icommerce_agents.guardrails.evidence import Evidence
from icommerce_agents.guardrails.secrets import StreamGuard, withhold_secrets
from prompts import phrase

_END: Final = re.compile(r"(?<=[.!?\u2026])[\"')\]*_]*\s+|\n+|(?<=[\u3002\uff01\uff1f])")
_FIGURE: Final = re.compile(r"[\d$€£¥₹₩₺₪]")
_WORD_AT_END: Final = re.compile(r"\S+$")
_LONGEST: Final = 1_500
"""A sentence without an end is judged here."""
_NEUTRAL: Final = {"figure": "unsure_figure", "claim": "unsure_claim", "promise": "unsure_promise"}


@dataclass(frozen=True, slots=True)
class Withheld:
    """A sentence that was not said, and why: ``figure``, ``claim`` or ``promise``, with what was wrong in it."""

    kind: str
    what: str
    sentence: str


def doubt(sentence: str, evidence: Evidence) -> tuple[str, str] | None:
    """What is wrong with a sentence: its kind and the figure or claim nothing stands behind."""
    for amount in figures.amounts(sentence):
        if not evidence.knows_amount(amount):
            return "figure", f"{amount.value} {amount.currency or ''}".strip()
    for measure in figures.measures(sentence):
        if not evidence.knows_number(measure.also_as()):
            return "figure", f"{measure.value} {measure.unit}"
    for reference in figures.references(sentence):
        if not evidence.knows_reference(reference):
            return "figure", reference
    claim = claims.unfounded(sentence, evidence)
    return (("promise", claim) if claim == "promise" else ("claim", claim)) if claim else None


@dataclass
class OutputGuard:
    """One message. ``feed`` and ``rest`` return what may be shown."""

    evidence: Evidence
    withheld: list[Withheld] = field(default_factory=list)
    _secrets: StreamGuard = field(default_factory=StreamGuard)
    _said: str = ""
    """What of the present sentence is shown."""
    _waiting: str = ""
    _told: set[str] = field(default_factory=set)

    def feed(self, delta: str) -> str:
        self._waiting += self._secrets.feed(delta)
        return self._sentences() + self._beginning()

    def rest(self) -> str:
        """What was held back, at the end of the message."""
        self._waiting += self._secrets.rest()
        shown = self._sentences()
        if self._waiting:
            shown += self._judged(self._waiting, "")
        self._said = self._waiting = ""
        return shown

    def _sentences(self) -> str:
        """Every sentence that has its end."""
        shown = ""
        while (end := _END.search(self._waiting)) or len(self._said) + len(self._waiting) > _LONGEST:
            cut, gap = (end.start(), end.group()) if end else (len(self._waiting), "")
            sentence, self._waiting = self._waiting[:cut], self._waiting[cut + len(gap) :]
            shown += self._judged(sentence, gap)
            self._said = ""
        return shown

    def _beginning(self) -> str:
        """What an unfinished sentence may show already."""
        whole = self._said + self._waiting
        word = _WORD_AT_END.search(whole)
        return self._show(whole, min(word.start() if word else len(whole), _harmless(whole)))

    def _show(self, whole: str, cut: int) -> str:
        shown = whole[len(self._said) : cut]
        self._said += shown
        self._waiting = whole[len(self._said) :]
        return shown

    def _judged(self, rest: str, gap: str) -> str:
        """The rest of a sentence, or what is said instead: the same however the text came in pieces."""
        sentence = self._said + rest
        wrong = doubt(sentence, self.evidence) if rest.strip() else None
        if wrong is None:
            return rest + gap
        kind, what = wrong
        self.withheld.append(Withheld(kind, what, withhold_secrets(sentence.strip())))
        told, self._told = self._told, self._told | {kind}
        line = "" if kind in told else phrase(_NEUTRAL[kind])
        before = sentence[: max(_harmless(sentence), len(self._said))]
        if before.strip():
            return f"{before[len(self._said) :]}\u2026 {line}".rstrip() + gap
        return line + gap if line else ""


def checked(text: str, evidence: Evidence) -> tuple[str, list[Withheld]]:
    """A whole message as it may be said, and what was left out."""
    guard = OutputGuard(evidence)
    return guard.feed(text) + guard.rest(), guard.withheld


def _harmless(text: str) -> int:
    """Where the first word is that may matter; the end where none does."""
    found = [match.start() for match in [_FIGURE.search(text)] if match]
    telling = claims.telling_word(text)
    place = min([*found, *([] if telling is None else [telling])], default=len(text))
    return max(text.rfind(blank, 0, place) for blank in " \n\t") + 1 if place < len(text) else place
