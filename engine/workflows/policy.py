"""How long a shop's runs are kept."""

from __future__ import annotations

from typing import ClassVar

from engine.kit.policies import Policy
from engine.sync.policy import Days


class PipelinePolicy(Policy):
    """What is kept of the runs of workflows. Links between ids are kept for good."""

    section: ClassVar[str] = "pipeline"
    runs_days: Days = 30
    """Runs that went well, with their steps."""
    failed_days: Days = 180
    """Runs that failed or were canceled."""
