"""What one run carries through its agents and tools."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from engine.conversations import events
from engine.conversations.events import Emitted
from icommerce_agents.sink import Sink
from tools.spec import Access, AgentName, ToolContext

MAX_TOOL_CALLS: Final = 12


@dataclass(slots=True)
class Meter:
    """Tokens and requests of a run, over all its models."""

    input_tokens: int = 0
    output_tokens: int = 0
    requests: int = 0
    cost_micros: int = 0
    priced: bool = False

    def add(self, *, input_tokens: int, output_tokens: int, requests: int, cost_micros: int | None) -> None:
        """Count one model's work; ``cost_micros`` (millionths of a US dollar) is None where no price is known."""
        self.input_tokens += input_tokens
        self.output_tokens += output_tokens
        self.requests += requests
        if cost_micros is not None:
            self.cost_micros += cost_micros
            self.priced = True

    def as_json(self) -> dict[str, Any]:
        usage = {
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
            "requests": self.requests,
        }
        return usage | ({"cost_micros": self.cost_micros} if self.priced else {})


@dataclass(frozen=True, slots=True)
class CallRecord:
    """A tool call as the run's account has it: no arguments."""

    name: str
    access: Access
    ok: bool
    duration_ms: int

    def as_json(self) -> dict[str, Any]:
        return {"name": self.name, "access": self.access, "ok": self.ok, "duration_ms": self.duration_ms}


@dataclass(slots=True)
class TurnContext:
    """The SDK's run context: the conversation, its log, and what happened so far."""

    tools: ToolContext
    sink: Sink
    meter: Meter = field(default_factory=Meter)
    calls: list[CallRecord] = field(default_factory=list)
    transfer: AgentName | None = None
    shown: int = 0
    """Cards shown in this run."""

    def say(self, text: str) -> None:
        """A whole sentence of the house, without a model."""
        self.sink.emit(*events.text(events.new_message_id(), "assistant", text))

    def show(self, shown: Sequence[Emitted]) -> None:
        """Cards beside the words."""
        self.shown += len(shown)
        self.sink.emit(*shown)
