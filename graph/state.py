"""What the graph remembers between turns (in the checkpoint) and what one run carries (never stored)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypedDict

from engine.conversations.runs import Claim
from engine.conversations.schemas import OpenCard
from engine.runtime import Runtime
from icommerce_agents.context import TurnContext
from icommerce_agents.history import Item
from icommerce_agents.sink import Sink
from tools.spec import ToolContext


class Decided(TypedDict):
    """A press on a card. The row in the database is the truth; this only says which row to read."""

    id: str
    approved: bool


class Task(TypedDict):
    """What one agent is to answer: a part of the message, or all of it where ``about`` is empty."""

    agent: str
    about: str


class State(TypedDict, total=False):
    """Plain JSON, so that any version of this code can read it back."""

    run_id: str
    history: list[Item]
    agent: str | None
    hops: int
    """Hand-overs between agents in this run."""
    tasks: list[Task]
    """What is still to be answered, the present one first."""
    visited: list[str]
    """Agents that have handed the present task on."""
    order: str | None
    """The order last spoken about."""
    seen: int
    """The newest event of the shop's people that the history holds."""
    returned: int
    """Which giving back of the conversation the history holds a note of."""
    open_cards: list[str]
    decided: list[Decided]


class NewTurn(TypedDict):
    """What every run begins with; history and agent stay."""

    run_id: str
    hops: int
    tasks: list[Task]
    visited: list[str]
    open_cards: list[str]
    decided: list[Decided]


@dataclass(slots=True)
class RunContext:
    """One run in execution."""

    runtime: Runtime
    claim: Claim
    sink: Sink
    turn: TurnContext = field(init=False)
    agent_path: list[str] = field(default_factory=list)
    earlier_tries: list[str] = field(default_factory=list)
    """Runs that tried to answer these words and failed: the tool calls they made count."""
    open_cards: list[OpenCard] | None = None
    """The cards that were open when the walk through the graph ended."""

    def __post_init__(self) -> None:
        tools = ToolContext(self.runtime, self.claim.identity, self.claim.thread_id, self.claim.run_id)
        self.turn = TurnContext(tools, self.sink)

    @property
    def tools(self) -> ToolContext:
        return self.turn.tools

    @property
    def tenant_id(self) -> str:
        return self.claim.identity.tenant_id


def new_turn(run_id: str, decided: list[Decided] | None = None) -> NewTurn:
    return NewTurn(run_id=run_id, hops=0, tasks=[], visited=[], open_cards=[], decided=decided or [])


def decisions(stored: dict[str, Any]) -> list[Decided]:
    """The presses in a run's stored input."""
    return [
        Decided(
            id=entry["interruptId"],
            approved=entry["status"] == "resolved" and entry.get("payload", {}).get("approved") is True,
        )
        for entry in stored.get("resume", [])
    ]
