"""The cards that ask, three nodes: which are open, the interrupt, and what became of a press."""

from __future__ import annotations

from typing import Literal

from langgraph.runtime import Runtime
from langgraph.types import Command, interrupt

from engine.conversations import asking, events
from graph import outcomes
from graph.state import RunContext, State
from icommerce_agents import history
from icommerce_agents.threads import in_thread


async def cards(  # LangGraph passes the state to every node
    state: State,  # noqa: ARG001
    runtime: Runtime[RunContext],
) -> Command[Literal["confirm", "__end__"]]:
    """Every turn ends here: tell what became of old cards and, while one is open, wait in the confirm node."""
    context = runtime.context
    claim = context.claim
    open_cards, news = await in_thread(asking.standing, context.runtime, claim.identity, claim.thread_id)
    context.open_cards = open_cards
    context.sink.emit(*news)
    target: Literal["confirm", "__end__"] = "confirm" if open_cards else "__end__"
    return Command(goto=target, update={"open_cards": [card.id for card in open_cards], "decided": []})


def confirm(state: State) -> Command[Literal["capture"]]:
    """Interrupt until a human decides, and nothing else: this node runs again from its top on every resume.

    Entered with a decision (no interrupt was waiting for it), it passes on. Either way the row is the truth.
    """
    decided = state.get("decided") or interrupt({"reason": events.CONFIRMATION, "cards": state["open_cards"]})
    return Command(goto="capture", update={"decided": decided})


async def capture(state: State, runtime: Runtime[RunContext]) -> Command[Literal["cards"]]:
    """Do what was decided, by the engine and without a model; the rows say what that is."""
    context = runtime.context
    items = list(state.get("history", []))
    for decided in state["decided"]:
        told = await in_thread(outcomes.settle, context, decided)
        context.turn.say(told.words)
        context.turn.show(told.shown)
        items.append(history.assistant(told.words))
    return Command(goto="cards", update={"history": history.trimmed(items), "decided": []})
