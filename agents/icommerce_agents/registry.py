"""The agents of the house. A new one is a file, a prompt and a line here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from icommerce_agents.commerce import COMMERCE
from icommerce_agents.customer_service import CUSTOMER_SERVICE
from icommerce_agents.declaration import AgentSpec
from icommerce_agents.operations import OPERATIONS
from tools.spec import AgentName

AGENTS: Final[Mapping[AgentName, AgentSpec]] = {agent.name: agent for agent in (COMMERCE, CUSTOMER_SERVICE, OPERATIONS)}


def allowed(name: AgentName, *, staff: bool) -> bool:
    """Whether this agent may speak with this person: decided here, never by a model."""
    return staff or not AGENTS[name].staff_only
