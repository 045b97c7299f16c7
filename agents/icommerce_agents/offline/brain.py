"""The offline model's decision: messages and tool schemas in, words or tool calls out. Pure and deterministic."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from icommerce_agents.offline import dialogue, routing, scene, tell
from icommerce_agents.offline.abilities import TRANSFER
from icommerce_agents.offline.asks import Ask, understand
from icommerce_agents.offline.binding import Binding, agent_of, bind
from icommerce_agents.offline.dialogue import Call, Dialogue, Json
from icommerce_agents.offline.goals import GOALS
from icommerce_agents.offline.script import Progress, Toolbox, play
from icommerce_agents.offline.tell.phrases import say


@dataclass(frozen=True, slots=True)
class ToolCall:
    """``arguments`` is the JSON object; ``id`` is the same for the same conversation."""

    id: str
    name: str
    arguments: Json


@dataclass(frozen=True, slots=True)
class Reply:
    """Either words or calls, never both."""

    text: str = ""
    tool_calls: tuple[ToolCall, ...] = ()


def reply(
    messages: list[dict[str, Any]], tools: Sequence[dict[str, Any]], response_format: dict[str, Any] | None = None
) -> Reply:
    """What to answer to ``messages`` (chat-completions shape) with ``tools`` (function schemas) at hand.

    A ``response_format`` with a JSON schema makes it a routing question; the text is then JSON for that schema.
    """
    heard = dialogue.read(messages, bind(tools))
    if schema := routing.schema_of(response_format):
        return Reply(text=json.dumps(routing.decide(heard, schema)))
    if not heard.asked and not heard.turn:
        return Reply(text=say("capabilities", 0))
    stage = scene.build(heard)
    toolbox = _toolbox(heard)
    asks = [*understand(stage), Ask("settle", "", heard.text)]
    progress = play(asks, GOALS, stage, toolbox, cannot=lambda _tool: say("cannot", stage.seed))
    return _as_calls(progress, messages, heard.binding) or Reply(text=_as_text(progress, stage))


def _toolbox(heard: Dialogue) -> Toolbox:
    names = [result.call.name for result in heard.turn]
    return Toolbox(heard.binding, frozenset(agent_of(name) for name in names if name.startswith(TRANSFER)))


def _as_calls(progress: Progress, messages: list[dict[str, Any]], binding: Binding) -> Reply | None:
    calls = progress.calls or ([progress.transfer] if progress.transfer else [])
    spoken = [Call(*binding.spoken(call.name, call.arguments)) for call in calls]
    made = tuple(
        ToolCall(_call_id(call, index, len(messages)), call.name, call.arguments) for index, call in enumerate(spoken)
    )
    return Reply(tool_calls=made) if made else None


def _call_id(call: Call, index: int, length: int) -> str:
    text = json.dumps([length, index, call.name, call.arguments], sort_keys=True)
    return f"call_{hashlib.sha256(text.encode()).hexdigest()[:20]}"


def _as_text(progress: Progress, stage: scene.Scene) -> str:
    for result in progress.unread:
        stage.learn(result)
    lines = [*progress.lines, *(tell.result(result, stage) for result in progress.unread)]
    lines = [line for line in dict.fromkeys(lines) if line]
    text = ("\n\n" if any("\n" in line for line in lines) else " ").join(lines)
    return text or say("unclear", stage.seed)
