"""Who answers: the routing question, asked while the state for the answer is read."""

from __future__ import annotations

from typing import Literal

from langgraph.runtime import Runtime
from langgraph.types import Command

from graph.state import RunContext, State
from icommerce_agents import supervisor as router
from tools.spec import AgentName


async def supervisor(state: State, runtime: Runtime[RunContext]) -> Command[Literal["agent"]]:
    context = runtime.context
    active = state.get("agent")
    chosen = await router.route(
        state["history"],
        active=AgentName(active) if active else None,
        staff=context.claim.identity.is_staff,
        meter=context.turn.meter,
    )
    return Command(goto="agent", update={"agent": chosen.value})
