"""What can go wrong between us and a model."""

from __future__ import annotations

import logging

from engine.kit.errors import Unavailable
from icommerce_agents.guardrails.secrets import withhold_secrets

log = logging.getLogger(__name__)


class ModelFailed(Unavailable):
    """The model did not answer, or answered in a way nothing can be made of."""

    code = "model_error"

    def __init__(self) -> None:
        super().__init__("The assistant could not answer just now. Please try again.")

    @classmethod
    def because(cls, error: Exception) -> ModelFailed:
        """The failure to raise; why is for the server's log alone."""
        log.warning("model failed: %s", describe(error))
        return cls()


class GaveUp(Exception):
    """A turn that leads nowhere is ended; ``phrase`` names what is said then."""

    def __init__(self, phrase: str) -> None:
        super().__init__(phrase)
        self.phrase = phrase


def describe(error: Exception) -> str:
    """An error for the server's log, short and without secrets."""
    return f"{type(error).__name__}: {withhold_secrets(str(error))[:300]}"
