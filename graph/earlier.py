"""The tool calls that earlier tries of a turn have made: whoever goes on with it takes them as made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from engine.conversations import log
from graph.state import RunContext
from icommerce_agents import history
from icommerce_agents.adapter import model_call_id
from icommerce_agents.history import Item
from tools import spec

_UNKNOWN_OUTCOME: Final = (
    '{"ok":false,"error":{"code":"interrupted","message":"The server stopped during this call.'
    ' Look at the present state before doing it again."}}'
)


@dataclass(frozen=True, slots=True)
class Made:
    """One call. ``output`` is ``None`` where the server stopped before it was written down: it may have been done."""

    id: str
    name: str
    arguments: str
    output: str | None

    def items(self) -> list[Item]:
        """The call as the history has it."""
        return history.call(self.id, self.name, self.arguments, self.output or _UNKNOWN_OUTCOME)


def calls(context: RunContext) -> list[Made]:
    """In their order; a first try looks nowhere. What only reads and was cut off is left out: it is made again."""
    claim = context.claim
    tries = [*context.earlier_tries, *([claim.run_id] if claim.attempt > 1 else [])]
    if not tries:
        return []
    with context.tools.unit_of_work() as session:
        found = log.completed_calls(session, context.tenant_id, claim.thread_id, tries)
    return [
        Made(model_call_id(one["call_id"]), one["name"], one["arguments"], one["output"])
        for one in found
        if one["output"] is not None or not _only_reads(one["name"])
    ]


def _only_reads(name: str) -> bool:
    known = spec.load().get(name)
    return known is not None and known.access is spec.Access.READ
