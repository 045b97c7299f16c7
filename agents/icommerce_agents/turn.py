"""One agent's turn: the model streams, its words show, its tools run, until it is done or hands over."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from agents import MaxTurnsExceeded, RunConfig, Runner
from agents.items import TResponseInputItem
from agents.result import RunResultStreaming
from agents.run_config import ToolExecutionConfig

from icommerce_agents import history, models
from icommerce_agents.build import sdk_agent
from icommerce_agents.context import MAX_TOOL_CALLS, TurnContext
from icommerce_agents.declaration import AgentSpec
from icommerce_agents.errors import ModelFailed
from icommerce_agents.guardrails import withhold_secrets
from icommerce_agents.history import Item
from icommerce_agents.registry import allowed
from icommerce_agents.speech import Overheard, Speaker
from prompts import phrase
from tools.spec import AgentName

MAX_MODEL_CALLS: Final = MAX_TOOL_CALLS + 2


@dataclass(frozen=True, slots=True)
class TurnResult:
    """What the turn adds to the history, and to whom it was handed over, if to anybody."""

    items: list[Item]
    transfer: AgentName | None = None


async def run_turn(agent: AgentSpec, context: TurnContext, conversation: Sequence[Item], briefing: str) -> TurnResult:
    """Let ``agent`` answer the end of ``conversation``; words and tool events go to ``context.sink`` as they happen.

    Raises ``ModelFailed`` when the model does not answer.
    """
    name = models.model_name(agent.name)
    speaker = Speaker(context.sink, agent.title)
    given = [{"role": "system", "content": briefing}, *conversation]
    context.transfer = None
    result = Runner.run_streamed(
        sdk_agent(agent.name, name),
        cast("list[TResponseInputItem]", given),
        context=context,
        max_turns=MAX_MODEL_CALLS,
        run_config=_config(Overheard(models.model(name), speaker, history.call_ids(conversation))),
    )
    complete = await _drain(result)
    _count(context, name, result)
    items = _new_items(result, len(given))
    if not complete:
        return TurnResult([*items, _say(speaker, "too_long")])
    if context.transfer and allowed(context.transfer, staff=context.tools.identity.is_staff):
        return TurnResult(items, transfer=context.transfer)
    if not speaker.spoke and not context.shown:
        items = [*items, _say(speaker, "no_answer")]
    return TurnResult(items)


def _config(model: Overheard) -> RunConfig:
    return RunConfig(
        model=model,
        tracing_disabled=True,
        trace_include_sensitive_data=False,
        tool_not_found_behavior="return_error_to_model",
        tool_execution=ToolExecutionConfig(max_function_tool_concurrency=1),
    )


async def _drain(result: RunResultStreaming) -> bool:
    """Wait for the end; false when the model went round too often."""
    try:
        async for _event in result.stream_events():
            pass
    except MaxTurnsExceeded:
        return False
    except asyncio.CancelledError:
        result.cancel()
        raise
    except Exception as error:
        raise ModelFailed.because(error) from error
    return True


def _new_items(result: RunResultStreaming, given: int) -> list[Item]:
    items = history.plain(cast("list[Any]", result.to_input_list()[given:]))
    return [
        item | {"content": withhold_secrets(item["content"])} if item.get("role") == "assistant" else item
        for item in items
    ]


def _count(context: TurnContext, name: str, result: RunResultStreaming) -> None:
    usage = result.context_wrapper.usage
    context.meter.add(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        requests=usage.requests,
        cost_micros=models.cost_micros(name, input_tokens=usage.input_tokens, output_tokens=usage.output_tokens),
    )


def _say(speaker: Speaker, key: str) -> Item:
    text = phrase(key)
    speaker.say(text)
    speaker.end()
    return history.assistant(text)
