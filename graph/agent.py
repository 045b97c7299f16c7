"""An agent answers its part of the message, and may hand it on."""

from __future__ import annotations

from typing import Any, Final, Literal

from langgraph.runtime import Runtime
from langgraph.types import Command

from engine.conversations import events
from engine.conversations.models import Mode
from graph import earlier
from graph.state import RunContext, State, Task
from icommerce_agents import history
from icommerce_agents.briefing import Briefing, read_briefing
from icommerce_agents.context import Transfer
from icommerce_agents.history import Item
from icommerce_agents.registry import AGENTS
from icommerce_agents.threads import in_thread
from icommerce_agents.turn import run_turn
from tools.spec import AgentName

MAX_HOPS: Final = 3
"""Hand-overs in one run; after them an agent answers with what it has."""
Next = Command[Literal["agent", "cards", "__end__"]]


async def agent(state: State, runtime: Runtime[RunContext]) -> Next:
    """Run the agent of the first task, unless people have taken the conversation over meanwhile.

    It ends with tasks left: the next part begins when what this one did has been written down.
    """
    context = runtime.context
    task, *later = state.get("tasks") or [Task(agent=state["agent"] or AgentName.COMMERCE, about="")]
    spec = AGENTS[AgentName(task["agent"])]
    briefing, done = await in_thread(_prepare, context, state)
    if briefing.mode != Mode.AGENT:
        return Command(goto="cards", update={"tasks": []})
    context.agent_path.append(spec.name)
    said = {"name": spec.prompt.name, "version": spec.prompt.version, "digest": spec.prompt.digest}
    context.sink.emit(events.agent(spec.name, spec.title), events.staff_note("prompt", said))
    visited = [*state.get("visited", []), spec.name.value]
    context.turn.closed = _closed(visited, state["hops"])
    conversation = [*state["history"], *([history.user(task["about"])] if task["about"] else []), *done]
    now = briefing.text(spec.name, part=bool(task["about"]))
    result = await run_turn(spec, context.turn, conversation, now, briefing.rules(spec.prompt.rules))
    items = [*state["history"], *done, *result.items]
    update: dict[str, Any] = {
        "history": history.trimmed(items),
        "order": history.last_order(result.items) or state.get("order"),
    }
    if result.transfer:
        _note_transfer(context, spec.name, result.transfer)
        task = Task(agent=result.transfer.to.value, about=task["about"])
        return Command(
            goto="agent", update=update | {"hops": state["hops"] + 1, "visited": visited} | _to([task, *later])
        )
    if later and result.finished:
        return Command(goto="__end__", update=update | {"visited": []} | _to(later))
    return Command(goto="cards", update=update | {"tasks": []})


def _to(tasks: list[Task]) -> dict[str, Any]:
    return {"tasks": tasks, "agent": tasks[0]["agent"]}


def _closed(visited: list[str], hops: int) -> frozenset[AgentName]:
    """To whom nobody hands over now: whoever had this task already, and everybody after too many hand-overs."""
    return frozenset(AgentName) if hops >= MAX_HOPS else frozenset(map(AgentName, visited))


def _note_transfer(context: RunContext, source: AgentName, transfer: Transfer) -> None:
    value = {"from": source.value, "to": transfer.to.value, "reason": transfer.reason}
    context.sink.emit(events.staff_note("transfer", value))


def _prepare(context: RunContext, state: State) -> tuple[Briefing, list[Item]]:
    """The state of the shop for this shopper, and what an interrupted try of this turn has already done."""
    briefing = read_briefing(context.tools, order=state.get("order"), language=context.claim.input.get("language"))
    known = history.call_ids(state["history"])
    done = [call.items() for call in earlier.calls(context) if call.id not in known]
    return briefing, [item for pair in done for item in pair]
