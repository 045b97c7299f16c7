"""What a query costs in points, and the leaky bucket that they are taken from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    VariableNode,
    get_named_type,
    get_nullable_type,
    is_leaf_type,
    is_list_type,
)

from engine.sync.sandbox.wire import Json

MUTATION: Final = 10
MOST: Final = 1000
"""The dearest single query that is executed."""


@dataclass
class Priced:
    """A selection with its price: ``own`` for each object of it, ``size`` how many may come."""

    own: int
    size: int | None
    children: dict[str, Priced] = field(default_factory=dict)

    def requested(self) -> int:
        """The most that this can cost."""
        return (self.own + sum(child.requested() for child in self.children.values())) * (
            1 if self.size is None else self.size
        )

    def actual(self, data: Any) -> int:
        """What it cost, by what came."""
        if isinstance(data, list):
            return sum(self.actual(one) for one in data)
        if not isinstance(data, dict):
            return 0
        return self.own + sum(child.actual(data.get(key)) for key, child in self.children.items())


def priced(schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode, given: Json) -> Priced:
    """The price list of one operation with its variables."""
    fragments = {one.name.value: one for one in document.definitions if isinstance(one, FragmentDefinitionNode)}
    is_mutation = operation.operation is OperationType.MUTATION
    root = schema.mutation_type if is_mutation else schema.query_type
    assert root is not None
    whole = Priced(0, None, _Pricer(schema, fragments, given).children(root, operation.selection_set, size=None))
    if is_mutation:
        for child in whole.children.values():
            child.own = MUTATION
    return whole


@dataclass(frozen=True)
class _Pricer:
    schema: GraphQLSchema
    fragments: Mapping[str, FragmentDefinitionNode]
    given: Json

    def children(self, parent: GraphQLNamedType, chosen: SelectionSetNode, *, size: int | None) -> dict[str, Priced]:
        found: dict[str, Priced] = {}
        for one in chosen.selections:
            if isinstance(one, FieldNode):
                child = self.field(parent, one, size)
                if child is not None:
                    found[one.alias.value if one.alias else one.name.value] = child
            else:
                inner, kind = self._inner(one, parent)
                found |= self.children(kind, inner, size=size)
        return found

    def _inner(self, one: Any, parent: GraphQLNamedType) -> tuple[SelectionSetNode, GraphQLNamedType]:
        if isinstance(one, FragmentSpreadNode):
            fragment = self.fragments[one.name.value]
            return fragment.selection_set, self.schema.type_map[fragment.type_condition.name.value]
        assert isinstance(one, InlineFragmentNode)
        named = one.type_condition
        return one.selection_set, self.schema.type_map[named.name.value] if named else parent

    def field(self, parent: GraphQLNamedType, node: FieldNode, size: int | None) -> Priced | None:
        """The price of a field; nothing for a scalar. A connection hands its size on to ``edges`` and ``nodes``."""
        defined = getattr(parent, "fields", {}).get(node.name.value)
        if defined is None or node.selection_set is None:
            return None
        kind = get_named_type(defined.type)
        if is_leaf_type(kind):
            return None
        many = size if is_list_type(get_nullable_type(defined.type)) and _is_connection(parent) else None
        own = 0 if node.name.value in {"pageInfo", "userErrors"} or _is_connection(kind) else 1
        own = 0 if node.name.value == "edges" and _is_connection(parent) else own
        inner = self._size(node) if _is_connection(kind) else None
        return Priced(own, many, self.children(kind, node.selection_set, size=inner))

    def _size(self, node: FieldNode) -> int:
        for argument in node.arguments or ():
            if argument.name.value in {"first", "last"}:
                value = argument.value
                if isinstance(value, IntValueNode):
                    return max(int(value.value), 0)
                if isinstance(value, VariableNode):
                    given = self.given.get(value.name.value)
                    return max(given, 0) if isinstance(given, int) else 0
        return 0


def _is_connection(kind: GraphQLNamedType) -> bool:
    return isinstance(kind, GraphQLObjectType) and kind.name.endswith("Connection")


@dataclass
class Bucket:
    """Points of one app in one shop. A query takes what it may cost and gets back what it did not."""

    maximum: float
    restore_rate: float
    level: float
    at: datetime
    refusals: int = 0

    def available(self, now: datetime) -> float:
        self.level = min(self.maximum, self.level + max((now - self.at).total_seconds(), 0) * self.restore_rate)
        self.at = max(now, self.at)
        return self.level

    def take(self, cost: int, now: datetime) -> bool:
        """Take points, or leave them all where there are too few."""
        if self.available(now) < cost:
            self.refusals += 1
            return False
        self.level -= cost
        return True

    def give_back(self, points: int) -> None:
        self.level = min(self.maximum, self.level + points)

    def status(self, now: datetime) -> Json:
        return {
            "maximumAvailable": float(self.maximum),
            "currentlyAvailable": int(self.available(now)),
            "restoreRate": float(self.restore_rate),
        }
