"""What an agent is: a name, a prompt, tools and whom it may hand over to. No SDK here."""

from __future__ import annotations

from dataclasses import dataclass

from prompts import Prompt, prompt
from tools.spec import AgentName, ToolSpec, tools_for


@dataclass(frozen=True, slots=True)
class AgentSpec:
    """A declaration; ``icommerce_agents.build`` makes the SDK's agent of it."""

    name: AgentName
    title: str
    """Shown to shoppers."""
    prompt_name: str
    transfers: tuple[AgentName, ...] = ()
    staff_only: bool = False

    @property
    def prompt(self) -> Prompt:
        return prompt(self.prompt_name)

    @property
    def tools(self) -> list[ToolSpec]:
        return tools_for(self.name)
