"""The graph of a conversation.

START ─► intake ─► supervisor ─► agent ⇄ agent ─► cards ─► END
            │  └─► action ──────────────────────►  │ ▲
            └────► handoff ─────────────────────►  ▼ │
START (a press on a card) ─► confirm (interrupt) ─► capture
"""

from __future__ import annotations

from functools import wraps
from typing import Any, Literal, Protocol, TypeAlias, cast

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import Runtime

from engine.conversations import events
from graph.action import action
from graph.agent import agent
from graph.confirm import capture, cards, confirm
from graph.handoff import handoff
from graph.intake import intake
from graph.state import RunContext, State
from graph.supervisor import supervisor

Graph: TypeAlias = CompiledStateGraph[State, RunContext, State, State]


class Node(Protocol):
    """A function of the state and the run; it answers with where to go and what to remember."""

    __name__: str

    async def __call__(self, state: State, runtime: Runtime[RunContext]) -> Any: ...


def build_graph(checkpointer: BaseCheckpointSaver[Any]) -> Graph:
    """Compile the graph on ``checkpointer``; run it with a ``RunContext``."""
    graph = StateGraph(State, context_schema=RunContext)
    nodes: tuple[Node, ...] = (intake, supervisor, agent, action, handoff, cards, capture)
    for node in nodes:
        graph.add_node(node.__name__, _shown(node))
    graph.add_node("confirm", confirm)
    graph.add_conditional_edges(START, _entry, ["intake", "confirm"])
    return graph.compile(checkpointer=checkpointer)


def _entry(state: State) -> Literal["intake", "confirm"]:
    return "confirm" if state["decided"] else "intake"


def _shown(node: Node) -> Node:
    """The node, with its beginning and end in the log (for staff)."""
    name = node.__name__

    @wraps(node)
    async def step(state: State, runtime: Runtime[RunContext]) -> Any:
        runtime.context.sink.emit(events.step_started(name))
        try:
            return await node(state, runtime)
        finally:
            runtime.context.sink.emit(events.step_finished(name))

    return cast("Node", step)
