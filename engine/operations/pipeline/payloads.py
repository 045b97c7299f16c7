"""Payloads as their workflows take them: what a person puts right is held against the model before it is kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.workflows import starting
from engine.workflows.starting import NotTaken


def checked(tenant_id: str, workflow: str, run_id: str, payload: Mapping[str, Any]) -> dict[str, Any]:
    """The payload as its workflow would read it. Raises ``NoSuchWorkflow``, ``NotTaken`` that names the first field
    that is wrong, or for one that is another run's.
    """
    found = starting.wanted(tenant_id, workflow, payload)
    if found.id != run_id:
        raise NotTaken("The payload is another run's: it has another business key.", param="payload")
    return found.payload
