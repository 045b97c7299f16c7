"""One turn for nobody, so that the first shopper does not wait for what libraries put off to their first call."""

from __future__ import annotations

from typing import Any

from agents import Agent, RunConfig, Runner

from icommerce_agents import history, models
from icommerce_agents.build import build_all
from icommerce_agents.declaration import AgentSpec
from icommerce_agents.registry import AGENTS

_WORDS = "hello"


def load() -> None:
    """Import the libraries and build the agents (seconds, blocking)."""
    models.ready(models.OFFLINE)
    build_all()
    from icommerce_agents.offline import provider

    provider.warm_up(_schemas(spec) for spec in AGENTS.values())


def _schemas(spec: AgentSpec) -> list[dict[str, Any]]:
    """The agent's tools as a request sends them."""
    return [{"name": one.name, "description": one.description, "parameters": one.schema()} for one in spec.tools]


async def rehearse() -> None:
    """Route and stream once through the offline model, whatever model is configured: it costs no call."""
    litellm = models.ready(models.OFFLINE)
    await litellm.acompletion(model=models.OFFLINE, messages=[history.user(_WORDS)])
    agent = Agent(name="rehearsal", model=models.model(models.OFFLINE), model_settings=models.settings(models.OFFLINE))
    turn = Runner.run_streamed(agent, _WORDS, run_config=RunConfig(tracing_disabled=True))
    async for _event in turn.stream_events():
        pass
