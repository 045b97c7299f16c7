"""How a function becomes a tool: its access, its agents, its arguments as a JSON schema, its rules.

The function's first parameter is the ``ToolContext``; the others, typed and described by ``Annotated[…, Field]``,
are what a model may fill in. Identity is never among them. The docstring is what the model reads.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, Final, get_type_hints

from pydantic import BaseModel, ConfigDict, create_model
from sqlalchemy.orm import Session

from engine.kit.identity import Identity
from engine.runtime import Runtime


class Access(StrEnum):
    READ = "read"
    WRITE = "write"


class Risk(StrEnum):
    """The worst that a call can do."""

    READ = "read"
    CART = "cart"
    """Touches the caller's own cart or checkout, which nothing is paid by."""
    ASK = "ask"
    """Shows its shopper a card, or tells the shop's people: somebody else has to act on it."""
    MONEY = "money"
    """Moves goods or money. No tool of a model is that."""


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
    """Marks an argument that names a thing, or holds things that name some: a WRITE tool may only name ids that a READ
    returned in this thread.
    """


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
    risk: Risk
    staff: bool = False
    """Only for identities of the shop's people."""
    caps: Mapping[str, int] = field(default_factory=dict)
    """How often it may be called in a day: ``thread`` in one conversation, ``day`` by one identity."""

    def schema(self) -> dict[str, Any]:
        """JSON schema of the arguments, as short as it can be said: no titles, no references, no nulls (what is not
        required may be left out).
        """
        whole = self.arguments.model_json_schema()
        short: dict[str, Any] = _short(whole, whole.pop("$defs", {}))
        return short


TOOLS: Final[dict[str, ToolSpec]] = {}


def tool(
    *,
    access: Access,
    agents: Collection[AgentName],
    risk: Risk | None = None,
    staff: bool = False,
    caps: Mapping[str, int] | None = None,
) -> Callable[[ToolFunction], ToolFunction]:
    """Register a function as a tool of these agents. What is not said of its risk is ``read`` for a READ, ``cart`` for
    a WRITE.
    """

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
            risk=risk or (Risk.READ if access is Access.READ else Risk.CART),
            staff=staff,
            caps=dict(caps or {}),
        )
        return function

    return register


def tools_for(agent: AgentName) -> list[ToolSpec]:
    """The tools an agent may use, by name."""
    load()
    return [spec for name, spec in sorted(TOOLS.items()) if agent in spec.agents]


def load() -> Mapping[str, ToolSpec]:
    """The registry, with every tool module imported."""
    _import_all()
    return TOOLS


@cache
def _import_all() -> None:
    for topic in sorted(Path(__file__).parent.glob("[a-z]*.py")):
        import_module(f"tools.{topic.stem}")


_NULL: Final = {"type": "null"}


def _short(schema: Any, named: Mapping[str, Any]) -> Any:
    if isinstance(schema, list):
        return [_short(item, named) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        meant = named[schema["$ref"].rpartition("/")[2]]
        return _short(meant | {key: value for key, value in schema.items() if key != "$ref"}, named)
    kept = {key: value for key, value in schema.items() if not _says_nothing(key, value)}
    if _NULL in kept.get("anyOf", ()):
        kept["anyOf"] = [one for one in kept["anyOf"] if one != _NULL]
        if len(kept["anyOf"]) == 1:
            return _short(kept.pop("anyOf")[0] | kept, named)
    return {key: _short(value, named) for key, value in kept.items()}


def _says_nothing(key: str, value: Any) -> bool:
    return (key == "title" and isinstance(value, str)) or (key == "default" and value is None)
