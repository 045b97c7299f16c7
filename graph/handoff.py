"""The shopper asked for a person, or the models' money for today is spent: no model has a say in it."""

from __future__ import annotations

import json
from typing import Final, Literal

from langgraph.runtime import Runtime
from langgraph.types import Command

from graph.state import RunContext, State
from icommerce_agents import history
from icommerce_agents.adapter import call_tool, fence
from icommerce_agents.history import Item
from prompts import phrase
from tools import spec

_TOOL: Final = "request_human"
_LAST_WORDS: Final = 3


async def handoff(state: State, runtime: Runtime[RunContext]) -> Command[Literal["cards"]]:
    """Hand the conversation to the shop's people, with the shopper's last words as its summary."""
    context = runtime.context
    reason = "cannot_help" if context.claim.over_budget else "asked_for_person"
    raw = json.dumps({"reason": reason, "summary": _summary(state["history"])})
    call_id = f"press-{context.claim.run_id}"
    answer = await call_tool(spec.load()[_TOOL], context.turn, call_id, raw, provenance=False)
    context.turn.say(phrase("human_coming") if answer["ok"] else answer["error"]["message"])
    noted = [history.user("[pressed request_human]"), *history.call(call_id, _TOOL, raw, fence(answer))]
    return Command(goto="cards", update={"history": history.trimmed([*state["history"], *noted])})


def _summary(items: list[Item]) -> str:
    said = [item["content"] for item in items if item.get("role") == "user"]
    return "\n".join(words[:180] for words in said[-_LAST_WORDS:])
