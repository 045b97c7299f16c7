"""What one run carries through its agents and tools."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from engine.conversations import events
from engine.conversations.events import Emitted
from icommerce_agents import models
from icommerce_agents.guardrails.evidence import Evidence
from icommerce_agents.models import Spent
from icommerce_agents.patience import Patience
from icommerce_agents.sink import Sink
from tools.spec import Access, AgentName, ToolContext

MAX_TOOL_CALLS: Final = 12


@dataclass(slots=True)
class Tally:
    """Requests and tokens, and what they cost where the price is known (millionths of a US dollar)."""

    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    cost_micros: int | None = None

    def add(self, spent: Spent, cost_micros: int | None) -> None:
        self.requests += 1
        self.input_tokens += spent.input_tokens
        self.output_tokens += spent.output_tokens
        self.cached_tokens += spent.cached_tokens
        if cost_micros is not None:
            self.cost_micros = (self.cost_micros or 0) + cost_micros

    def as_json(self) -> dict[str, Any]:
        counts = {"requests": self.requests, "input_tokens": self.input_tokens, "output_tokens": self.output_tokens}
        cached = {"cached_tokens": self.cached_tokens} if self.cached_tokens else {}
        return counts | cached | ({} if self.cost_micros is None else {"cost_micros": self.cost_micros})


@dataclass(slots=True)
class Meter:
    """What a run's models did: in all, and by part and model."""

    total: Tally = field(default_factory=Tally)
    by_model: dict[tuple[str, str], Tally] = field(default_factory=dict)

    def add(self, part: str, model: str, spent: Spent) -> None:
        """Count one answer of ``model`` for ``part``."""
        cost = models.cost_micros(model, spent)
        self.total.add(spent, cost)
        self.by_model.setdefault((part, model), Tally()).add(spent, cost)

    @property
    def tokens(self) -> int:
        return self.total.input_tokens + self.total.output_tokens

    @property
    def cost_micros(self) -> int:
        return self.total.cost_micros or 0

    def as_json(self) -> dict[str, Any]:
        """The totals; ``models`` has them by part and model."""
        each = [{"part": part, "model": model} | tally.as_json() for (part, model), tally in self.by_model.items()]
        return self.total.as_json() | ({"models": each} if each else {})


@dataclass(frozen=True, slots=True)
class CallRecord:
    """A tool call as the run's account has it: no arguments."""

    name: str
    access: Access
    ok: bool
    duration_ms: int

    def as_json(self) -> dict[str, Any]:
        return {"name": self.name, "access": self.access, "ok": self.ok, "duration_ms": self.duration_ms}


@dataclass(frozen=True, slots=True)
class Transfer:
    """An agent hands the task over."""

    to: AgentName
    reason: str = ""


@dataclass(slots=True)
class TurnContext:
    """The SDK's run context: the conversation, its log, and what happened so far."""

    tools: ToolContext
    sink: Sink
    meter: Meter = field(default_factory=Meter)
    calls: list[CallRecord] = field(default_factory=list)
    transfer: Transfer | None = None
    closed: frozenset[AgentName] = frozenset()
    """To whom this turn is not handed over."""
    patience: Patience = field(default_factory=Patience)
    evidence: Evidence = field(default_factory=Evidence)
    """What the agents may say, because somebody or something has said it here."""
    shown: int = 0
    """Cards shown in this run."""

    def say(self, text: str) -> None:
        """A whole sentence of the house, without a model."""
        self.sink.emit(*events.text(events.new_message_id(), "assistant", text))

    def show(self, shown: Sequence[Emitted]) -> None:
        """Cards beside the words."""
        self.shown += len(shown)
        self.sink.emit(*shown)
