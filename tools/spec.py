"""How a function becomes a tool: its access, its agents, its arguments as a JSON schema, its rules.

The function's first parameter is the ``ToolContext``; the others, typed and described by ``Annotated[…, Field]``,
are what a model may fill in. Identity is never among them. The docstring is what the model reads.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, get_type_hints

from pydantic import BaseModel, ConfigDict, create_model
from sqlalchemy.orm import Session

from engine.kit.identity import Identity
from engine.runtime import Runtime


class Access(StrEnum):
    READ = "read"
    WRITE = "write"


class AgentName(StrEnum):
    COMMERCE = "commerce"
    CUSTOMER_SERVICE = "customer_service"
    OPERATIONS = "operations"


@dataclass(frozen=True, slots=True)
class ToolContext:
    """The conversation a tool runs in. One tool call, one unit of work."""

    runtime: Runtime
    identity: Identity
    thread_id: str
    run_id: str

    def unit_of_work(self) -> AbstractContextManager[Session]:
        return self.runtime.unit_of_work(self.identity.tenant_id)


@dataclass(frozen=True, slots=True)
class Card:
    """Something to show beside the words. The same ``key`` again replaces the card; no key makes a new one."""

    activity_type: str
    data: dict[str, Any]
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a tool hands back: JSON for the model, cards for the shopper."""

    result: dict[str, Any]
    cards: tuple[Card, ...] = ()
    cart_changed: bool = False


class Ref:
    """Marks an argument that names a thing: a WRITE tool may only name ids that a READ returned in this thread."""


ToolFunction = Callable[..., Outcome]


@dataclass(frozen=True, slots=True)
class ToolSpec:
    name: str
    description: str
    access: Access
    agents: frozenset[AgentName]
    arguments: type[BaseModel]
    refs: frozenset[str]
    """Names of the arguments that are ids under the provenance rule."""
    function: ToolFunction = field(repr=False)

    def schema(self) -> dict[str, Any]:
        """JSON schema of the arguments, without titles."""
        cleaned: dict[str, Any] = _without_titles(self.arguments.model_json_schema())
        return cleaned


TOOLS: Final[dict[str, ToolSpec]] = {}


def tool(*, access: Access, agents: set[AgentName]) -> Callable[[ToolFunction], ToolFunction]:
    """Register a function as a tool of these agents."""

    def register(function: ToolFunction) -> ToolFunction:
        hints = get_type_hints(function, include_extras=True)
        fields: dict[str, Any] = {}
        refs = set()
        for name, parameter in list(inspect.signature(function).parameters.items())[1:]:
            hint = hints[name]
            if any(marker is Ref or isinstance(marker, Ref) for marker in getattr(hint, "__metadata__", ())):
                refs.add(name)
            fields[name] = (hint, ... if parameter.default is parameter.empty else parameter.default)
        model = create_model(
            f"{function.__name__}_arguments",
            __config__=ConfigDict(extra="forbid", str_strip_whitespace=True),
            **fields,
        )
        TOOLS[function.__name__] = ToolSpec(
            name=function.__name__,
            description=inspect.getdoc(function) or "",
            access=access,
            agents=frozenset(agents),
            arguments=model,
            refs=frozenset(refs),
            function=function,
        )
        return function

    return register


def tools_for(agent: AgentName) -> list[ToolSpec]:
    """The tools an agent may use, by name."""
    load()
    return [spec for name, spec in sorted(TOOLS.items()) if agent in spec.agents]


def load() -> Mapping[str, ToolSpec]:
    """Import every tool module once and return the registry."""
    from tools import cart, catalog, checkout, orders, requests, shop, stock  # noqa: F401 (registering is the import's effect)

    return TOOLS


def _without_titles(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {k: _without_titles(v) for k, v in schema.items() if not (k == "title" and isinstance(v, str))}
    if isinstance(schema, list):
        return [_without_titles(item) for item in schema]
    return schema
