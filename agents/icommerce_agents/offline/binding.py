"""Abilities matched to the tools of a request, by what both say and by the kinds of their arguments.

The rest of the model speaks of abilities only; here their names become those of the given tools and back.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

import numpy as np

from icommerce_agents.offline import lexicon, semantics
from icommerce_agents.offline.abilities import TRANSFER, Ability, Argument, abilities, name_words
from icommerce_agents.offline.assigning import best_pairs

Json = dict[str, Any]
Matrix = np.ndarray[Any, np.dtype[np.float64]]
ENOUGH: Final = 0.75
"""Score from which a tool is taken to do an ability."""
_NAME_WEIGHT: Final = 0.15
_WHOLE_WEIGHT: Final = 0.5
_UNLIKE: Final = 0.22
"""Likeness of what both say below which kinds of arguments don't matter."""
_OTHER_AGENT: Final = 0.15
_MOST: Final = 0.5
_ARGUMENT_WEIGHT: Final = 0.35
_KINDS: Final = {"string": "text", "integer": "int", "number": "int", "boolean": "flag", "object": "map"}


@dataclass(frozen=True, slots=True)
class Property:
    """One argument of a given tool; ``fields`` are those of the rows of a list."""

    name: str
    kind: str
    schema: Json
    required: bool
    fields: tuple[Property, ...] = ()

    @property
    def words(self) -> str:
        return f"{name_words(self.name)}: {str(self.schema.get('description') or '')[:160]}"


@dataclass(frozen=True, slots=True)
class Slot:
    """Where an ability's argument goes."""

    to: Property
    fields: Mapping[str, Slot] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Bound:
    """An ability and the tool that does it."""

    ability: str
    tool: str
    slots: Mapping[str, Slot]
    properties: tuple[Property, ...]


@dataclass(frozen=True, slots=True)
class Loose:
    """A tool that no ability fits: it can still be asked by what it says of itself."""

    tool: str
    says: str
    properties: tuple[Property, ...]


@dataclass(frozen=True, slots=True)
class Binding:
    """How one set of tools is used."""

    by_ability: Mapping[str, Bound] = field(default_factory=dict)
    by_tool: Mapping[str, Bound] = field(default_factory=dict)
    loose: tuple[Loose, ...] = ()

    def has(self, ability: str) -> bool:
        return ability in self.by_ability

    def heard(self, tool: str, arguments: Json) -> tuple[str, Json]:
        """A call of a tool as the ability it was."""
        bound = self.by_tool.get(tool)
        if bound is None:
            return tool, arguments
        return bound.ability, _back(arguments, bound.slots)

    def spoken(self, ability: str, arguments: Json) -> tuple[str, Json]:
        """An ability's call as the tool's call."""
        bound = self.by_ability.get(ability)
        return (ability, arguments) if bound is None else (bound.tool, _forth(arguments, bound.slots))


def bind(tools: Sequence[Json]) -> Binding:
    """The binding of a set of tools (function schemas). The same set is matched once per process."""
    functions = [tool.get("function") or tool for tool in tools]
    kept = [{key: f.get(key) for key in ("name", "description", "parameters")} for f in functions if f.get("name")]
    return _bind(json.dumps(kept, sort_keys=True)) if kept else Binding()


@lru_cache(maxsize=64)
def _bind(wire: str) -> Binding:
    tools = [_loose(row) for row in json.loads(wire)]
    known = list(abilities().values())
    scores = _scores(tools, known)
    pairs = [(row, column) for row, column in best_pairs(scores) if scores[row, column] >= ENOUGH]
    bound = [_bound(tools[row], known[column]) for row, column in pairs]
    taken = {one.tool for one in bound}
    return Binding(
        {one.ability: one for one in bound},
        {one.tool: one for one in bound},
        tuple(tool for tool in tools if tool.tool not in taken),
    )


def _loose(row: Json) -> Loose:
    said = str(row.get("description") or "").strip()
    says = said if len(said.split()) > 2 else name_words(str(row["name"]))
    return Loose(str(row["name"]), " ".join(says.split())[:400], _properties(row.get("parameters") or {}))


