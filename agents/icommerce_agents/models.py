"""Which models speak, and the one place that imports LiteLLM and the agents SDK for it.

``ICOMMERCE_MODEL`` names any LiteLLM model for everybody; ``ICOMMERCE_MODEL_COMMERCE`` (``_CUSTOMER_SERVICE``,
``_OPERATIONS``, ``_SUPERVISOR``) one for a single part. Unset, it is the offline model. ``ICOMMERCE_MODEL_FALLBACKS``
(and the same per part) lists, with commas, who is asked when the first does not answer. ``docs/howto/models.md`` has
the rest.
"""

from __future__ import annotations

import os
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from icommerce_agents import lean

if TYPE_CHECKING:
    from agents import Model, ModelSettings

OFFLINE: Final = "icommerce/offline"
SUPERVISOR: Final = "supervisor"
TIMEOUT_SECONDS: Final = 60.0
RETRIES: Final = 2
MAX_OUTPUT_TOKENS: Final = 4_000
_PER_MILLION: Final = 1_000_000
instead: ContextVar[str | None] = ContextVar("instead", default=None)
"""A model that speaks for every part in this task and what it begins, whatever is configured: a recorded one."""


@dataclass(frozen=True, slots=True)
class Spent:
    """What one answer took. ``cached_tokens`` are those of the input that the provider had read before."""

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0


def model_name(part: str) -> str:
    """The LiteLLM name of the model that speaks for ``part``: an agent's name or ``supervisor``."""
    return instead.get() or _setting("ICOMMERCE_MODEL", part) or OFFLINE


def model_names(part: str) -> tuple[str, ...]:
    """That model and those to ask after it, each once."""
    others = [] if instead.get() else _setting("ICOMMERCE_MODEL_FALLBACKS", part).split(",")
    return tuple(dict.fromkeys([model_name(part), *(name.strip() for name in others if name.strip())]))


def timeout_seconds() -> float:
    """How long a model may be silent: before its first word, and between two."""
    return float(os.environ.get("ICOMMERCE_MODEL_TIMEOUT") or TIMEOUT_SECONDS)


def retries() -> int:
    """How often the same model is asked again after trouble that passes."""
    return int(os.environ.get("ICOMMERCE_MODEL_RETRIES") or RETRIES)


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
    litellm.register_model(own_prices(os.environ.get("ICOMMERCE_MODEL_PRICES", "")))
    set_tracing_disabled(disabled=True)
    lean.quieten(litellm)
    lean.shorten()
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
    from icommerce_agents.legible import Legible

    return Legible(lean.model(name))


def call_options(name: str) -> dict[str, Any]:
    """What LiteLLM is told with every call: an end to waiting, no retries of its own (they are ours), and for models
    that cache only what is marked, a mark at the end of the part of the prompt that never changes.
    """
    options: dict[str, Any] = {"timeout": timeout_seconds(), "num_retries": 0, "max_retries": 0}
    if "claude" in name:
        options["cache_control_injection_points"] = [{"location": "message", "role": "system", "index": 0}]
    return options


@cache
def settings(name: str) -> ModelSettings:
    """What every streamed call of a model asks for: usage, an end to waiting, and an end to talking."""
    prepare()
    from agents import ModelSettings

    longest = int(os.environ.get("ICOMMERCE_MODEL_MAX_TOKENS") or MAX_OUTPUT_TOKENS)
    return ModelSettings(include_usage=True, max_tokens=longest, extra_args=call_options(name))


def cost_micros(name: str, spent: Spent) -> int | None:
    """What that costs in millionths of a US dollar by LiteLLM's price list; ``None`` for a model not on it."""
    litellm = prepare()
    if name not in litellm.model_cost and name.partition("/")[2] not in litellm.model_cost:
        return None
    asked: float
    answered: float
    asked, answered = litellm.cost_per_token(
        model=name,
        prompt_tokens=spent.input_tokens,
        completion_tokens=spent.output_tokens,
        cache_read_input_tokens=spent.cached_tokens,
    )
    return round((asked + answered) * _PER_MILLION)


def own_prices(text: str) -> dict[str, dict[str, Any]]:
    """``name=in/out[/cached], …`` in US dollars per million tokens, for models that LiteLLM's list does not have.

    Raises ``ValueError`` for what is not of this form.
    """
    prices: dict[str, dict[str, Any]] = {}
    for entry in filter(None, (part.strip() for part in text.split(","))):
        name, _, figures = entry.partition("=")
        asked, answered, *cached = (float(figure) / _PER_MILLION for figure in figures.split("/"))
        prices[name] = {
            "input_cost_per_token": asked,
            "output_cost_per_token": answered,
            "cache_read_input_token_cost": cached[0] if cached else asked,
            "litellm_provider": name.partition("/")[0],
            "mode": "chat",
        }
    return prices


def _setting(name: str, part: str) -> str:
    return os.environ.get(f"{name}_{part.upper()}") or os.environ.get(name) or ""


@cache
def _register_offline() -> None:
    from icommerce_agents.offline import provider

    provider.register()
