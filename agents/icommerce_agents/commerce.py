"""Finds things and sells them."""

from __future__ import annotations

from icommerce_agents.declaration import AgentSpec
from tools.spec import AgentName

COMMERCE = AgentSpec(
    name=AgentName.COMMERCE,
    title="Shopping assistant",
    prompt_name="commerce",
    transfers=(AgentName.CUSTOMER_SERVICE, AgentName.OPERATIONS),
)
