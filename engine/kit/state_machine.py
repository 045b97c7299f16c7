"""Legal transitions as a table, with one writer."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import ClassVar, Generic, TypeVar

from engine.kit.errors import DomainError, Kind

S = TypeVar("S", bound=StrEnum)


class IllegalTransition(DomainError):
    code = "illegal_transition"
    kind = Kind.CONFLICT
    retryable: ClassVar[bool] = False


class StateMachine(Generic[S]):
    """A table ``{state: allowed next states}`` that names every state.

    ``check`` raises ``IllegalTransition``; the caller writes the new state in the same transaction, under the
    row's lock.
    """

    def __init__(self, name: str, table: Mapping[S, frozenset[S]]) -> None:
        states = set(type(next(iter(table))))
        missing = states - set(table)
        if missing:
            raise ValueError(f"{name}: no row for {sorted(missing)}")
        self.name = name
        self.table = dict(table)

    def allows(self, old: S, new: S) -> bool:
        return new in self.table[old]

    def check(self, old: S, new: S) -> S:
        if not self.allows(old, new):
            raise IllegalTransition(f"A {self.name} that is {old} cannot become {new}.")
        return new

    def terminal(self, state: S) -> bool:
        return not self.table[state]

    def diagram(self) -> str:
        """Mermaid ``stateDiagram-v2`` of the table."""
        rows = [f"    {old} --> {new}" for old, news in self.table.items() for new in sorted(news)]
        return "\n".join(["stateDiagram-v2", *rows])
