"""What a conversation holds that an answer may rest on: what tools returned, what the shop and the shopper said."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final

from icommerce_agents.guardrails import claims, figures
from icommerce_agents.guardrails.figures import Amount

_STATES: Final = frozenset(
    {"status", "payment", "payment_status", "fulfillment", "fulfillment_status", "state", "decision", "outcome"}
)
"""Keys of results under which the engine says how something stands. Free text is never read for this."""
_STATE_LENGTH: Final = 40


class Source(StrEnum):
    SHOPPER = "shopper"
    """Also the briefing: figures only."""
    SHOP = "shop"
    """Its people, its fixed sentences, and an agent's earlier answers, which were checked when they were given."""
    RESULT = "result"
    """A tool's answer as the model reads it."""


@dataclass(slots=True)
class Facts:
    """What one text, or several together, have."""

    amounts: set[Amount] = field(default_factory=set)
    numbers: set[Decimal] = field(default_factory=set)
    references: set[str] = field(default_factory=set)
    states: set[str] = field(default_factory=set)
    """How things stand by results, and what the shop has announced."""
    told: list[str] = field(default_factory=list)
    """The texts of results, in small letters."""

    def add(self, other: Facts) -> None:
        self.amounts |= other.amounts
        self.numbers |= other.numbers
        self.references |= other.references
        self.states |= other.states
        self.told += other.told


class Evidence:
    """Grows with the conversation; asked about every sentence an agent wants to say. Texts are read when they are
    first needed, and each text once per process.
    """

    def __init__(self) -> None:
        self._unread: list[tuple[Source, str]] = []
        self._facts = Facts()

    def learn(self, items: Iterable[Mapping[str, Any]]) -> None:
        """Take in a history: words of both sides, and what tools returned."""
        for item in items:
            match item.get("type") or item.get("role"):
                case "function_call_output":
                    self.add(Source.RESULT, str(item["output"]))
                case "assistant":
                    self.add(Source.SHOP, str(item["content"]))
                case "user" | "system":
                    self.add(Source.SHOPPER, str(item["content"]))

    def add(self, source: Source, text: str) -> None:
        self._unread.append((source, text))

    def knows_amount(self, amount: Amount) -> bool:
        facts = self._read()
        if amount.currency is None and amount.value in facts.numbers:
            return True
        return any(amount.may_be(known) for known in facts.amounts)

    def knows_number(self, values: Iterable[Decimal]) -> bool:
        return any(value in self._read().numbers for value in values)

    def knows_reference(self, reference: str) -> bool:
        return reference in self._read().references

    def knows_state(self, states: frozenset[str]) -> bool:
        return bool(states & self._read().states)

    def mentions(self, term: str) -> bool:
        """Whether a tool's result has this word."""
        return any(term in text for text in self._read().told)

    def _read(self) -> Facts:
        for source, text in self._unread:
            self._facts.add(_facts_of(source, text))
        self._unread = []
        return self._facts


@lru_cache(maxsize=1_024)
def _facts_of(source: Source, text: str) -> Facts:
    facts = Facts(set(figures.amounts(text)), set(figures.numbers(text)), set(figures.references(text)))
    match source:
        case Source.SHOPPER:
            facts.amounts |= {Amount(value, None) for value in facts.numbers}
        case Source.SHOP:
            facts.states |= claims.announced(text)
        case Source.RESULT:
            facts.told.append(text.lower())
            _read_states(text, facts.states)
    return facts


def _read_states(text: str, states: set[str]) -> None:
    try:
        answer = json.loads(text)
    except ValueError:
        return
    if isinstance(answer, dict) and answer.get("ok"):
        _walk(answer.get("result"), states)


def _walk(value: Any, states: set[str]) -> None:
    if isinstance(value, Mapping):
        _read_entries(value, states)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for one in value:
            _walk(one, states)


def _read_entries(entries: Mapping[str, Any], states: set[str]) -> None:
    if "number" in entries and "total" in entries:
        states.add("placed")
    for name, value in entries.items():
        if name in _STATES and isinstance(value, str) and len(value) <= _STATE_LENGTH:
            states.add(value.lower())
        elif name == "refunds" and value:
            states.add("refunded")
        else:
            _walk(value, states)
