"""An agent takes the turn, and may hand it on."""

from __future__ import annotations

from typing import Any, Final, Literal

from langgraph.runtime import Runtime
from langgraph.types import Command

from engine.conversations import events, log
from engine.conversations.models import Mode
from graph.state import RunContext, State
from icommerce_agents import history
from icommerce_agents.adapter import model_call_id
from icommerce_agents.briefing import Briefing, read_briefing
from icommerce_agents.history import Item
from icommerce_agents.registry import AGENTS
from icommerce_agents.threads import in_thread
from icommerce_agents.turn import run_turn
from tools.spec import AgentName

MAX_HOPS: Final = 3
_UNKNOWN_OUTCOME: Final = (
    '{"ok":false,"error":{"code":"interrupted","message":"The server stopped during this call.'
    ' Look at the present state before doing it again."}}'
)


async def agent(state: State, runtime: Runtime[RunContext]) -> Command[Literal["agent", "cards"]]:
    """Run the chosen agent, unless people have taken the conversation over meanwhile."""
    context = runtime.context
    spec = AGENTS[AgentName(state["agent"] or AgentName.COMMERCE)]
    briefing, done = await in_thread(_prepare, context, state["history"])
    if briefing.mode != Mode.AGENT:
        return Command(goto="cards")
    context.agent_path.append(spec.name)
    context.sink.emit(events.agent(spec.name, spec.title))
    conversation = [*state["history"], *done]
    result = await run_turn(spec, context.turn, conversation, briefing.text(spec.name))
    items = history.trimmed([*conversation, *result.items])
    update: dict[str, Any] = {"history": items, "hops": state["hops"] + 1}
    if result.transfer and state["hops"] < MAX_HOPS:
        return Command(goto="agent", update=update | {"agent": result.transfer.value})
    return Command(goto="cards", update=update)


def _prepare(context: RunContext, conversation: list[Item]) -> tuple[Briefing, list[Item]]:
    """The state of the shop for this shopper, and what an interrupted try of this turn has already done."""
    briefing = read_briefing(context.tools)
    tries = [*context.earlier_tries, *([context.claim.run_id] if context.claim.attempt > 1 else [])]
    if not tries:
        return briefing, []
    with context.tools.unit_of_work() as session:
        calls = log.completed_calls(session, context.tenant_id, context.claim.thread_id, tries)
    known = history.call_ids(conversation)
    done = [
        history.call(call["call_id"], call["name"], call["arguments"], call["output"] or _UNKNOWN_OUTCOME)
        for call in calls
        if model_call_id(call["call_id"]) not in known
    ]
    return briefing, [item for pair in done for item in pair]
