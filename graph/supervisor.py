"""Who answers what: the routing question, and a plain sentence where nobody does."""

from __future__ import annotations

from typing import Any, Literal

from langgraph.runtime import Runtime
from langgraph.types import Command

from engine.conversations import events
from graph.state import RunContext, State, Task
from icommerce_agents import history
from icommerce_agents import supervisor as router
from prompts import phrase
from tools.spec import AgentName


async def supervisor(state: State, runtime: Runtime[RunContext]) -> Command[Literal["agent", "cards"]]:
    context = runtime.context
    active = state.get("agent")
    plan = await router.route(
        state["history"],
        active=AgentName(active) if active else None,
        staff=context.claim.identity.is_staff,
        meter=context.turn.meter,
    )
    tasks = [Task(agent=task.agent.value, about=task.about) for task in plan.tasks]
    context.sink.emit(events.staff_note("route", {"tasks": tasks, "reason": plan.reason}))
    if not tasks:
        return _nothing_fits(context, state)
    update: dict[str, Any] = {"tasks": tasks, "agent": tasks[0]["agent"], "visited": []}
    return Command(goto="agent", update=update)


def _nothing_fits(context: RunContext, state: State) -> Command[Literal["agent", "cards"]]:
    words = phrase("nothing_fits")
    context.turn.say(words)
    return Command(goto="cards", update={"history": history.trimmed([*state["history"], history.assistant(words)])})
