"""Which model speaks, and the one place that imports LiteLLM and the agents SDK for it.

``ICOMMERCE_MODEL`` names any LiteLLM model for everybody; ``ICOMMERCE_MODEL_COMMERCE`` (``_CUSTOMER_SERVICE``,
``_OPERATIONS``, ``_SUPERVISOR``) one for a single part. Unset, it is the offline model.
"""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from agents import Model, ModelSettings

OFFLINE: Final = "icommerce/offline"
SUPERVISOR: Final = "supervisor"
TIMEOUT_SECONDS: Final = 60
RETRIES: Final = 1


def model_name(part: str) -> str:
    """The LiteLLM name of the model that speaks for ``part``: an agent's name or ``supervisor``."""
    return os.environ.get(f"ICOMMERCE_MODEL_{part.upper()}") or os.environ.get("ICOMMERCE_MODEL") or OFFLINE


@cache
def prepare() -> Any:
    """Import and quieten LiteLLM and the SDK, once per process (it costs seconds). Returns ``litellm``."""
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    os.environ.setdefault("OPENAI_AGENTS_DONT_LOG_MODEL_DATA", "1")
    os.environ.setdefault("OPENAI_AGENTS_DONT_LOG_TOOL_DATA", "1")
    import litellm
    from agents import set_tracing_disabled

    litellm.telemetry = False
    litellm.suppress_debug_info = True
    litellm.drop_params = True
    set_tracing_disabled(disabled=True)
    return litellm


def ready(name: str) -> Any:
    """``litellm``, able to call ``name``."""
    litellm = prepare()
    if name == OFFLINE:
        _register_offline()
    return litellm


@cache
def model(name: str) -> Model:
    """The SDK's model of this name."""
    ready(name)
    from agents.extensions.models.litellm_model import LitellmModel

    return LitellmModel(model=name)


@cache
def settings() -> ModelSettings:
    """What every call asks for: usage, and an end to waiting."""
    prepare()
    from agents import ModelSettings

    return ModelSettings(include_usage=True, extra_args={"timeout": TIMEOUT_SECONDS, "num_retries": RETRIES})


def cost_micros(name: str, *, input_tokens: int, output_tokens: int) -> int | None:
    """What that costs in millionths of a US dollar by LiteLLM's price list; ``None`` for a model not on it."""
    litellm = prepare()
    if name not in litellm.model_cost and name.partition("/")[2] not in litellm.model_cost:
        return None
    asked: float
    answered: float
    asked, answered = litellm.cost_per_token(model=name, prompt_tokens=input_tokens, completion_tokens=output_tokens)
    return round((asked + answered) * 1_000_000)


@cache
def _register_offline() -> None:
    from icommerce_agents.offline import provider

    provider.register()
