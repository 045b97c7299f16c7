"""One agent's turn: the model streams, its words show, its tools run, until it is done or hands over."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, cast

from agents import MaxTurnsExceeded, RunConfig, Runner
from agents.items import TResponseInputItem
from agents.result import RunResultStreaming
from agents.run_config import ToolExecutionConfig

from icommerce_agents import history, models
from icommerce_agents.attempts import Enduring
from icommerce_agents.build import sdk_agent
from icommerce_agents.context import MAX_TOOL_CALLS, Transfer, TurnContext
from icommerce_agents.declaration import AgentSpec
from icommerce_agents.errors import GaveUp, ModelFailed
from icommerce_agents.guardrails.evidence import Source
from icommerce_agents.history import Item
from icommerce_agents.patience import Patience
from icommerce_agents.registry import allowed
from icommerce_agents.speech import Overheard, Speaker
from prompts import phrase
from tools.spec import AgentName

MAX_MODEL_CALLS: Final = MAX_TOOL_CALLS + 2


@dataclass(frozen=True, slots=True)
class TurnResult:
    """What the turn adds to the history, and to whom it was handed over, if to anybody.

    ``finished`` is false when it was cut short and nothing more should be begun in this run.
    """

    items: list[Item]
    transfer: Transfer | None = None
    finished: bool = True


async def run_turn(
    agent: AgentSpec, context: TurnContext, conversation: Sequence[Item], briefing: str, rules: str = ""
) -> TurnResult:
    """Let ``agent`` answer the end of ``conversation``; words and tool events go to ``context.sink`` as they happen.

    ``rules`` are the shop's own: they change seldom and stand first, the ``briefing`` of the moment stands last.

    Raises ``ModelFailed`` when no model answers.
    """
    given = history.placed_before_last_words(conversation, history.system(briefing))
    given = [history.system(rules), *given] if rules else given
    context.transfer, context.patience, shown_before = None, Patience(), context.shown
    context.evidence.learn(given)
    context.evidence.add(Source.RESULT, rules)
    speaker = Speaker(context.sink, agent.title, context.evidence)
    asked = Enduring(agent.name, context.meter)
    result = Runner.run_streamed(
        sdk_agent(agent.name, models.model_name(agent.name)),
        cast("list[TResponseInputItem]", given),
        context=context,
        max_turns=MAX_MODEL_CALLS,
        run_config=_config(Overheard(asked, speaker, history.call_ids(conversation), context)),
    )
    ended = await _drain(result)
    items = history.plain(cast("list[Any]", result.to_input_list()[len(given) :]))
    if ended:
        return TurnResult([*items, _say(speaker, ended)], finished=ended != "too_long")
    if context.transfer and _may_go(context, context.transfer.to):
        return TurnResult(items, transfer=context.transfer)
    if not speaker.spoke and context.shown == shown_before:
        items = [*items, _say(speaker, "no_answer")]
    return TurnResult(items)


def _may_go(context: TurnContext, target: AgentName) -> bool:
    return allowed(target, staff=context.tools.identity.is_staff) and target not in context.closed


def _config(model: Overheard) -> RunConfig:
    """A copy, because the SDK resolves the type hints of the whole class whenever one is made."""
    config = copy(_usual_config())
    config.model = model
    return config


@cache
def _usual_config() -> RunConfig:
    """Several calls in one answer run one after the other, in their order: a later one may build on an earlier."""
    return RunConfig(
        tracing_disabled=True,
        trace_include_sensitive_data=False,
        tool_not_found_behavior="return_error_to_model",
        tool_execution=ToolExecutionConfig(max_function_tool_concurrency=1),
    )


async def _drain(result: RunResultStreaming) -> str | None:
    """Wait for the end; the phrase to say where it did not come by itself."""
    try:
        async for _event in result.stream_events():
            pass
    except MaxTurnsExceeded:
        return "too_long"
    except GaveUp as end:
        return end.phrase
    except asyncio.CancelledError:
        result.cancel()
        if result.run_loop_task:
            result.run_loop_task.add_done_callback(_hear)
        raise
    except ModelFailed:
        raise
    except Exception as error:
        raise ModelFailed.because(error) from error
    return None


def _hear(ended: asyncio.Task[Any]) -> None:
    """What failed as it was called off is nobody's any more."""
    if not ended.cancelled():
        ended.exception()


def _say(speaker: Speaker, key: str) -> Item:
    speaker.say(phrase(key))
    return history.assistant(speaker.end())