def _properties(schema: Json, whole: Json | None = None) -> tuple[Property, ...]:
    whole = whole or schema
    required = set(schema.get("required") or ())
    found = (schema.get("properties") or {}).items()
    return tuple(_property(name, one, whole, required=name in required) for name, one in found)


def _property(name: str, schema: Json, whole: Json, *, required: bool) -> Property:
    plain = _plain(schema, whole)
    nullable = plain is not schema and any(s.get("type") == "null" for s in schema.get("anyOf") or ())
    kind = _KINDS.get(str(plain.get("type")), "text")
    fields: tuple[Property, ...] = ()
    if plain.get("type") == "array":
        items = _plain(plain.get("items") or {}, whole)
        kind = "rows" if items.get("type") == "object" else "texts"
        fields = _properties(items, whole) if kind == "rows" else ()
    shown = plain | ({"description": schema["description"]} if schema.get("description") else {})
    return Property(name, kind, shown, required and not nullable and "default" not in schema, fields)


def _plain(schema: Json, whole: Json) -> Json:
    """The schema without references and nulls."""
    if "$ref" in schema:
        return _plain((whole.get("$defs") or {}).get(str(schema["$ref"]).rsplit("/", 1)[-1]) or {}, whole)
    some = [one for one in schema.get("anyOf") or () if one.get("type") != "null"]
    return _plain(some[0], whole) if some else schema


def _scores(tools: Sequence[Loose], known: Sequence[Ability]) -> Matrix:
    """How well each tool fits each ability: what both say, their arguments, and a little their names."""
    said = [(column, text) for column, ability in enumerate(known) for text in _wordings(ability)]
    near = semantics.likeness([tool.says for tool in tools], [text for _, text in said])
    whole = semantics.likeness([_whole_tool(tool) for tool in tools], [_whole_ability(ability) for ability in known])
    scores = np.full((len(tools), len(known)), -1.0)
    for place, (column, _) in enumerate(said):
        scores[:, column] = np.maximum(scores[:, column], near[:, place])
    unlike = scores < _UNLIKE
    scores += _WHOLE_WEIGHT * whole - unlike
    for row, tool in enumerate(tools):
        for column, ability in enumerate(known):
            named = _overlap(name_words(tool.tool), name_words(ability.name))
            fit = _fit(tool.properties, ability.arguments)
            scores[row, column] += _NAME_WEIGHT * named + _ARGUMENT_WEIGHT * fit
    return scores + _of_one_agent(scores, known)


def _of_one_agent(scores: Matrix, known: Sequence[Ability]) -> Matrix:
    """A set of tools is one agent's: either the staff's work is unlikely in it, or everything else is."""
    staff = np.array([ability.name in lexicon.table("specialists")["operations"] for ability in known])
    if not len(scores):
        return np.zeros(len(known))
    best = scores.argmax(axis=1)
    is_staff = staff[best].mean() > _MOST
    return np.where(staff == is_staff, 0.0, -_OTHER_AGENT)


def _whole_tool(tool: Loose) -> str:
    return f"{tool.says} ({', '.join(one.words for one in tool.properties[:8])})"[:500]


def _whole_ability(ability: Ability) -> str:
    return f"{ability.says[0]} ({', '.join(f'{n}: {one.says}' for n, one in list(ability.arguments.items())[:8])})"[
        :500
    ]


def _wordings(ability: Ability) -> tuple[str, ...]:
    return (*ability.says, name_words(ability.name))


def _overlap(one: str, other: str) -> float:
    """Of the words of both, how many are the same: 1 when all are."""
    mine, theirs = set(one.split()), set(other.split())
    return len(mine & theirs) / max(1, len(mine | theirs))


