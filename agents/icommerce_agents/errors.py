"""What can go wrong between us and a model."""

from __future__ import annotations

import logging

from engine.kit.errors import Unavailable
from icommerce_agents.guardrails import withhold_secrets

log = logging.getLogger(__name__)


class ModelFailed(Unavailable):
    """The model did not answer, or answered in a way nothing can be made of."""

    code = "model_error"

    def __init__(self) -> None:
        super().__init__("The assistant could not answer just now. Please try again.")

    @classmethod
    def because(cls, error: Exception) -> ModelFailed:
        """The failure to raise; why is for the server's log alone."""
        log.warning("model failed: %s: %s", type(error).__name__, withhold_secrets(str(error))[:300])
        return cls()
