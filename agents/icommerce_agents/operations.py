"""Helps the shop's own staff."""

from __future__ import annotations

from icommerce_agents.declaration import AgentSpec
from tools.spec import AgentName

OPERATIONS = AgentSpec(
    name=AgentName.OPERATIONS,
    title="Operations",
    prompt_name="operations",
    transfers=(AgentName.COMMERCE, AgentName.CUSTOMER_SERVICE),
    staff_only=True,
)