def _fit(properties: Sequence[Property], arguments: Mapping[str, Argument]) -> float:
    """From 1 (the same arguments) down: each that has no counterpart of its kind costs, a required one more."""
    if not properties and not arguments:
        return 0.5
    free = [one.kind for one in properties]
    lacking = 0.0
    for argument in sorted(arguments.values(), key=lambda one: not one.required):
        if argument.kind in free:
            free.remove(argument.kind)
        else:
            lacking += 1.0 if argument.required else 0.3
    wanted = [one.kind for one in arguments.values()]
    for one in sorted(properties, key=lambda one: not one.required):
        if one.kind in wanted:
            wanted.remove(one.kind)
        else:
            lacking += 1.0 if one.required else 0.3
    return 1.0 - 0.5 * lacking


def _bound(tool: Loose, ability: Ability) -> Bound:
    return Bound(ability.name, tool.tool, _slots(tool.properties, ability.arguments), tool.properties)


def _slots(properties: Sequence[Property], arguments: Mapping[str, Argument]) -> dict[str, Slot]:
    """Arguments to properties of their kind: those of the same name, then the nearest in meaning."""
    found = {one.name: one for one in properties if one.name in arguments and arguments[one.name].kind == one.kind}
    names = [name for name in arguments if name not in found]
    left = [one for one in properties if one.name not in found]
    if names and left:
        near = semantics.likeness([arguments[name].says for name in names], [one.words for one in left])
        for row, name in enumerate(names):
            for column, one in enumerate(left):
                near[row, column] += 0.3 * _overlap(name_words(name), name_words(one.name))
                near[row, column] -= 0.0 if arguments[name].kind == one.kind else 9.0
                near[row, column] += 0.1 if arguments[name].required and one.required else 0.0
        pairs = [(row, column) for row, column in best_pairs(near) if near[row, column] > _LEAST]
        found |= {names[row]: left[column] for row, column in pairs}
        found |= _what_is_left(arguments, [one for one in properties if one not in found.values()], set(found))
    return {name: Slot(one, _slots(one.fields, arguments[name].fields)) for name, one in found.items()}


def _what_is_left(arguments: Mapping[str, Argument], left: list[Property], known: set[str]) -> dict[str, Property]:
    """A required argument without a counterpart is the one required property of its kind that has none either."""
    open_kinds = [one.kind for one in left if one.required]
    found = {}
    for name, argument in arguments.items():
        if name not in known and open_kinds.count(argument.kind) == 1:
            found[name] = next(one for one in left if one.required and one.kind == argument.kind)
            open_kinds.remove(argument.kind)
    return found


_LEAST: Final = 0.15
"""Nearness below which an argument has no counterpart."""


def _forth(arguments: Json, slots: Mapping[str, Slot]) -> Json:
    return {slots[name].to.name: _put(value, slots[name]) for name, value in arguments.items() if name in slots}


def _put(value: Any, slot: Slot) -> Any:
    if isinstance(value, list) and slot.fields:
        return [_forth(row, slot.fields) if isinstance(row, dict) else row for row in value]
    return value


def _back(arguments: Json, slots: Mapping[str, Slot]) -> Json:
    names = {slot.to.name: (name, slot) for name, slot in slots.items()}
    found = {}
    for given, value in arguments.items():
        name, slot = names.get(given, (given, None))
        rows = isinstance(value, list) and slot is not None and slot.fields
        found[name] = [_back(row, slot.fields) for row in value if isinstance(row, dict)] if rows and slot else value
    return found


def choices(one: Property) -> list[str]:
    """The values a property takes, from its schema or as its description lists them."""
    if one.schema.get("enum"):
        return [str(value) for value in one.schema["enum"]]
    said = str(one.schema.get("description") or "")
    codes = re.findall(r"\b[a-z]+(?:_[a-z]+)+\b", said)
    listed = re.match(r"^([a-z_]+(?:, [a-z_]+)+,? or [a-z_]+)\b", said)
    return (
        re.findall(r"[a-z_]+", re.sub(r"\bor\b", " ", listed.group(1))) if listed else codes if len(codes) > 1 else []
    )


def agent_of(transfer: str) -> str:
    """The agent that a hand-over ability leads to."""
    return transfer.removeprefix(TRANSFER)
