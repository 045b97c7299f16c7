"""Looks after orders that were placed."""

from __future__ import annotations

from icommerce_agents.declaration import AgentSpec
from tools.spec import AgentName

CUSTOMER_SERVICE = AgentSpec(
    name=AgentName.CUSTOMER_SERVICE,
    title="Customer service",
    prompt_name="customer_service",
    transfers=(AgentName.COMMERCE, AgentName.OPERATIONS),
)
