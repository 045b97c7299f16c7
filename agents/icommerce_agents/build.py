"""Declarations made into the SDK's agents, once per process and model."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any, Final

from agents import Agent, FunctionTool, RunContextWrapper, StopAtTools, Tool
from agents.tool_context import ToolContext as CallContext

from icommerce_agents import models
from icommerce_agents.adapter import call_tool, fence
from icommerce_agents.context import Transfer, TurnContext
from icommerce_agents.declaration import AgentSpec
from icommerce_agents.guardrails.secrets import withhold_secrets
from icommerce_agents.lean import offered, standing
from icommerce_agents.registry import AGENTS, allowed
from tools.spec import AgentName, ToolSpec

_REASON = {
    "type": "object",
    "properties": {"reason": {"type": "string", "description": "Why, in a few words."}},
    "required": ["reason"],
}
_REASON_LIMIT: Final = 200


class Standing(Agent[TurnContext]):
    """An agent with the tools it is declared with: all functions, none from elsewhere."""

    async def get_all_tools(self, run_context: RunContextWrapper[TurnContext]) -> list[Tool]:
        return offered(self, run_context)


@cache
def sdk_agent(name: AgentName, model: str) -> Agent[TurnContext]:
    """The agent ``name`` speaking through ``model``."""
    spec = AGENTS[name]
    transfers = [_transfer_tool(target) for target in spec.transfers]
    agent = Standing(
        name=spec.name,
        instructions=spec.prompt.text,
        model=models.model(model),
        model_settings=models.settings(model),
        tools=[*map(_function_tool, spec.tools), *transfers],
        tool_use_behavior=StopAtTools(stop_at_tool_names=[tool.name for tool in transfers]),
    )
    standing(agent)
    return agent


def build_all() -> None:
    """Build every agent now, so that no shopper waits for it."""
    for spec in AGENTS.values():
        sdk_agent(spec.name, models.model_name(spec.name))


def _function_tool(spec: ToolSpec) -> FunctionTool:
    async def invoke(call: CallContext[TurnContext], raw: str) -> str:
        return fence(await call_tool(spec, call.context, call.tool_call_id, raw))

    return _tool(spec.name, spec.description, spec.schema(), invoke)


def _transfer_tool(target: AgentName) -> FunctionTool:
    spec = AGENTS[target]

    async def invoke(call: CallContext[TurnContext], raw: str) -> str:
        reason = _reason(raw)
        call.context.transfer = Transfer(target, reason)
        return fence({"ok": True, "result": {"transferred_to": target, "reason": reason}})

    tool = _tool(f"transfer_to_{target}", _transfer_text(spec), _REASON, invoke)
    tool.is_enabled = _may_transfer(target)
    return tool


def _reason(raw: str) -> str:
    """Why, as far as the model said it in one line."""
    try:
        given = json.loads(raw or "{}")
    except ValueError:
        return ""
    reason = given.get("reason") if isinstance(given, dict) else None
    return withhold_secrets(" ".join(str(reason or "").split()))[:_REASON_LIMIT]


def _transfer_text(spec: AgentSpec) -> str:
    return f"Hand the conversation to {spec.title.lower()} and say nothing more."


def _may_transfer(target: AgentName) -> Callable[[RunContextWrapper[Any], Any], bool]:
    """Not to whom it is not allowed, and not back and forth."""
    return lambda run, _agent: (
        allowed(target, staff=run.context.tools.identity.is_staff) and target not in run.context.closed
    )


def _tool(
    name: str,
    description: str,
    schema: dict[str, Any],
    invoke: Callable[[CallContext[Any], str], Awaitable[str]],
) -> FunctionTool:
    tool = FunctionTool(
        name=name,
        description=description,
        params_json_schema=schema,
        on_invoke_tool=invoke,
        strict_json_schema=False,
    )
    standing(tool)
    return tool
