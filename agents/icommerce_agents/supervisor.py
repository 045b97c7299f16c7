"""Who answers what: one small structured question to a model, and the limits no model decides."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from icommerce_agents import attempts, history, models
from icommerce_agents.context import Meter
from icommerce_agents.history import Item
from icommerce_agents.registry import allowed
from prompts import prompt
from tools.spec import AgentName

MAX_TASKS: Final = 4
_LAST_WORDS: Final = 8
_ABOUT_LIMIT: Final = 300
_NONE: Final = "none"
log = logging.getLogger(__name__)


class Part(BaseModel):
    """A part of the message as the model names it."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    agent: str
    about: str = ""


class Route(BaseModel):
    """The supervisor's answer. A model that knows one agent per message may say ``agent`` alone."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    tasks: list[Part] = Field(default_factory=list)
    agent: str | None = None
    reason: str = ""

    @property
    def parts(self) -> list[Part]:
        return self.tasks or ([Part(agent=self.agent)] if self.agent else [])


@dataclass(frozen=True, slots=True)
class Task:
    """What one agent is to answer: the part of the message that ``about`` repeats, all of it where that is empty."""

    agent: AgentName
    about: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """Who answers, in order. No tasks: the message is nothing that any agent does."""

    tasks: tuple[Task, ...]
    reason: str = ""


RESPONSE_FORMAT: Final[dict[str, Any]] = {
    "type": "json_schema",
    "json_schema": {
        "name": "route",
        "strict": True,
        "schema": {
            "type": "object",
            "properties": {
                "tasks": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "properties": {
                            "agent": {"type": "string", "enum": [*AgentName, _NONE]},
                            "about": {"type": "string"},
                        },
                        "required": ["agent", "about"],
                        "additionalProperties": False,
                    },
                },
                "reason": {"type": "string"},
            },
            "required": ["tasks", "reason"],
            "additionalProperties": False,
        },
    },
}


async def route(conversation: Sequence[Item], *, active: AgentName | None, staff: bool, meter: Meter) -> Plan:
    """Who answers the end of ``conversation``; the active agent where the model's answer makes no sense.

    Raises ``ModelFailed`` when no model answers.
    """
    answer = await _ask(conversation, active, staff=staff, meter=meter)
    stay = active if active and allowed(active, staff=staff) else AgentName.COMMERCE
    if answer is None or not answer.parts:
        return Plan((Task(stay),))
    wanted = [part for part in answer.parts if part.agent != _NONE]
    return Plan(_tasks(wanted, stay, staff=staff), _plain(answer.reason))


def _tasks(parts: Sequence[Part], stay: AgentName, *, staff: bool) -> tuple[Task, ...]:
    """Neighboring parts of one agent are one task, and so is all that goes beyond the most there may be."""
    each = [Task(_agent(part.agent, stay, staff=staff), _plain(part.about)) for part in parts]
    tasks = [_joined(list(same)) for _agent_name, same in groupby(each, key=lambda task: task.agent)]
    if len(tasks) > MAX_TASKS:
        ordered = sorted(tasks, key=lambda task: [one.agent for one in tasks].index(task.agent))
        tasks = [_joined(list(same)) for _agent_name, same in groupby(ordered, key=lambda task: task.agent)]
    return tuple(tasks) if len(tasks) > 1 else tuple(replace(task, about="") for task in tasks)


def _agent(name: str, stay: AgentName, *, staff: bool) -> AgentName:
    try:
        chosen = AgentName(name)
    except ValueError:
        return stay
    return chosen if allowed(chosen, staff=staff) else stay


def _joined(tasks: list[Task]) -> Task:
    return Task(tasks[0].agent, "; ".join(task.about for task in tasks if task.about)[:_ABOUT_LIMIT])


def _plain(text: str) -> str:
    return " ".join(text.split())[:_ABOUT_LIMIT]


async def _ask(conversation: Sequence[Item], active: AgentName | None, *, staff: bool, meter: Meter) -> Route | None:
    state = f"active_agent: {active or 'none'}\nstaff: {'true' if staff else 'false'}"
    messages = [
        {"role": "system", "content": prompt(models.SUPERVISOR).text},
        {"role": "system", "content": state},
        *history.words(conversation, _LAST_WORDS),
    ]

    async def question(name: str) -> Any:
        options = models.call_options(name)
        litellm = models.ready(name)
        return await litellm.acompletion(model=name, messages=messages, response_format=RESPONSE_FORMAT, **options)

    response = await attempts.ask(models.SUPERVISOR, meter, question)
    return _read(_content(response))


def _content(response: Any) -> str:
    choices = getattr(response, "choices", None)
    return (choices[0].message.content if choices else None) or ""


def _read(text: str) -> Route | None:
    """The first JSON object in the answer; ``None`` when there is no sense in it."""
    begin, end = text.find("{"), text.rfind("}")
    try:
        return Route.model_validate_json(text[begin : end + 1])
    except ValidationError:
        log.warning("supervisor answered without a route")
        return None
