"""Who answers next: one small structured question to a model, and the limits no model decides."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from enum import StrEnum
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, ValidationError

from icommerce_agents import history, models
from icommerce_agents.context import Meter
from icommerce_agents.errors import ModelFailed
from icommerce_agents.history import Item
from icommerce_agents.registry import allowed
from prompts import prompt
from tools.spec import AgentName

_LAST_WORDS: Final = 8
log = logging.getLogger(__name__)


class Choice(StrEnum):
    COMMERCE = "commerce"
    CUSTOMER_SERVICE = "customer_service"
    OPERATIONS = "operations"
    NONE = "none"


class Route(BaseModel):
    """The supervisor's answer."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    agent: Choice
    reason: str = ""


RESPONSE_FORMAT: Final[dict[str, Any]] = {
    "type": "json_schema",
    "json_schema": {
        "name": "route",
        "strict": True,
        "schema": {
            "type": "object",
            "properties": {
                "agent": {"type": "string", "enum": [choice.value for choice in Choice]},
                "reason": {"type": "string"},
            },
            "required": ["agent", "reason"],
            "additionalProperties": False,
        },
    },
}


async def route(conversation: Sequence[Item], *, active: AgentName | None, staff: bool, meter: Meter) -> AgentName:
    """The agent that answers the end of ``conversation``; the active one where the model names none.

    Raises ``ModelFailed`` when the model does not answer.
    """
    answer = await _ask(conversation, active, staff=staff, meter=meter)
    stay = active if active and allowed(active, staff=staff) else AgentName.COMMERCE
    if answer is None or answer.agent is Choice.NONE:
        return stay
    chosen = AgentName(answer.agent)
    return chosen if allowed(chosen, staff=staff) else stay


async def _ask(conversation: Sequence[Item], active: AgentName | None, *, staff: bool, meter: Meter) -> Route | None:
    name = models.model_name(models.SUPERVISOR)
    state = f"active_agent: {active or 'none'}\nstaff: {'true' if staff else 'false'}"
    messages = [
        {"role": "system", "content": prompt("supervisor").text},
        {"role": "system", "content": state},
        *history.words(conversation, _LAST_WORDS),
    ]
    try:
        response = await models.ready(name).acompletion(
            model=name,
            messages=messages,
            response_format=RESPONSE_FORMAT,
            timeout=models.TIMEOUT_SECONDS,
            num_retries=models.RETRIES,
        )
    except Exception as error:
        raise ModelFailed.because(error) from error
    _count(meter, name, response)
    return _read(response.choices[0].message.content or "")


def _read(text: str) -> Route | None:
    """The first JSON object in the answer; ``None`` when there is no sense in it."""
    begin, end = text.find("{"), text.rfind("}")
    try:
        return Route.model_validate_json(text[begin : end + 1])
    except ValidationError:
        log.warning("supervisor answered without a route")
        return None


def _count(meter: Meter, name: str, response: Any) -> None:
    usage = getattr(response, "usage", None)
    asked, answered = getattr(usage, "prompt_tokens", 0) or 0, getattr(usage, "completion_tokens", 0) or 0
    cost = models.cost_micros(name, input_tokens=asked, output_tokens=answered)
    meter.add(input_tokens=asked, output_tokens=answered, requests=1, cost_micros=cost)
